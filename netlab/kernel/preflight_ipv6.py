"""What the machine lacks for a lab with IPv6, found by trying, as `preflight` does for all labs."""

from __future__ import annotations

import errno
import fcntl
import socket
import struct

from netlab.kernel import netns
from netlab.kernel.bin_directory import INSTALL, legacy
from netlab.kernel.preflight_modes import MATCHES, lacking_rules
from netlab.kernel.preflight_probe import IFF_UP, SIOCSIFFLAGS, Lack, in_child

MATCHES6 = MATCHES | {
    "recent": ("nat", "-m recent --name NETLAB-PROBE --rcheck --seconds 10 --reap --rsource -j RETURN"),
    "DNAT": ("nat", "-p tcp -m tcp -j DNAT --to-destination [2001:db8::1]:80"),
    "REJECT": ("filter", "-p tcp -m tcp -j REJECT --reject-with icmp6-port-unreachable"),
}


def ipv6_lacks(mode: str = "iptables") -> list[Lack]:
    """What is missing, each with its remedy. Takes a few milliseconds when that is nothing."""
    if why := in_child(_loopback):
        return [Lack("IPv6", why, "boot the machine without ipv6.disable=1, or modprobe ipv6, or leave IPv6 out of "
                     "the lab's ipFamilies")]
    if mode == "nftables":
        return []
    restore = legacy("ip6tables-restore")
    if restore is None:
        return [Lack("ip6tables (legacy)", "ip6tables-legacy-restore is not on the PATH", INSTALL)]
    return lacking_rules(restore, MATCHES6, program="ip6tables",
                         remedy="runs labs of IPv4, or with proxyMode nftables")


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
