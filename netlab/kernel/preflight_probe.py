"""What every probe of the machine needs: a lack to report, a child to try in, a program to feed."""

from __future__ import annotations

import os
import struct
from collections.abc import Callable
from dataclasses import dataclass

from netlab.kernel import netlink

SIOCSIFFLAGS, IFF_UP = 0x8914, 1

@dataclass(frozen=True)
class Lack:
    """One thing that the machine lacks: what, why we think so, and what to do. A `warning` stops nobody."""

    what: str
    why: str
    remedy: str
    warning: bool = False

    def __str__(self) -> str:
        return f"{self.what}: {self.why}; {self.remedy}"


def in_child(function: Callable[[], None]) -> str:
    """Why it fails in a child of its own, "" when it does not. The child may change its namespaces as it likes."""
    ours, theirs = os.pipe()
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            function()
            code = 0
        except Exception as error:
            os.write(theirs, (str(error) or repr(error)).encode()[:4000])
        finally:
            os._exit(code)
    os.close(theirs)
    with open(ours, "rb") as file:
        text = file.read().decode(errors="replace")
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    return text or (f"the probe ended with {status}" if status else "")


def feed(argv: list[str], text: str) -> int:
    """Runs a program with that text as its input; OSError with its words when it fails."""
    rules_file, words_file = os.memfd_create("rules"), os.memfd_create("words")
    os.write(rules_file, text.encode())
    os.lseek(rules_file, 0, os.SEEK_SET)
    redirections = [(os.POSIX_SPAWN_DUP2, source, target)
                    for target, source in enumerate((rules_file, words_file, words_file))]
    # A lock file of its own: the usual one is the whole machine's, and a netns of a probe concerns nobody.
    env = os.environ | {"XTABLES_LOCKFILE": "/proc/self/fd/2"}
    # Importing subprocess would take longer than the program.
    pid = os.posix_spawn(argv[0], argv, env, file_actions=redirections)
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    words = os.pread(words_file, 1000, 0).decode(errors="replace").strip().splitlines()
    os.close(rules_file)
    os.close(words_file)
    if code:
        raise OSError(words[0] if words else f"{argv[0]} ended with {code}")
    return 0


def link(kind: str) -> netlink.Message:
    """A request for a link of that kind, by hand: pyroute2 takes longer to import than the whole probe."""
    name = kind.encode() + b"\0"
    name = struct.pack("=HH", 4 + len(name), 1) + name + bytes(-len(name) % 4)  # IFLA_INFO_KIND
    body = bytes(16) + struct.pack("=HH", 4 + len(name), 18) + name  # ifinfomsg, IFLA_LINKINFO
    flags = netlink.REQUEST | netlink.CREATE | netlink.EXCLUSIVE
    return netlink.Message(struct.pack("=IHHII", 16 + len(body), netlink.NEWLINK, flags, 0, 0) + body, kind)
