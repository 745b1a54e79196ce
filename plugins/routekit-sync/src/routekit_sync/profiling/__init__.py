"""Whether a remote keeps what it claims: each guarantee tried on the system itself, live or in memory."""

from .checking import CLAIMS as CLAIMS
from .checking import Claim as Claim
from .checking import check as check
from .trial import Sample as Sample
from .verdicts import Guarantee as Guarantee
from .verdicts import Verdict as Verdict
from .verdicts import broken as broken
from .verdicts import table as table
