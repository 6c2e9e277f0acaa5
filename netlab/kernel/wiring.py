"""Makes netns and their links from Wiring values, by netlink."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path

from netlab.kernel import netlink, netns
from netlab.topology.names import ETC_NETNS
from netlab.topology.wiring import Sysctl, Veth, Wiring, in_order


@dataclass
class _Place:
    """A netns that is open for building: its descriptor, a netlink socket in it, and what is to be made."""

    wiring: Wiring
    descriptor: int
    channel: netlink.Channel
    late: list[Sysctl]  # could not be written by the machine's own /proc/sys


def build(wirings: Sequence[Wiring]) -> None:
    """Makes every netns that is missing (named, so that `ip netns` shows it) and what its wiring says.

    Repeatable: what is there already is left alone. OSError with the kernel's words and the object that it refused.
    The calling thread stays in its netns, and nothing ever appears there, not even for a moment.
    """
    netlink.load()
    wanted = in_order(wirings)
    with ExitStack() as stack:
        # One thread visits all of them; sockets made there stay useful after it has ended.
        places = netns.in_thread(lambda: _open_all(wanted, stack))
        if any(place.late for place in places):
            netns.in_thread(lambda: _write_by_fresh_proc(places))
        descriptors = {place.wiring.netns: place.descriptor for place in places}
        for peer in {veth.peer_netns for wiring in wanted for veth in wiring.veths} - descriptors.keys():
            descriptors[peer] = os.open(netns.path(peer), os.O_RDONLY | os.O_CLOEXEC)
            stack.callback(os.close, descriptors[peer])
        for place in places:
            _apply(place, descriptors)
        for place in places:
            # Bridges last: one that comes up before a port has a carrier is deaf for up to a second.
            bridges = [netlink.up(bridge.name, bridge.index) for bridge in place.wiring.bridges]
            _check(place, bridges, place.channel.send(bridges))


def remove(name: str) -> None:
    """Removes a netns and its /etc/netns entry; veths into it vanish with it. An absent one is fine."""
    netns.delete(name)
    remove_etc(name)


def remove_etc(name: str) -> None:
    """Removes /etc/netns/NETNS, and /etc/netns itself when nothing else is in it."""
    import shutil

    entry = ETC_NETNS / name
    if not os.path.lexists(entry):
        return
    if entry.is_symlink():
        entry.unlink()
    else:
        shutil.rmtree(entry, ignore_errors=True)
    try:
        ETC_NETNS.rmdir()
    except OSError:
        pass


def write_resolv_conf(name: str, text: str) -> None:
    """Writes /etc/netns/NETNS/resolv.conf, which `ip netns exec NETNS` binds over /etc/resolv.conf."""
    directory = ETC_NETNS / name
    for last_try in (False, True):
        try:
            _make_etc(directory)
            flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
            with open(os.open(directory / "resolv.conf", flags, 0o644), "w") as file:
                os.fchmod(file.fileno(), 0o644)
                file.write(text)
            return
        except FileNotFoundError:  # another lab's last entry went just now, and the directory with it
            if last_try:
                raise


def _make_etc(directory: Path) -> None:
    """Makes /etc/netns/NETNS readable by all, whatever the umask: programs there may run as other users."""
    for path in (ETC_NETNS, directory):
        if not path.exists():
            path.mkdir(exist_ok=True)
            path.chmod(0o755)


def link_alternatives(name: str, directory: Path) -> None:
    """Has `ip netns exec NETNS` bind `directory` over /etc/alternatives (Debian's choice of program variants)."""
    link = ETC_NETNS / name / "alternatives"
    if not link.is_symlink():
        _make_etc(link.parent)
        link.symlink_to(directory)


def _open_all(wanted: Iterable[Wiring], stack: ExitStack) -> list[_Place]:
    places = []
    for wiring in wanted:
        name = wiring.netns
        if netns.exists(name):
            netns.enter(name)
        elif wiring.existing:
            raise FileNotFoundError(errno.ENOENT, f"there is no netns {name}")
        else:
            netns.create(name)
        descriptor = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        stack.callback(os.close, descriptor)
        channel = netlink.Channel()
        stack.callback(channel.close)
        places.append(_Place(wiring, descriptor, channel, [s for s in wiring.sysctls if not _write(name, s)]))
    return places


def _write(name: str, sysctl: Sysctl) -> bool:
    """Writes a sysctl of the thread's netns; False when /proc/sys is read-only, as in many containers."""
    try:
        descriptor = os.open(f"/proc/sys/net/{sysctl.key}", os.O_WRONLY | os.O_CLOEXEC)
        try:
            os.write(descriptor, sysctl.value.encode())
        finally:
            os.close(descriptor)
    except FileNotFoundError:
        if not sysctl.optional:
            raise
    except OSError as error:
        if error.errno in (errno.EROFS, errno.EACCES, errno.EPERM):
            return False
        raise OSError(error.errno, f"sysctl net/{sysctl.key}={sysctl.value} in {name}: {error.strerror}") from None
    return True


def _write_by_fresh_proc(places: Iterable[_Place]) -> None:
    """Writes what is left by a proc that only this thread sees, and that nobody has made read-only."""
    netns.unshare(netns.CLONE_NEWNS)
    netns.mount("", "/", "none", netns.MS_SLAVE | netns.MS_REC)
    netns.mount("proc", "/proc", "proc", 0)
    for place in places:
        netns.enter_descriptor(place.descriptor, place.wiring.netns)
        for sysctl in place.late:
            if not _write(place.wiring.netns, sysctl):
                raise PermissionError(errno.EPERM, f"sysctl net/{sysctl.key} in {place.wiring.netns} cannot be written")


def _apply(place: _Place, descriptors: Mapping[str, int]) -> None:
    """Sends a netns its batch; a second time when links are there already: kept if they lead where they should."""
    wiring, channel = place.wiring, place.channel
    links = [*map(netlink.bridge, wiring.bridges), *(_veth(wiring, veth, descriptors) for veth in wiring.veths)]
    rest = _rest(wiring)
    refusals = channel.send([*links, *rest])
    present = {refusal.place for refusal in refusals if refusal.code == errno.EEXIST and refusal.place < len(links)}
    if present:
        _check(place, links, [r for r in refusals if r.place < len(links) and r.place not in present])
        first = len(wiring.bridges)
        known = [veth for number, veth in enumerate(wiring.veths, first) if number in present]
        kept = [veth for veth in known if _leads_there(channel, veth, descriptors[veth.peer_netns])]
        stale = [veth for veth in known if veth not in kept]
        # Stale is what a former netns of either end left: the kernel takes its time to end one.
        for veth in stale:
            channel.send([netlink.delete_link(veth.name)])
            _in(descriptors[veth.peer_netns], veth.peer_netns, netlink.delete_link(veth.peer))
        links = [*(_veth(wiring, veth, descriptors) for veth in stale),
                 *(netlink.up(veth.name, veth.index, master=_master(wiring, veth)) for veth in kept)]
        refusals = channel.send([*links, *rest])
    _check(place, [*links, *rest], refusals)


def _in(descriptor: int, name: str, message: netlink.Message) -> None:
    """Sends a message in another netns; whether it is refused does not matter."""
    def send() -> None:
        netns.enter_descriptor(descriptor, name)
        with closing(netlink.Channel()) as channel:
            channel.send([message])

    netns.in_thread(send)


def _check(place: _Place, messages: Sequence[netlink.Message], refusals: Sequence[netlink.Refusal]) -> None:
    for refusal in refusals:
        raise netlink.refused(refusal, f"{place.wiring.netns}: {messages[refusal.place].what}")


def _rest(wiring: Wiring) -> list[netlink.Message]:
    return [*(netlink.up(name, index) for name, index in wiring.up),
            *(netlink.address(address, wiring.index(address.link)) for address in wiring.addresses),
            *(netlink.route(route, wiring.index(route.link)) for route in wiring.routes),
            *(netlink.neighbour(neighbour, wiring.index(neighbour.link)) for neighbour in wiring.neighbours)]


def _veth(wiring: Wiring, veth: Veth, descriptors: Mapping[str, int]) -> netlink.Message:
    return netlink.veth(veth, descriptors[veth.peer_netns], _master(wiring, veth))


def _master(wiring: Wiring, veth: Veth) -> int:
    return wiring.index(veth.master) if veth.master else 0


def _leads_there(channel: netlink.Channel, veth: Veth, descriptor: int) -> bool:
    """Whether the veth that is there has its peer in the netns of that descriptor."""
    link = channel.link(veth.index)
    return (link is not None and link.get_attr("IFLA_IFNAME") == veth.name
            and link.get_attr("IFLA_LINK") == veth.peer_index
            and link.get_attr("IFLA_LINK_NETNSID") is not None
            and link.get_attr("IFLA_LINK_NETNSID") == channel.netns_id(descriptor))
