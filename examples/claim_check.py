"""A scan of four megabytes is stored aside while its claim check goes through the queue, and is fetched at the end.

    python examples/claim_check.py

    through the queue: cb36f83c, fb488c7c
    archived: 'invoice of ann', 4000015 bytes
    archived: 'invoice of bob', 4000015 bytes

What to learn: a pattern that is no word of the language is a function from flow to flow, for `apply`.
"""

from dataclasses import dataclass
from functools import partial
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory

import anyio

from routekit import Flow, Rejected, from_, in_thread
from routekit.testing import Feed, Sink, run_routes


@dataclass(frozen=True)
class Ticket:
    """The claim check: what the body is found by, which is also what it has to be."""

    digest: str


def deposit(folder: Path, body: bytes) -> Ticket:
    """Store a body; one that is there already is not stored again, so a retry does no harm."""
    ticket = Ticket(sha256(body).hexdigest())
    if not (folder / ticket.digest).exists():
        part = folder / f"{ticket.digest}.part"
        part.write_bytes(body)
        part.rename(folder / ticket.digest)
    return ticket


def redeem(folder: Path, ticket: Ticket) -> bytes:
    """The body of a ticket."""
    body = (folder / ticket.digest).read_bytes()
    if sha256(body).hexdigest() != ticket.digest:
        raise Rejected(f"what is stored as {ticket.digest[:8]} is something else")
    return body


def check_in(flow: Flow[bytes], folder: Path) -> Flow[Ticket]:
    return flow.transform(in_thread(partial(deposit, folder)))


def claim(flow: Flow[Ticket], folder: Path) -> Flow[bytes]:
    return flow.transform(in_thread(partial(redeem, folder)))


async def main() -> None:
    """Send two scans from one route to another."""
    tickets, archive = Sink(), Sink()
    scans = [f"invoice of {name} ".encode().ljust(4_000_015, b".") for name in ("ann", "bob")]
    with TemporaryDirectory() as name:
        folder = Path(name)
        scanner = from_(Feed(scans), bytes).apply(check_in, folder).to("queue:scans")
        archiver = from_("queue:scans", Ticket).to(tickets).apply(claim, folder).to(archive)
        await run_routes(scanner, archiver)
        print(f"through the queue: {', '.join(ticket.digest[:8] for ticket in tickets.bodies)}")
        for body in archive.bodies:
            print(f"archived: {body[:14].decode()!r}, {len(body)} bytes")


if __name__ == "__main__":
    anyio.run(main)
