"""Run a command as the terminal's foreground job, so that Ctrl-C reaches it alone and make sees its own exit code.

Started plainly, a command shares its process group with make: Ctrl-C then kills make as well, and an orderly stop
looks like a failure. Without a terminal there is nothing to share: the command takes the place of this process.
"""

import os
import signal
import sys
from contextlib import suppress


def main(command: list[str]) -> int:
    """Run `command`; its exit code, 128 + N if signal N killed it."""
    if not _in_foreground():
        os.execv(command[0], command)
    signal.signal(signal.SIGTTOU, signal.SIG_IGN)  # or taking the terminal back would stop us
    child = os.fork()
    if not child:
        _start(command)
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
        signal.signal(number, lambda caught, _frame: os.kill(child, caught))
    _give_terminal(child)
    status = _ended(child)
    os.tcsetpgrp(0, os.getpgrp())
    code = os.waitstatus_to_exitcode(status)
    return code if code >= 0 else 128 - code


def _in_foreground() -> bool:
    return os.isatty(0) and os.tcgetpgrp(0) == os.getpgrp()


def _start(command: list[str]) -> None:
    _give_terminal(os.getpid())  # both sides do it: whoever comes first, it is done before the command reads
    signal.signal(signal.SIGTTOU, signal.SIG_DFL)
    os.execv(command[0], command)


def _give_terminal(child: int) -> None:
    with suppress(PermissionError):  # it runs already, and did this itself
        os.setpgid(child, child)
    os.tcsetpgrp(0, child)


def _ended(child: int) -> int:
    """The status that the child ended with; Ctrl-Z stops make and this process with it, `fg` goes on."""
    while True:
        _, status = os.waitpid(child, os.WUNTRACED)
        if not os.WIFSTOPPED(status):
            return status
        os.tcsetpgrp(0, os.getpgrp())
        os.killpg(0, signal.SIGTSTP)
        if _in_foreground():
            os.tcsetpgrp(0, child)
        os.killpg(child, signal.SIGCONT)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
