"""libiptc, as python-iptables binds it, loaded quickly, and the lock that the iptables programs share."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import sys
import time
from collections.abc import Iterator
from functools import cache
from types import ModuleType, SimpleNamespace
from typing import Any

from netlab.model.errors import LabError
from netlab.model.family import IPV4, IPV6

LOCK = "/run/xtables.lock"
LOCK_LIMIT = 5.0  # seconds, as kube-proxy's `-w 5`
# What find_library would ask ldconfig, gcc and ld for; the fourth library lies in site-packages.
_LIBRARIES = {"c": "libc.so.6", "ip4tc": "libip4tc.so.2", "ip6tc": "libip6tc.so.2", "xtables": "libxtables.so.12"}
_QUICK = ("set_policy", "append_entry", "first_chain", "next_chain", "flush_entries", "delete_chain", "create_chain")


def binding(family: str = IPV4) -> Any:
    """libiptc's functions for that family, by their IPv4 names (`iptc_init`)."""
    module = load()
    return module.ip6tc.ip6tc if family == IPV6 else module.ip4tc.iptc


@cache
def quick(family: str = IPV4) -> Any:
    """libiptc's functions that only take a moment, by their IPv4 names: Python's lock is held meanwhile.

    To give it up and win it back ten thousand times in a row costs more than they do, above all when others want it.
    """
    import ctypes

    module = load()
    part = module.ip6tc if family == IPV6 else module.ip4tc
    library = ctypes.PyDLL(None, handle=part._libiptc._handle)
    prefix = "ip6tc" if family == IPV6 else "iptc"
    found = {name: getattr(library, f"{prefix}_{name}") for name in _QUICK}
    found["first_chain"].restype = found["next_chain"].restype = ctypes.c_char_p
    return SimpleNamespace(**{f"iptc_{name}": function for name, function in found.items()})


def load() -> ModuleType:
    """python-iptables, imported in 0.05 s instead of 0.3 s where its libraries have their usual numbers."""
    if "iptc" in sys.modules:
        return sys.modules["iptc"]
    import ctypes.util

    search: Any = ctypes.util
    find = search.find_library
    absent = "distutils" not in sys.modules
    if absent:
        # Where setuptools is installed, its distutils costs a tenth of a second; python-iptables does without.
        sys.modules["distutils"] = None  # type: ignore[assignment]
    search.find_library = _LIBRARIES.get
    try:
        import iptc
    except Exception:
        for name in [name for name in sys.modules if name.partition(".")[0] == "iptc"]:
            del sys.modules[name]
    finally:
        search.find_library = find
        if absent and sys.modules.get("distutils", 0) is None:
            del sys.modules["distutils"]
    if "iptc" not in sys.modules:
        import iptc
    module: ModuleType = iptc
    return module


def failure() -> OSError:
    """The error that the last call into libiptc left behind."""
    code = load().ip4tc._get_errno_loc()[0]
    return OSError(code, os.strerror(code))


@contextlib.contextmanager
def locked() -> Iterator[None]:
    """Holds the lock of the iptables programs (iptables(8), -w); LabError when another holds it for 5 s."""
    path = os.environ.get("XTABLES_LOCKFILE", LOCK)
    descriptor = os.open(path, os.O_RDONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        end, pause = time.monotonic() + LOCK_LIMIT, 0.0005
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except OSError as error:
                if error.errno != errno.EWOULDBLOCK:
                    raise
            if time.monotonic() > end:
                raise LabError(f"another program holds {path} for {LOCK_LIMIT:g} s, no rules can be written",
                               hint=f"fuser -v {path}", exit_code=5)
            time.sleep(pause)
            pause = min(pause * 1.5, 0.05)
        yield
    finally:
        os.close(descriptor)
