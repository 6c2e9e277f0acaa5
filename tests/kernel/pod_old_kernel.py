"""Loaded by a lab init, this makes it a kernel before Linux 5.12."""

import errno
import os

from netlab.kernel import syscalls


def _missing(path: str, flags: int, *, recursive: bool = True) -> None:
    raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))


syscalls.mount_setattr = _missing
