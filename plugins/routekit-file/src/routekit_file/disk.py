"""Disk: what an error of the operating system means to the message that it met."""

import errno

from routekit import BodyError, RouteKitError, Unavailable

_OF_THE_NAME = {errno.ENAMETOOLONG, errno.EISDIR, errno.ENOTDIR, errno.ELOOP, errno.EINVAL, errno.EILSEQ, errno.ENXIO}
"""These are about the name of the file: no retry can help."""

_HINTS = {
    errno.ENOSPC: "the disk is full: make room on it",
    errno.EDQUOT: "the quota is used up: make room, or ask for more",
    errno.EACCES: "make it writable for the user that runs this process",
    errno.EPERM: "make it writable for the user that runs this process",
    errno.EROFS: "it is mounted read-only",
    errno.ENOENT: "create=true makes folders that are missing",
    errno.EMFILE: "too many files are open: raise the limit (ulimit -n)",
}


def explained(error: OSError, asked: str) -> RouteKitError:
    """The error to raise for `asked`, the file or folder: BodyError if it can never be written, else Unavailable."""
    found = f"{asked} cannot be written: {error.strerror or error}"
    if error.errno in _OF_THE_NAME:
        return BodyError(found, hint="give it another name")
    return Unavailable(found, hint=_HINTS.get(error.errno or 0, "is the disk in order?"))
