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
from collections.abc import Callable
from dataclasses import dataclass

from netlab.kernel import capabilities, netlink, netns
from netlab.kernel.bin_directory import INSTALL, legacy, which
from netlab.topology.names import ETC_NETNS, RUN

CLONE_NEWPID = 0x20000000
MS_PRIVATE = 1 << 18
SIOCSIFFLAGS, IFF_UP = 0x8914, 1
FILES = 4096
SPACE = 8 << 20  # bytes: a lab of a few pods takes one, its logs grow
LEGACY = "iptables (legacy)"
PROGRAMS = {"ip": "iproute2", "curl": "curl", "dig": "bind9-dnsutils (or dnsutils)", "openssl": "openssl"}
PRIVILEGES = ("run it on the machine itself, or in a container with --privileged (or --cap-add "
              "SYS_ADMIN,NET_ADMIN,NET_RAW beside the usual ones, with seccomp and AppArmor unconfined)")

_MATCHES = {  # what the lab's rules use: a rule for each, in the table in which it stands
    "comment": ("nat", '-m comment --comment "netlab probe" -j RETURN'),
    "statistic": ("nat", "-m statistic --mode random --probability 0.50000000000 -j RETURN"),
    "mark": ("nat", "-m mark ! --mark 0x4000/0x4000 -j RETURN"),
    "MARK": ("nat", "-j MARK --set-xmark 0x4000/0x4000"),
    "addrtype": ("nat", "-m addrtype --dst-type LOCAL -j RETURN"),
    "recent": ("nat", "-m recent --name NETLAB-PROBE --rcheck --seconds 10 --reap --rsource -j RETURN"),
    "DNAT": ("nat", "-p tcp -m tcp -j DNAT --to-destination 192.0.2.1:80"),
    "MASQUERADE": ("nat", "-j MASQUERADE --random-fully"),
    "conntrack": ("filter", "-m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT"),
    "REJECT": ("filter", "-p tcp -m tcp -j REJECT --reject-with icmp-port-unreachable"),
}


@dataclass(frozen=True)
class Lack:
    """One thing that the machine lacks: what, why we think so, and what to do. A `warning` stops nobody."""

    what: str
    why: str
    remedy: str
    warning: bool = False

    def __str__(self) -> str:
        return f"{self.what}: {self.why}; {self.remedy}"


def quick(mode: str = "iptables") -> list[Lack]:
    """What keeps a lab of that proxy mode from starting; warnings are left out.

    Costs one child and 10 ms when that is nothing.
    """
    if os.geteuid() == 0 and not (_missing_programs() or _too_few_files() or _directories()):
        restore = legacy("iptables-restore")
        if mode == "iptables" and restore and not _in_child(lambda: _everything(restore)):
            return []
    return [lack for lack in lacks(mode) if not lack.warning]


def fitting_mode(mode: str) -> tuple[str, list[Lack], str]:
    """(the proxy mode of a lab that asks for `mode`, what it lacks, what to tell its user).

    A lab that asks for none gets iptables, and nftables where only the legacy tables are missing.
    """
    missing = quick(mode or "iptables")
    if mode or not missing or any(not lack.what.startswith(LEGACY) for lack in missing) or quick("nftables"):
        return mode or "iptables", missing, ""
    return "nftables", [], (f"{missing[0].what}: {missing[0].why}; so kube-proxy runs in the nftables mode here "
                        "(iptables-save shows nothing, `nft list ruleset` does)")


def lacks(mode: str = "iptables") -> list[Lack]:
    """All that is missing for that proxy mode, each with its remedy, and warnings. Takes up to a second."""
    if os.geteuid() != 0:
        return [Lack("root", "network namespaces are made by root only", "run it with sudo")]
    found: list[Lack] = []

    def attempt(what: str, remedy: str, function: Callable[[], None]) -> bool:
        why = _in_child(function)
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
        if mode != "nftables":
            found += _iptables()
        found += _MODES.get(mode, list)()
        found += _pod_nat()
    if attempt("mounts", f"AppArmor or seccomp forbids them: {PRIVILEGES}", _private_mounts):
        attempt("PID namespaces", "a fresh proc must be mountable: no masked /proc "
                "(docker: --security-opt systempaths=unconfined)", lambda: _as_init(lambda: 0))
    found += _missing_programs() + _too_few_files() + _directories() + _reaping()
    return found


def _everything(restore: str) -> None:
    """All at once, in one PID 1 of its own."""
    netns.unshare(netns.CLONE_NEWNET)

    def inside() -> int:
        _bind_dns()
        _sysctl_write()
        _links_make()
        os.chroot("/")
        code = _restore(restore, list(_MATCHES))
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
    messages = [_link(kind) for kind in ("veth", "bridge")]
    for refusal in channel.send(messages):
        raise netlink.refused(refusal, messages[refusal.place].what)


def _link(kind: str) -> netlink.Message:
    """A request for a link of that kind, by hand: pyroute2 takes longer to import than the whole probe."""
    name = kind.encode() + b"\0"
    name = struct.pack("=HH", 4 + len(name), 1) + name + bytes(-len(name) % 4)  # IFLA_INFO_KIND
    body = bytes(16) + struct.pack("=HH", 4 + len(name), 18) + name  # ifinfomsg, IFLA_LINKINFO
    flags = netlink.REQUEST | netlink.CREATE | netlink.EXCLUSIVE
    return netlink.Message(struct.pack("=IHHII", 16 + len(body), netlink.NEWLINK, flags, 0, 0) + body, kind)


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

    if why := _in_child(inside):
        raise OSError(why)


def _iptables() -> list[Lack]:
    restore = legacy("iptables-restore")
    if restore is None:
        return [Lack(LEGACY, "iptables-legacy-restore is not on the PATH", INSTALL)]
    if not _try_rules(restore, list(_MATCHES)):
        return []
    found = []
    for table in ("nat", "filter"):
        if why := _try_rules(restore, [], tables=(table,)):
            found.append(Lack(f"{LEGACY} table {table}", why, f"load its module on the machine: modprobe "
                              f"iptable_{table}; a kernel without legacy iptables runs labs with proxyMode nftables"))
    if not found:
        for name in _MATCHES:
            if why := _try_rules(restore, [name]):
                kind = "target" if name.isupper() else "match"
                found.append(Lack(f"iptables {kind} {name}", why,
                                  f"load its module on the machine: modprobe xt_{name} (or ipt_{name})"))
    return found


def _nftables() -> list[Lack]:
    nft = which("nft")
    if nft is None:
        return [Lack("nftables", "nft is not on the PATH", "apt-get install nftables")]

    def inside() -> None:
        netns.unshare(netns.CLONE_NEWNET)
        _feed([nft, "-f", "-"], _NFT_PROBE)

    why = _in_child(inside)
    return [Lack("nftables", why, "kernel 5.13 and nft 1.0.1 or newer are needed; load the modules on the machine: "
                                  "modprobe -a nf_tables nft_chain_nat nft_numgen nft_fib_ipv4 nft_masq nft_reject_ipv4"
                 )] if why else []


def _ipvs() -> list[Lack]:
    def inside() -> None:
        netns.unshare(netns.CLONE_NEWNET)
        if not os.path.exists("/proc/net/ip_vs"):
            raise OSError("the kernel has no IP virtual server (ip_vs)")

    why = _in_child(inside)
    return [Lack("IPVS", why or "netlab does not write this mode's virtual servers yet",
                 "choose another proxyMode: iptables, nftables or userspace")]


_MODES: dict[str, Callable[[], list[Lack]]] = {"nftables": _nftables, "ipvs": _ipvs}
_NFT_PROBE = """add table ip netlab-probe { comment "probe" ; }
add map ip netlab-probe m { type ipv4_addr . inet_proto . inet_service : verdict ; }
add set ip netlab-probe s { type ipv4_addr ; size 65535 ; flags dynamic,timeout ; timeout 3h ; }
add chain ip netlab-probe f { type filter hook input priority -110 ; }
add chain ip netlab-probe n { type nat hook output priority -100 ; }
add chain ip netlab-probe p { type nat hook postrouting priority 100 ; }
add chain ip netlab-probe e
add rule ip netlab-probe f ct state new fib daddr type local reject
add rule ip netlab-probe n ip daddr . meta l4proto . th dport vmap @m
add rule ip netlab-probe n numgen random mod 2 vmap { 0 : goto e, 1 : goto e }
add rule ip netlab-probe e update @s { ip saddr }
add rule ip netlab-probe e meta l4proto tcp dnat to 192.0.2.1:80
add rule ip netlab-probe p meta mark & 0x4000 == 0 masquerade fully-random
"""


def _try_rules(restore: str, rules: list[str], *, tables: tuple[str, ...] = ()) -> str:
    def inside() -> None:
        netns.unshare(netns.CLONE_NEWNET)
        _restore(restore, rules, tables=tables)

    return _in_child(inside)


def _restore(restore: str, rules: list[str], *, tables: tuple[str, ...] = ()) -> int:
    """Loads the probes by iptables-legacy-restore; OSError with its words when it refuses."""
    lines = []
    for table in dict.fromkeys([*tables, *(_MATCHES[rule][0] for rule in rules)]):
        lines += [f"*{table}", ":NETLAB-PROBE - [0:0]"]
        lines += [f"-A NETLAB-PROBE {text}" for place, text in map(_MATCHES.__getitem__, rules) if place == table]
        lines += ["COMMIT"]
    return _feed([restore, "-w", "5"], "\n".join([*lines, ""]))


def _feed(argv: list[str], text: str) -> int:
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

    why = _in_child(inside)
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


def _in_child(function: Callable[[], None]) -> str:
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
