"""What the machine lacks for a proxy mode's rules, found by loading a sample of them into a new netns."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Mapping
from functools import partial

from netlab.kernel import netlink, netns
from netlab.kernel.bin_directory import INSTALL, legacy, which
from netlab.kernel.preflight_probe import Lack, feed, in_child, link
from netlab.model.family import IPV4, IPV6

LEGACY = "iptables (legacy)"
MATCHES = {  # what the lab's rules use: a rule for each, in the table in which it stands
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
_IPVS_RULE = {"ipvs": ("filter", "-m ipvs --vaddr 192.0.2.1 --vproto tcp --vport 80 -j DROP")}
_SET_RULES = {"set": ("nat", "-m set --match-set netlab-probe-0 dst -j RETURN"),
              "physdev": ("nat", "-m physdev ! --physdev-is-in -j RETURN")}
_NFT = """add table FAMILY netlab-probe { comment "probe" ; }
add map FAMILY netlab-probe m { type ADDRESS . inet_proto . inet_service : verdict ; }
add set FAMILY netlab-probe s { type ADDRESS ; size 65535 ; flags dynamic,timeout ; timeout 3h ; }
add chain FAMILY netlab-probe f { type filter hook input priority -110 ; }
add chain FAMILY netlab-probe n { type nat hook output priority -100 ; }
add chain FAMILY netlab-probe p { type nat hook postrouting priority 100 ; }
add chain FAMILY netlab-probe e
add rule FAMILY netlab-probe f ct state new fib daddr type local reject
add rule FAMILY netlab-probe n FAMILY daddr . meta l4proto . th dport vmap @m
add rule FAMILY netlab-probe n numgen random mod 2 vmap { 0 : goto e, 1 : goto e }
add rule FAMILY netlab-probe e update @s { FAMILY saddr }
add rule FAMILY netlab-probe e meta l4proto tcp dnat to TARGET
add rule FAMILY netlab-probe p meta mark & 0x4000 == 0 masquerade fully-random
"""
_NFT_WORDS = {IPV4: ("ip", "ipv4_addr", "192.0.2.1:80"), IPV6: ("ip6", "ipv6_addr", "[2001:db8::1]:80")}


def mode_lacks(mode: str, families: Collection[str]) -> list[Lack]:
    """What is missing for the mode in these families, each with its remedy."""
    if mode == "nftables":
        return _nftables(families)
    return (_iptables() if IPV4 in families else []) + (_ipvs() if mode == "ipvs" else [])


def probe_rules(mode: str, families: Collection[str]) -> Callable[[], int] | None:
    """What loads all that the mode's rules need into this netns at once, OSError when the kernel refuses.

    None when the program is missing, and for ipvs, which needs more than rules.
    """
    nft, restore = which("nft"), legacy("iptables-restore")
    if mode == "nftables":
        return partial(feed, [nft, "-f", "-"], "".join(map(nft_probe, families))) if nft else None
    return partial(load_rules, restore, list(MATCHES)) if restore and mode != "ipvs" else None


def _iptables() -> list[Lack]:
    restore = legacy("iptables-restore")
    if restore is None:
        return [Lack(LEGACY, "iptables-legacy-restore is not on the PATH", INSTALL)]
    return lacking_rules(restore, MATCHES, program="iptables", remedy="runs labs with proxyMode nftables")


def lacking_rules(restore: str, texts: Mapping[str, tuple[str, str]], *, program: str, remedy: str) -> list[Lack]:
    """The tables, and if there are all, the matches and targets that are missing; none costs one child.

    The remedy says what a kernel without the tables can do yet.
    """
    if not try_rules(restore, list(texts), texts=texts):
        return []
    found, short = [], program.removesuffix("ables")
    for table in ("nat", "filter"):
        if why := try_rules(restore, [], tables=(table,)):
            found.append(Lack(f"{program} (legacy) table {table}", why, "load its module on the machine: modprobe "
                              f"{program[:-1]}_{table}; a kernel without legacy {program} {remedy}"))
    for name in texts if not found else ():
        if why := try_rules(restore, [name], texts=texts):
            kind = "target" if name.isupper() else "match"
            found.append(Lack(f"{program} {kind} {name}", why,
                              f"load its module on the machine: modprobe xt_{name} (or {short}_{name})"))
    return found


def _nftables(families: Collection[str]) -> list[Lack]:
    nft = which("nft")
    if nft is None:
        return [Lack("nftables", "nft is not on the PATH", "apt-get install nftables")]
    text = "".join(nft_probe(family) for family in families)

    def inside() -> None:
        netns.unshare(netns.CLONE_NEWNET)
        feed([nft, "-f", "-"], text)

    why = in_child(inside)
    modules = " ".join(f"nft_fib_{family.lower()} nft_reject_{family.lower()}" for family in families)
    return [Lack("nftables", why, "kernel 5.13 and nft 1.0.1 or newer are needed; load the modules on the machine: "
                                  f"modprobe -a nf_tables nft_chain_nat nft_numgen nft_masq {modules}")] if why else []


def nft_probe(family: str) -> str:
    """A table for nft with one rule of each kind that the mode writes."""
    name, address, target = _NFT_WORDS[family]
    return _NFT.replace("FAMILY", name).replace("ADDRESS", address).replace("TARGET", target)


def _ipvs() -> list[Lack]:
    found = []
    for what, modules, function in (
            ("IPVS", "ip_vs ip_vs_rr xt_ipvs", _virtual_servers), ("IPVS: dummy links", "dummy", _dummy),
            ("IPVS: ipset", "ip_set ip_set_hash_ip ip_set_hash_ipport ip_set_hash_ipportip ip_set_hash_ipportnet "
             "ip_set_bitmap_port xt_set xt_physdev", _sets)):
        if why := in_child(function):
            found.append(Lack(what, why, f"load the modules on the machine: modprobe -a {modules}; or choose another "
                                         "proxyMode: iptables, nftables or userspace"))
    return found


def _virtual_servers() -> None:
    netns.unshare(netns.CLONE_NEWNET)
    if not os.path.exists("/proc/self/net/ip_vs"):
        raise OSError("the kernel has no IP virtual server (ip_vs)")
    _load(_IPVS_RULE)


def _dummy() -> None:
    netns.unshare(netns.CLONE_NEWNET)
    message = link("dummy")
    for refusal in netlink.Channel().send([message]):
        raise netlink.refused(refusal, message.what)


def _sets() -> None:
    from netlab.kernel import ip_sets
    from netlab.netfilter.ip_set import BITMAP_PORT, HASH_IP, HASH_IP_PORT, HASH_IP_PORT_IP, HASH_IP_PORT_NET, IpSet

    netns.unshare(netns.CLONE_NEWNET)
    types = (BITMAP_PORT, HASH_IP, HASH_IP_PORT, HASH_IP_PORT_IP, HASH_IP_PORT_NET)
    ip_sets.keep([IpSet(f"netlab-probe-{number}", kind) for number, kind in enumerate(types)])
    _load(_SET_RULES)


def _load(texts: Mapping[str, tuple[str, str]]) -> None:
    if restore := legacy("iptables-restore"):  # else that is told already
        load_rules(restore, list(texts), texts=texts)


def try_rules(restore: str, rules: list[str], *, tables: tuple[str, ...] = (),
              texts: Mapping[str, tuple[str, str]] = MATCHES) -> str:
    """Why the program does not load these probes into a new netns, "" when it does."""

    def inside() -> None:
        netns.unshare(netns.CLONE_NEWNET)
        load_rules(restore, rules, tables=tables, texts=texts)

    return in_child(inside)


def load_rules(restore: str, rules: list[str], *, tables: tuple[str, ...] = (),
               texts: Mapping[str, tuple[str, str]] = MATCHES) -> int:
    """Loads the probes by iptables-legacy-restore; OSError with its words when it refuses."""
    lines = []
    for table in dict.fromkeys([*tables, *(texts[rule][0] for rule in rules)]):
        lines += [f"*{table}", ":NETLAB-PROBE - [0:0]"]
        lines += [f"-A NETLAB-PROBE {text}" for place, text in map(texts.__getitem__, rules) if place == table]
        lines += ["COMMIT"]
    return feed([restore, "-w", "5"], "\n".join([*lines, ""]))
