"""What the machine lacks for a lab, found by trying: versions and configuration files tell little about a container.

All is tried in children that end, in namespaces that end with them; this process and the machine are not changed.
"""

from __future__ import annotations

import fcntl
import os
import resource
import socket
import struct
import time
from collections.abc import Callable, Collection

from netlab.kernel import capabilities, netlink, netns
from netlab.kernel.bin_directory import which
from netlab.kernel.preflight_modes import mode_lacks, probe_rules
from netlab.kernel.preflight_probe import IFF_UP, SIOCSIFFLAGS, Lack, in_child, link
from netlab.model.family import IPV4, IPV6
from netlab.topology.names import ETC_NETNS, RUN

CLONE_NEWPID = 0x20000000
MS_PRIVATE = 1 << 18
FILES = 4096
SPACE = 8 << 20  # bytes: a lab of a few pods takes one, its logs grow
PROGRAMS = {"ip": "iproute2", "curl": "curl", "dig": "bind9-dnsutils (or dnsutils)", "openssl": "openssl"}
PRIVILEGES = ("run it on the machine itself, or in a container with --privileged (or --cap-add "
              "SYS_ADMIN,NET_ADMIN,NET_RAW beside the usual ones, with seccomp and AppArmor unconfined)")


def quick(mode: str = "iptables", families: Collection[str] = (IPV4,)) -> list[Lack]:
    """What keeps a lab of that proxy mode and these IP families from starting; warnings are left out.

    Costs one child and 10 ms when that is nothing, and two more with IPv6; the mode ipvs costs all of `lacks`.
    """
    if os.geteuid() == 0 and not (_missing_programs() or _too_few_files() or _directories()):
        load = probe_rules(mode, families)
        if load is not None and not in_child(lambda: _everything(load)):
            return _ipv6(mode, families)
    return [lack for lack in lacks(mode, families) if not lack.warning]


def fitting_mode(mode: str, families: Collection[str] = (IPV4,)) -> tuple[str, list[Lack], str]:
    """(the proxy mode of a lab that asks for `mode`, what it lacks, what to tell its user).

    A lab that asks for none gets iptables, and nftables where only the legacy tables are missing.
    """
    missing = quick(mode or "iptables", families)
    if mode or not missing or any("(legacy)" not in lack.what for lack in missing) or quick("nftables", families):
        return mode or "iptables", missing, ""
    return "nftables", [], (f"{missing[0].what}: {missing[0].why}; so kube-proxy runs in the nftables mode here "
                        "(iptables-save shows nothing, `nft list ruleset` does)")


def _ipv6(mode: str, families: Collection[str]) -> list[Lack]:
    if IPV6 not in families:
        return []
    from netlab.kernel.preflight_ipv6 import ipv6_lacks

    return ipv6_lacks(mode)


def lacks(mode: str = "iptables", families: Collection[str] = (IPV4,)) -> list[Lack]:
    """All that is missing for that mode and families, each with its remedy, and warnings. Takes up to a second."""
    if os.geteuid() != 0:
        return [Lack("root", "network namespaces are made by root only", "run it with sudo")]
    found: list[Lack] = []

    def attempt(what: str, remedy: str, function: Callable[[], None]) -> bool:
        why = in_child(function)
        if why:
            found.append(Lack(what, why, remedy))
        return not why

    powers = attempt("network namespaces", PRIVILEGES, lambda: netns.unshare(netns.CLONE_NEWNET))
    for name, function in POWERS.items() if powers else ():
        powers &= attempt(name, PRIVILEGES, function)
    if powers:
        attempt("links", "the kernel needs the modules veth and bridge: modprobe -a veth bridge", _links)
        attempt("sysctls of a netns", "mount /proc/sys writable, or allow a fresh proc to be mounted "
                "(docker: --security-opt systempaths=unconfined)", _sysctl)
        found += mode_lacks(mode, families) + _ipv6(mode, families) + _pod_nat()
    if attempt("mounts", f"AppArmor or seccomp forbids them: {PRIVILEGES}", _private_mounts):
        attempt("PID namespaces", "a fresh proc must be mountable: no masked /proc "
                "(docker: --security-opt systempaths=unconfined)", lambda: _as_init(lambda: 0))
    found += _missing_programs() + _too_few_files() + _directories() + _reaping()
    return found


def _everything(load: Callable[[], int]) -> None:
    """All at once, in one PID 1 of its own."""
    netns.unshare(netns.CLONE_NEWNET)

    def inside() -> int:
        _bind_dns()
        _sysctl_write()
        _links_make()
        os.chroot("/")
        code = load()
        capabilities.drop()
        return code

    _as_init(inside)


def _administer() -> None:
    netns.unshare(netns.CLONE_NEWNET)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        fcntl.ioctl(control, SIOCSIFFLAGS, struct.pack("16sH14x", b"lo", IFF_UP))


def _raw() -> None:
    netns.unshare(netns.CLONE_NEWNET)
    socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW).close()  # as iptables opens it


def _bind() -> None:
    netns.unshare(netns.CLONE_NEWNET)
    _bind_dns()


def _bind_dns() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("0.0.0.0", 53))


POWERS: dict[str, Callable[[], None]] = {
    "CAP_NET_ADMIN": _administer, "CAP_NET_RAW": _raw, "CAP_NET_BIND_SERVICE": _bind,
    "CAP_SETPCAP": capabilities.drop, "CAP_SYS_CHROOT": lambda: os.chroot("/")}


def _links() -> None:
    netns.unshare(netns.CLONE_NEWNET)
    _links_make()


def _links_make() -> None:
    channel = netlink.Channel()
    messages = [link(kind) for kind in ("veth", "bridge")]
    for refusal in channel.send(messages):
        raise netlink.refused(refusal, messages[refusal.place].what)


def _sysctl() -> None:
    netns.unshare(netns.CLONE_NEWNET)
    try:
        _sysctl_write()
    except OSError:
        _private_mounts()
        netns.mount("proc", "/proc", "proc", 0)
        _sysctl_write()


def _sysctl_write() -> None:
    with open("/proc/sys/net/ipv4/ip_forward", "w") as file:
        file.write("1")


def _private_mounts() -> None:
    netns.unshare(netns.CLONE_NEWNS)
    netns.mount("", "/", "none", MS_PRIVATE | netns.MS_REC)
    netns.mount("tmpfs", "/tmp", "tmpfs", 0)


def _as_init(function: Callable[[], int]) -> None:
    """Runs it as PID 1 of a PID namespace with a proc of its own; what it raises is raised here."""
    _private_mounts()
    netns.unshare(CLONE_NEWPID)

    def inside() -> None:
        if os.getpid() != 1:
            raise OSError("the child is not PID 1 of its namespace")
        netns.mount("proc", "/proc", "proc", 0)
        if code := function():
            raise OSError(f"exit code {code}")

    if why := in_child(inside):
        raise OSError(why)


def _pod_nat() -> list[Lack]:
    """Whether nodes can hold the table of ways out of the cluster and host ports, of which a sample is loaded."""
    from netlab.kernel.nft_table import INSTALL as remedy
    from netlab.kernel.nft_table import run
    from netlab.model.lab_spec import LabSpec
    from netlab.topology.pod_nat import HostPort, pod_nat

    def inside() -> None:
        netns.unshare(netns.CLONE_NEWNET)
        port = HostPort("tcp", 8080, "", "10.244.0.2", 80, "netlab/probe")
        code, _, words = run(["-f", "-"], pod_nat(pods=[LabSpec.pod_cidr], here=[LabSpec.pod_cidr],
                                                  nodes=[LabSpec.node_cidr[2]], ports=[port]))
        if code:
            raise OSError(words)

    why = in_child(inside)
    return [Lack("nftables", f"{why}: pods cannot reach hosts outside of the cluster, and hostPort does not work",
                 remedy, warning=True)] if why else []


def _missing_programs() -> list[Lack]:
    return [Lack(f"program {program}", "it is not on the PATH", f"apt-get install {package}")
            for program, package in PROGRAMS.items() if which(program) is None]


def _too_few_files() -> list[Lack]:
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    if hard == resource.RLIM_INFINITY or hard >= FILES:
        return []
    return [Lack("open files", f"the limit is {hard}, a lab needs {FILES}",
                 f"ulimit -Hn {FILES} (docker: --ulimit nofile={FILES})")]


def raise_file_limit() -> None:
    """Gives this process, and what it starts, as many open files as a lab needs, if it has fewer."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < FILES:
        wanted = FILES if hard == resource.RLIM_INFINITY else min(FILES, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def _directories() -> list[Lack]:
    if not os.access("/run", os.W_OK):
        return [Lack("directory /run", "it cannot be written", "mount a tmpfs on it")]
    etc = ETC_NETNS if ETC_NETNS.is_dir() else ETC_NETNS.parent
    if not os.access(etc, os.W_OK):
        return [Lack(f"directory {etc}", f"it cannot be written, and {ETC_NETNS} tells programs in a node which DNS "
                     "server to ask", f"mount a tmpfs on {ETC_NETNS} (docker: --tmpfs {ETC_NETNS})")]
    place = str(RUN) if os.path.isdir(RUN) else "/run"
    found = os.statvfs(place)
    if (free := found.f_bavail * found.f_frsize) >= SPACE:
        return []
    return [Lack(f"space in {place}", f"{free >> 10} KiB are free, a lab needs {SPACE >> 10}",
                 f"free some (df {place}; netlab list), or mount a larger tmpfs")]


def _reaping() -> list[Lack]:
    """Whether orphans are waited for, by whoever gets them: PID 1 of a container often does not."""
    ours, theirs = os.pipe()
    middle = os.fork()
    if middle == 0:
        orphan = os.fork()
        if orphan:
            os.write(theirs, str(orphan).encode())
        os._exit(0)
    os.close(theirs)
    os.waitpid(middle, 0)
    orphan = int(os.read(ours, 20) or b"0")
    os.close(ours)
    end = time.monotonic() + 0.5
    while os.path.exists(f"/proc/{orphan}/stat"):
        if time.monotonic() > end:
            return [Lack("PID 1", "it does not wait for orphans, so ended processes stay as zombies",
                         "start the container with --init; labs run without it", warning=True)]
        time.sleep(0.002)
    return []
