"""The servers of a node's kube-proxy, played by a machine that remembers what listens."""

from datetime import UTC, datetime

import pytest

from netlab.controllers.proxy_status import ProxyStatus
from netlab.proxy.health import HealthCheck
from netlab.proxy.state import FamilyState, ProxyState

CHECK = HealthCheck(32000, "default", "web", 1)
OWN = {("0.0.0.0", 10256), ("127.0.0.1", 10249)}


class Machine:
    def __init__(self, *taken):
        self.listening, self.taken = {}, set(taken)

    def serve(self, address, port, answer):
        if port in self.taken:
            raise OSError(98, "Address already in use")
        self.listening[address, port] = answer
        return Server(lambda: self.listening.pop((address, port)))


class Server:
    def __init__(self, close):
        self.close = close


def status(machine, **more):
    now = datetime(2025, 3, 1, tzinfo=UTC)
    return ProxyStatus(machine.serve, node="n1", state=lambda: ProxyState(now, (FamilyState("IPv4", now),)), **more)


@pytest.mark.parametrize(("families", "places"), [
    (("IPv4",), OWN),
    (("IPv4", "IPv6"), {("::", 10256), ("127.0.0.1", 10249)}),
    (("IPv6",), {("::", 10256), ("::1", 10249)}),
])
def test_a_proxy_tells_its_health_to_all_and_its_metrics_to_its_node(families, places):
    machine = Machine()
    status(machine, families=families).follow(())
    assert set(machine.listening) == places


def test_checks_come_and_go_with_their_services_and_all_go_with_the_proxy():
    machine = Machine()
    kept = status(machine)
    assert kept.follow((CHECK,)) == ()
    assert set(machine.listening) == OWN | {("0.0.0.0", 32000)}
    kept.follow((CHECK._replace(endpoints=0),))
    assert machine.listening["0.0.0.0", 32000]("/").code == 503
    kept.follow(())
    assert set(machine.listening) == OWN
    kept.close()
    assert machine.listening == {}


@pytest.mark.parametrize(("addresses", "places"), [
    (("172.18.0.2", "127.0.0.1"), {("172.18.0.2", 32000), ("127.0.0.1", 32000)}),
    ((), set()),
    (None, {("0.0.0.0", 32000)}),
])
def test_checks_answer_at_the_addresses_that_have_node_ports(addresses, places):
    machine, said = Machine(), [None]
    kept = status(machine, addresses=lambda: said[0])
    kept.follow((CHECK,))
    said[0] = addresses
    kept.follow((CHECK,))
    assert set(machine.listening) == OWN | places


def test_what_is_said_about_health_is_counted():
    machine = Machine()
    status(machine).follow(())
    for path in ("/healthz", "/healthz", "/livez"):
        machine.listening["0.0.0.0", 10256](path)
    text = machine.listening["127.0.0.1", 10249]("/metrics").body
    assert 'kubeproxy_proxy_healthz_total{code="200"} 2\n' in text
    assert 'kubeproxy_proxy_livez_total{code="200"} 1\n' in text


def test_a_taken_port_is_told_once_and_tried_again():
    machine = Machine(32000)
    kept = status(machine)
    assert kept.follow((CHECK,)) == ((CHECK, "listen tcp 0.0.0.0:32000: Address already in use"),)
    assert kept.follow((CHECK,)) == ()
    machine.taken.clear()
    assert kept.follow((CHECK,)) == ()
    assert ("0.0.0.0", 32000) in machine.listening
