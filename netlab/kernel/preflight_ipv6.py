"""What the machine lacks for a lab with IPv6, found by trying, as `preflight` does for all labs."""

from __future__ import annotations

import errno
import fcntl
import socket
import struct

from netlab.kernel import netns
from netlab.kernel.bin_directory import INSTALL, legacy
from netlab.kernel.preflight import IFF_UP, MATCHES, SIOCSIFFLAGS, Lack, in_child, try_rules

MATCHES6 = MATCHES | {
    "recent": ("nat", "-m recent --name NETLAB-PROBE --rcheck --seconds 10 --reap --rsource -j RETURN"),
    "DNAT": ("nat", "-p tcp -m tcp -j DNAT --to-destination [2001:db8::1]:80"),
    "REJECT": ("filter", "-p tcp -m tcp -j REJECT --reject-with icmp6-port-unreachable"),
}


def ipv6_lacks() -> list[Lack]:
    """What is missing, each with its remedy. Takes a few milliseconds when that is nothing."""
    if why := in_child(_loopback):
        return [Lack("IPv6", why, "boot the machine without ipv6.disable=1, or modprobe ipv6, or leave IPv6 out of "
                     "the lab's ipFamilies")]
    restore = legacy("ip6tables-restore")
    if restore is None:
        return [Lack("ip6tables (legacy)", "ip6tables-legacy-restore is not on the PATH", INSTALL)]
    if not try_rules(restore, list(MATCHES6), texts=MATCHES6):
        return []
    found = []
    for table in ("nat", "filter"):
        if why := try_rules(restore, [], tables=(table,)):
            found.append(Lack(f"ip6tables (legacy) table {table}", why, f"load its module on the machine: modprobe "
                              f"ip6table_{table}; a kernel without legacy ip6tables runs labs of IPv4 only"))
    for name in MATCHES6 if not found else ():
        if why := try_rules(restore, [name], texts=MATCHES6):
            kind = "target" if name.isupper() else "match"
            found.append(Lack(f"ip6tables {kind} {name}", why,
                              f"load its module on the machine: modprobe xt_{name} (or ip6t_{name})"))
    return found


def _loopback() -> None:
    """Listens on ::1 of a new netns."""
    netns.unshare(netns.CLONE_NEWNET)
    with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as made:
        try:
            with open("/proc/sys/net/ipv6/conf/all/disable_ipv6", "w") as file:
                file.write("0")
        except OSError as error:
            if error.errno in (errno.EROFS, errno.EACCES, errno.EPERM):
                return  # a lab writes its settings by a proc of its own
            raise
        fcntl.ioctl(made, SIOCSIFFLAGS, struct.pack("16sH14x", b"lo", IFF_UP))
        made.bind(("::1", 53))
