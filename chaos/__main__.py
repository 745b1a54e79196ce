"""The command: `python -m chaos --messages 50000 --kills 30 --seed 7`. Exit code 0 if every claim was kept, else 1."""

import argparse
import sys
from pathlib import Path
from random import SystemRandom
from shutil import rmtree
from tempfile import mkdtemp
from time import monotonic

from .run import Wanted, run
from .stage import POSTGRESQL, SQLITE, Stuck, missing


def main() -> int:
    """Run, tell what is done while it is done, and print the ledger; the folder is kept if a claim was not."""
    wanted, folder, keep = _arguments()
    program = missing()
    if program is not None:
        print(f"{program} is not installed: tools/install.sh test, as root on Debian, installs it", file=sys.stderr)
        return 2
    start = monotonic()

    def say(line: str) -> None:
        print(f"{monotonic() - start:6.1f} s  {line}", file=sys.stderr, flush=True)

    say(f"seed {wanted.seed}, in {folder}")
    try:
        outcome = run(wanted, folder, say)
    except Stuck as stuck:
        print(f"stuck, with --seed {wanted.seed}: {stuck}\nlogs and stores are in {folder}")
        return 1
    print(outcome, flush=True)
    if not outcome.ledger.holds:
        print(f"logs and stores are in {folder}")
        return 1
    if not keep:
        rmtree(folder)
    return 0


def _arguments() -> tuple[Wanted, Path, bool]:
    usual = Wanted()
    parser = argparse.ArgumentParser(prog="python -m chaos", description="Kill tests on real parts.")
    parser.add_argument("--messages", type=int, default=usual.messages, help="orders that are published (%(default)s)")
    parser.add_argument("--kills", type=int, default=usual.kills, help="kills by SIGKILL (%(default)s)")
    parser.add_argument("--faults", type=int, default=usual.faults, help="cuts and stalls (%(default)s)")
    parser.add_argument("--seed", type=int, help="what makes messages and moments; unset: a new one, which is printed")
    parser.add_argument("--daemons", type=int, default=usual.daemons, help="daemons that share the work (%(default)s)")
    parser.add_argument("--store", choices=(SQLITE, POSTGRESQL), help="sqlite; postgresql for several daemons")
    parser.add_argument("--durable", action="store_true", help="journal messages in the store when they arrive")
    parser.add_argument("--folder", type=Path, help="where logs and stores are kept, also after a good run")
    given = parser.parse_args()
    seed = SystemRandom().randrange(1_000_000) if given.seed is None else given.seed
    store = given.store or (POSTGRESQL if given.daemons > 1 else SQLITE)
    folder = given.folder or Path(mkdtemp(prefix="routekit-chaos-"))
    folder.mkdir(parents=True, exist_ok=True)
    wanted = Wanted(given.messages, given.kills, given.faults, seed, given.daemons, store, given.durable)
    return wanted, folder, given.folder is not None


sys.exit(main())
