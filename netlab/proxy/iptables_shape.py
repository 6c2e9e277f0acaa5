"""The shapes that Services have in common: the same rules, but for names, addresses and ports.

A lab with a thousand Services has a handful of shapes. A shape's rules are made once, with words of our own, as
samples; what the other Services put in their places is all that is computed for them.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache, partial
from itertools import islice
from typing import NamedTuple

from netlab.model.family import IPV6
from netlab.model.fields import contains
from netlab.netfilter.part import Chain, Part, Shape, Words, part
from netlab.proxy.backends import Backend, Choice
from netlab.proxy.frontends import Portal
from netlab.proxy.iptables_port import port_rules
from netlab.proxy.names import chain_hashes
from netlab.proxy.snapshot import NodeView

MAX_SHAPES = 500
MAX_WORDS = 100  # frontends, or different ports of backends
FRONTEND, BACKEND, HEALTH = 0xee01, 0xfa01, 0xe511  # ports in samples, and those after them: no byte in them is zero


class Parts(NamedTuple):
    """What a port of a Service adds to nat and filter."""

    nat: Part | None
    filter: Part | None


class Port(NamedTuple):
    """A port of a Service with the backends that were chosen, all of both choices, and these ones' different ports."""

    portal: Portal
    choice: Choice
    ends: tuple[Backend, ...]
    numbers: tuple[int, ...]


_samples: dict[tuple[object, ...], Parts | None] = {}  # None: seen once, and not worth samples yet


def parts_of(chosen: Sequence[tuple[Portal, Choice]], node: NodeView, *, large: bool) -> list[Parts]:
    """What each port of a Service adds on the node; `large` leaves out the comments on rules for endpoints."""
    ports = [_port(portal, choice) for portal, choice in chosen]
    samples = [_samples_of(port, node, large) for port in ports]
    words = iter(_words([port for port, sample in zip(ports, samples, strict=True) if sample]))
    return [_cast(sample, next(words), port, node, large) if sample else _plain(port, node, large)
            for port, sample in zip(ports, samples, strict=True)]


def _port(portal: Portal, choice: Choice) -> Port:
    ends = choice.reachable if choice.local else choice.cluster
    return Port(portal, choice, ends, tuple(dict.fromkeys([end.port for end in ends])))


def _plain(port: Port, node: NodeView, large: bool, words: Words | None = None) -> Parts:
    nat, refusals = [part(chains, words=words, family=node.family) if chains else None
                     for chains in port_rules(port.portal, port.choice, node, large=large)]
    return Parts(nat, refusals)


def _cast(samples: Parts, words: Words, port: Port, node: NodeView, large: bool) -> Parts:
    nat, refusals = [sample and Part(partial(_chains, port, node, large, number), shape=Shape(sample, words),
                                     family=node.family) for number, sample in enumerate(samples)]
    return Parts(nat, refusals)


def _chains(port: Port, node: NodeView, large: bool, number: int) -> tuple[Chain, ...]:
    return port_rules(port.portal, port.choice, node, large=large)[number]


def _samples_of(port: Port, node: NodeView, large: bool) -> Parts | None:
    """The samples of the port's shape; None if it is the first one that has it."""
    key = _key(port, node, large)
    samples = _samples.get(key)
    if samples is None and len(port.portal.frontends) < MAX_WORDS and len(port.numbers) < MAX_WORDS:
        if key in _samples:
            samples = _samples[key] = _sample(port, node, large)
        else:
            if len(_samples) >= MAX_SHAPES:
                _samples.clear()
            _samples[key] = None
    return samples


def _key(port: Port, node: NodeView, large: bool) -> tuple[object, ...]:
    """All that rules depend on, but for words."""
    portal, choice, ends, numbers = port
    local: object = None
    if choice.local:
        places = {id(end): number for number, end in enumerate(ends)}
        local = tuple([tuple([places[id(end)] for end in some]) for some in (choice.cluster, choice.local)])
    frontends = [(row.kind, row.policy, row.source_ranges and (row.source_ranges, _holds(row.source_ranges, node)))
                 for row in portal.frontends]
    return (portal.protocol, portal.affinity_seconds, portal.health_check_node_port > 0, choice.any, len(ends), local,
            len(numbers) > 1 and tuple([numbers.index(end.port) for end in ends]), large, node.family,
            node.cluster_cidr, node.pod_interface, node.masquerade_all, *frontends)


@lru_cache(maxsize=1024)
def _holds(ranges: tuple[str, ...], node: NodeView) -> bool:
    return any(contains(cidr, address) for cidr in ranges for address in node.addresses)


def _words(ports: Sequence[Port]) -> list[Words]:
    texts: list[str] = []
    for portal, _, ends, _ in ports:
        key = portal.name + portal.protocol.lower()
        texts.append(key)
        texts += [f"{key}[{end.address}]:{end.port}" if ":" in end.address else f"{key}{end.address}:{end.port}"
                  for end in ends]
    labels = iter(chain_hashes(texts))
    return [Words((portal.name,), tuple(islice(labels, 1 + len(ends))),
                  (*[row.address for row in portal.frontends if row.address], *[end.address for end in ends]),
                  (*[row.port for row in portal.frontends], *numbers, *_health(portal)))
            for portal, _, ends, numbers in ports]


def _health(portal: Portal) -> tuple[int, ...]:
    return (portal.health_check_node_port,) if portal.health_check_node_port else ()


def _sample(port: Port, node: NodeView, large: bool) -> Parts:
    """The shape's rules with words that are found nowhere else in them: all of one length, and all different."""
    portal, choice, ends, numbers = port
    frontends = tuple(row._replace(address=row.address and _address(500 + n, node.family), port=FRONTEND + n)
                      for n, row in enumerate(portal.frontends))
    same = Portal("<namespace>/<service>:<port>", portal.protocol, "", "", "", frontends, portal.affinity_seconds,
                  portal.health_check_node_port and HEALTH)
    others = {id(end): Backend(_address(1000 + n, node.family), BACKEND + numbers.index(end.port))
              for n, end in enumerate(ends)}
    cluster, local = [tuple([others[id(end)] for end in some]) for some in choice[:2]]
    sample = _port(same, Choice(cluster, local, choice.any))
    return _plain(sample, node, large, _words([sample])[0])


def _address(number: int, family: str) -> str:
    """An address with three digits in each place, four in IPv6."""
    if family == IPV6:
        return f"fd5a:9b7e:c1d3:{0xa000 + number % 0x5000:x}:e8f6:b4a2:d0c9:{0xa000 + number // 0x5000:x}"
    return f"203.{100 + number // 22500 % 150}.{100 + number // 150 % 150}.{100 + number % 150}"
