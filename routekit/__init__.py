"""RouteKit: enterprise integration patterns in typed Python.

The face: every public name, and no logic.
"""

from .callables import in_thread as in_thread
from .codec import Codec as Codec
from .codec import Record as Record
from .endpoint import PER_MESSAGE as PER_MESSAGE
from .endpoint import Consumer as Consumer
from .endpoint import Deliver as Deliver
from .endpoint import Endpoint as Endpoint
from .endpoint import Listener as Listener
from .endpoint import PathField as PathField
from .endpoint import Producer as Producer
from .errors import BadOption as BadOption
from .errors import BodyError as BodyError
from .errors import DefinitionError as DefinitionError
from .errors import Expired as Expired
from .errors import Invalid as Invalid
from .errors import LoadError as LoadError
from .errors import PartsFailed as PartsFailed
from .errors import Rejected as Rejected
from .errors import RouteKitError as RouteKitError
from .errors import StoreError as StoreError
from .errors import Unavailable as Unavailable
from .errors import UnknownName as UnknownName
from .errors import UnknownScheme as UnknownScheme
from .errors import WrongDirection as WrongDirection
from .errors import did_you_mean as did_you_mean
from .events import Event as Event
from .events import Progress as Progress
from .flow import Flow as Flow
from .flow import dead_letters as dead_letters
from .flow import from_ as from_
from .hookspecs import hookimpl as hookimpl
from .letter import Letter as Letter
from .message import Delivery as Delivery
from .message import Message as Message
from .message import Meta as Meta
from .parts import Tally as Tally
from .reading import Records as Records
from .route import Policy as Policy
from .route import Retry as Retry
from .route import Route as Route
from .step import Chain as Chain
from .step import Handler as Handler
from .step import Runtime as Runtime
from .step import Send as Send
from .step import Step as Step
from .step import Target as Target
from .store import Claim as Claim
from .store import Keys as Keys
from .store import Letters as Letters
from .store import Marks as Marks
from .store import Store as Store
from .units import Bytes as Bytes
from .units import Seconds as Seconds
