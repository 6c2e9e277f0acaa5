"""What the bench of kube-proxy needs of each mode, and the Services that it loads."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from typing import Any, NamedTuple

from netlab.kernel import iptables as kernel_iptables
from netlab.kernel import netns, nftables_batch
from netlab.kernel.nftables import NftTables
from netlab.kernel.shared_tables import SharedTables
from netlab.netfilter import render
from netlab.netfilter.nft_changes import changes
from netlab.netfilter.nft_render import render_nft
from netlab.proxy import iptables, iptables_shape, nftables
from netlab.proxy.backends import Backend
from netlab.proxy.frontends import CLUSTER_IP, Frontend, Portal
from netlab.proxy.snapshot import NodeView, Proxied


class Mode(NamedTuple):
    """A proxy mode and its peer: the program that takes all rules as text, or the text of a change."""

    name: str
    compile: Callable[..., Any]
    cache: Callable[[], Any]
    tables: Callable[[str], Any]
    text: Callable[[Any], str]
    change: Callable[[Any, Any], str]
    peer: tuple[str, ...]
    peer_change: tuple[str, ...]
    forget: Callable[[], None]  # what the process learnt from earlier runs
    budget: float  # ms from the API to the first packet
    rules: Callable[[str], int]  # how many the text has


def rows(services: int, endpoints: int) -> tuple[Proxied, ...]:
    """That many Services with that many endpoints each."""
    found = []
    for i in range(services):
        name = f"default/service-{i:05}"
        frontend = Frontend(CLUSTER_IP, f"10.{96 + (i >> 16)}.{i >> 8 & 255}.{i & 255}", 80, "TCP", "Cluster")
        backends = [Backend(f"10.244.{n >> 8 & 255}.{n & 255}", 8080, node="n1")
                    for n in range(i * endpoints, (i + 1) * endpoints)]
        portal = Portal(name, "TCP", "default", name[8:], "", (frontend,))
        found.append(Proxied(portal, tuple(sorted(backends, key=lambda backend: backend.text))))
    return tuple(found)


def changed(row: Proxied) -> Proxied:
    """The Service with another last endpoint."""
    return Proxied(row.portal, (*row.backends[:-1], Backend("10.245.0.1", 8080, node="n1")))


def node(name: str) -> NodeView:
    """A node as the rules see it."""
    return NodeView(name, ("172.18.0.2",), "", "10.244.0.0/16")


def run_peer(place: str, argv: tuple[str, ...], text: str) -> None:
    """The whole program, inside of the netns."""
    netns.visit(place, lambda: subprocess.run(argv, input=text, text=True, check=True))


def _restore_change(before: Any, after: Any) -> str:
    """What kube-proxy hands to `iptables-restore --noflush`: the chains that differ, each anew."""
    old, new = render(before).splitlines(), render(after).splitlines()
    chains = {line.split()[1] for line in set(old) ^ set(new) if line.startswith("-A")}
    gone = chains - {line.split()[1] for line in new if line.startswith("-A")}
    return "".join(["*nat\n", *(f":{name} - [0:0]\n" for name in sorted(chains)),
                    *(line + "\n" for line in new if line.startswith("-A") and line.split()[1] in chains),
                    *(f"-X {name}\n" for name in sorted(gone)), "COMMIT\n"])


def _nft_change(before: Any, after: Any) -> str:
    return "".join(changes(old, new) for old, new in zip(before.tables, after.tables, strict=True))


def _forget_iptables() -> None:
    iptables_shape._samples.clear()
    kernel_iptables._taken.clear()


def _forget_nftables() -> None:
    nftables_batch._known.clear()


RESTORE = "iptables-legacy-restore"
NFT = ("nft", "-f", "-")
MODES = {"iptables": Mode("iptables", iptables.compile, iptables.Cache, SharedTables, render, _restore_change,
                          (RESTORE,), (RESTORE, "--noflush"), _forget_iptables, 100.0,
                          lambda text: sum(line.startswith("-A") for line in text.splitlines())),
         "nftables": Mode("nftables", nftables.compile, nftables.Cache, NftTables, render_nft, _nft_change, NFT, NFT,
                          _forget_nftables, 20.0,
                          lambda text: sum(line.startswith("\t\t") and line.strip()[:4] not in ("type", "comm", "elem")
                                           for line in text.splitlines()))}
