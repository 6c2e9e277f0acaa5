"""The packet-flow table and the worked examples for IPv6: the same cases with each address in its IPv6 form.

    10.244.1.5 is fd00:10:244:1::5, 10.244.0.0/16 is fd00:10:244::/48; slices say addressType IPv6.
"""

import re
from ipaddress import ip_address, ip_network
from types import SimpleNamespace

import pytest

from netlab.model.family import IPV4, IPV6
from netlab.proxy import MODES
from netlab.proxy.snapshot import NodeView
from tests.proxy import flows

ADDRESS = re.compile(r"(\d+)\.(\d+)\.(\d+)\.(\d+)(/\d+)?")
PREFIXES = {"/8": "/32", "/12": "/48", "/16": "/48", "/24": "/64", "/32": "/128"}
ON_LOOPBACK = {30082: flows.ITSELF, 30083: flows.DROP}
CASES = [(mode, family) for mode in sorted(MODES) for family in (IPV4, IPV6)]


def six(value):
    """The value with all its addresses in their IPv6 form."""
    if isinstance(value, str):
        return ADDRESS.sub(_six, "IPv6" if value == "IPv4" else value)
    if isinstance(value, dict):
        return {six(key): six(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set):
        return type(value)(six(item) for item in value)
    return value


def _six(match):
    a, b, c, d, length = match.groups()
    if a == "127":
        return "::1"
    if not length:
        return str(ip_address(f"fd00:{a}:{b}:{c}::{d}"))
    return str(ip_network(f"fd00:{a}:{b}:{c}::{'' if d == '0' else d}{PREFIXES[length]}"))


def table(family):
    """The flow table's names for a family.

    `expected` is (what comes of the row in a mode, whether it is masqueraded). In the iptables mode node ports are not
    on ::1: no kernel takes them elsewhere from there. What the filter drops, it drops there too.
    """
    names = ("NODES", "CLIENT", "PODS", "BACKENDS", "CLUSTER_CIDR", "SERVICE_CIDR", "SERVICES", "SLICES", "FLOWS")
    values = {name: getattr(flows, name) for name in names}
    if family == IPV6:
        values = six(values)

    def source(who, address):
        if address == "::1":
            return address
        named = who.split()[1]
        return named if named in values["CLIENT"] else flows.source(who, address) if family == IPV4 \
            else six(flows.source(who, address))

    def first_node(who, address):
        return values["PODS"][who.split()[1]] if who.startswith("pod") else flows.first_node(who, address)

    def expected(mode, number):
        _, address, port, *_ = values["FLOWS"][number]
        if mode == "iptables" and address == "::1":
            return ON_LOOPBACK[port], False
        found, masqueraded = flows.expected_in(mode, flows.FLOWS[number])
        return six(found) if family == IPV6 else found, masqueraded

    def view(node):
        return NodeView(node, (values["NODES"][node],), "", values["CLUSTER_CIDR"], family=family,
                        service_cidrs=(values["SERVICE_CIDR"],))

    return SimpleNamespace(family=family, source=source, first_node=first_node, expected=expected, view=view, **values)


TABLES = {family: table(family) for family in (IPV4, IPV6)}
ROWS = pytest.mark.parametrize("number", range(len(flows.FLOWS)), ids=map(flows.name, flows.FLOWS))


def gateway(address):
    """The address that a node has on the veth of the pod with that address."""
    return address.rpartition("::")[0] + "::1" if ":" in address else address.rpartition(".")[0] + ".1"
