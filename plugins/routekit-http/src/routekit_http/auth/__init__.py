"""How a connection logs in: the table `auth` in `[http.NAME]`."""

from typing import Annotated

from pydantic import Field

from .bearing import ApiKeyAuth as ApiKeyAuth
from .bearing import BasicAuth as BasicAuth
from .bearing import BearerAuth as BearerAuth
from .granting import ClientCredentialsAuth as ClientCredentialsAuth
from .granting import JwtBearerAuth as JwtBearerAuth
from .refreshing import RefreshTokenAuth as RefreshTokenAuth
from .sessions import Entrance as Entrance
from .sessions import Login as Login
from .sessions import SessionSigner as SessionSigner
from .signing import Desk as Desk
from .signing import Signer as Signer

Auth = Annotated[
    BasicAuth | BearerAuth | ApiKeyAuth | ClientCredentialsAuth | RefreshTokenAuth | JwtBearerAuth,
    Field(discriminator="kind"),
]
"""One of the ways to log in."""
