"""The gate of a route: who comes in without a right signature or token gets 401 and no reason."""

from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import Any, cast

from starlette.requests import HTTPConnection, Request

from routekit import Runtime

from ..calls import Call
from ..connection import connection_of
from ..settings import ConnectionSettings, table_of
from .bearers import Bearers, JwtSettings
from .forms import query_of
from .problems import Refusal
from .signatures import Proof, Received, SignatureSettings, Verifier

_MOST = 10_000


class Replays:
    """Deliveries, or signatures with a time, that were accepted: who sends one again has been served already.

    Of one process, and of the last 10,000.
    """

    def __init__(self) -> None:
        self._until: OrderedDict[str, float] = OrderedDict()

    def seen(self, proof: Proof, now: float) -> bool:
        """Whether a message with this signature is done."""
        return self._until.get(proof.known, 0.0) >= now

    def done(self, proof: Proof) -> None:
        """It is."""
        if proof.until is not None:
            self._until[proof.known] = proof.until
            if len(self._until) > _MOST:
                self._until.popitem(last=False)


class Gate:
    """Checks what a route asks for; either may be None."""

    def __init__(
        self, verifier: Verifier | None, bearers: Bearers | None, now: Callable[[], float], challenge: str = ""
    ) -> None:
        self._verifier = verifier
        self._bearers = bearers
        self._now = now
        self._challenge = challenge
        self.replays = Replays()
        self.wants_claims = bearers is not None

    async def claims(self, request: HTTPConnection) -> Mapping[str, Any] | None:
        """The claims of the caller's token, before anything of the request is read; raises Refusal."""
        if self._bearers is None:
            return None
        return await self._bearers.claims(request.headers.get("authorization", ""))

    def challenged(self, request: Request) -> str | None:
        """What is to be sent back to who asks whether somebody listens here."""
        return request.query_params.get(self._challenge) if self._challenge else None

    def proof(self, request: Request, raw: bytes) -> Proof | None:
        """That the content is signed, if it has to be; raises Refusal."""
        if self._verifier is None:
            return None
        headers = {name.lower(): value for name, value in request.headers.items()}
        received = Received(request.method, str(request.url), headers, query_of(request), raw)
        proof = self._verifier.proof(received, self._now())
        if proof is None:
            raise Refusal(401)
        return proof

    def served(self, proof: Proof | None) -> bool:
        """Whether this very request has been served already."""
        return proof is not None and self.replays.seen(proof, self._now())


async def gate_of(runtime: Runtime, signature: str, jwt: str) -> Gate:
    """The gate by the tables of these names; raises UnknownName or BadOption."""
    verifier = bearers = None
    challenge = ""
    if signature:
        example = 'scheme = "stripe" and secrets = ["..."]'
        table = table_of(runtime, "http_signature", signature, SignatureSettings, example)
        verifier, challenge = Verifier(table), table.challenge
    if jwt:
        settings = table_of(runtime, "http_jwt", jwt, JwtSettings, 'issuer = "https://..."')
        bearers = Bearers(settings, await _fetching(runtime, settings), runtime.now)
    return Gate(verifier, bearers, runtime.now, challenge)


async def _fetching(runtime: Runtime, settings: JwtSettings) -> Any:
    if not settings.jwks_url:
        return None
    parts = settings.jwks_url.split("/", 3)
    connection, guarded = await connection_of(runtime, "/".join(parts[:3]), ConnectionSettings(url="/".join(parts[:3])))

    async def fetch() -> bytes:
        async def read(response: Any) -> bytes:
            response.raise_for_status()
            return cast("bytes", await response.aread())

        return await connection.exchange(Call("GET", settings.jwks_url), guarded, read)

    return fetch
