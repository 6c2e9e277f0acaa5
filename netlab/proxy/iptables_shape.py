"""The shapes that most Services share: the same rules, but for names, addresses and ports.

A lab with a thousand Services has a handful of shapes. A shape's rules are made once, with words of our own, as a
sample; what the other Services put in their places is all that is computed for them.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from itertools import islice

from netlab.model.family import IPV6
from netlab.netfilter.part import Chain, Part, Shape, Words, part
from netlab.proxy.backends import Backend, Choice
from netlab.proxy.frontends import Portal
from netlab.proxy.iptables_port import port_rules
from netlab.proxy.names import chain_hashes
from netlab.proxy.snapshot import NodeView

MAX_SHAPES = 500
_samples: dict[tuple[object, ...], Part | None] = {}  # None: seen once, and not worth a sample yet


def shaped(rows: Sequence[tuple[Portal, Choice]], node: NodeView, *, large: bool) -> list[Part | None]:
    """What each port adds to nat, as a sample and words; None if it is not of a common shape."""
    samples = [_sample_of(portal, choice, node, large) for portal, choice in rows]
    words = iter(_words([row for row, sample in zip(rows, samples, strict=True) if sample]))
    return [Part(partial(_chains, *row, node, large), shape=Shape(sample, next(words)), family=node.family)
            if sample else None for row, sample in zip(rows, samples, strict=True)]


def _sample_of(portal: Portal, choice: Choice, node: NodeView, large: bool) -> Part | None:
    """The sample of the port's shape, if that is a common one."""
    if not choice.cluster or portal.uses_local or portal.health_check_node_port or node.masquerade_all:
        return None
    port = choice.cluster[0].port
    for backend in choice.cluster:
        if backend.port != port:
            return None
    kinds: list[str] = []
    for row in portal.frontends:
        if row.source_ranges:
            return None
        kinds.append(row.kind)
    key = (portal.protocol, portal.affinity_seconds, len(choice.cluster), large, node.family,
           node.cluster_cidr, node.pod_interface, *kinds)
    sample = _samples.get(key)
    if sample is None:
        if key in _samples:
            sample = _samples[key] = _sample(portal, len(choice.cluster), node, large)
        else:
            if len(_samples) >= MAX_SHAPES:
                _samples.clear()
            _samples[key] = None
    return sample


def _chains(portal: Portal, choice: Choice, node: NodeView, large: bool) -> tuple[Chain, ...]:
    return port_rules(portal, choice, node, large=large).nat


def _words(rows: Sequence[tuple[Portal, Choice]]) -> list[Words]:
    texts: list[str] = []
    for portal, (backends, _, _) in rows:
        key, port = portal.name + portal.protocol.lower(), backends[0].port
        start, end = (f"{key}[", f"]:{port}") if ":" in backends[0].address else (key, f":{port}")
        texts += [key, *[f"{start}{backend.address}{end}" for backend in backends]]
    labels = iter(chain_hashes(texts))
    return [Words((portal.name,), tuple(islice(labels, 1 + len(backends))),
                  (*[row.address for row in portal.frontends if row.address], *[b.address for b in backends]),
                  (*[row.port for row in portal.frontends], backends[0].port)) for portal, (backends, _, _) in rows]


def _sample(portal: Portal, count: int, node: NodeView, large: bool) -> Part:
    """The shape's rules with words that are found nowhere else in them: all of one length, and all different."""
    frontends = tuple(row._replace(address=row.address and _address(500 + n, node.family), port=61000 + 7 * n,
                                   policy="Cluster")
                      for n, row in enumerate(portal.frontends))
    name = "<namespace>/<service>:<port>"
    same = Portal(name, portal.protocol, "", "", "", frontends, portal.affinity_seconds)
    backends = tuple(Backend(_address(1000 + n, node.family), 64123) for n in range(count))
    choice = Choice(backends, (), any=True)
    (words,) = _words([(same, choice)])
    return part(_chains(same, choice, node, large), words=words, family=node.family)


def _address(number: int, family: str) -> str:
    """An address with three digits in each place, four in IPv6."""
    if family == IPV6:
        return f"fd5a:9b7e:c1d3:{0xa000 + number % 0x5000:x}:e8f6:b4a2:d0c9:{0xa000 + number // 0x5000:x}"
    return f"203.{100 + number // 22500 % 150}.{100 + number // 150 % 150}.{100 + number % 150}"
