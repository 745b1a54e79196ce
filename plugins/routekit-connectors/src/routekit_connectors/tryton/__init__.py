"""Tryton ERP: parties, sales and products as remotes.

The connection `[http.NAME]` has the URL of the database, such as `https://erp.example.com/company`, and `auth` of kind
`basic` with the user and password of an account for RouteKit alone.
"""

from .goods import employees as employees
from .goods import products as products
from .objects import TrytonRemote as TrytonRemote
from .parties import parties as parties
from .sales import sales as sales
