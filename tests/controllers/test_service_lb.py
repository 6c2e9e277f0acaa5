"""LoadBalancer Services with the lab's load balancer, played by a host that remembers what it was told."""

import asyncio
from ipaddress import ip_address

import pytest

from netlab.controllers.lb_health import HealthChecks
from netlab.controllers.lb_targets import EXCLUDE
from netlab.controllers.service_lb import CLASS, FINALIZER, ServiceLoadBalancers
from netlab.model import meta
from netlab.model.family import family_of
from netlab.model.lab_spec import Balancing
from netlab.netfilter import render

FIRST, SECOND = "172.18.255.200", "172.18.255.201"
POOL = ((ip_address(FIRST), ip_address(SECOND)),)
SIX = "fd00:18::ffc8"
BOTH = (*POOL, (ip_address(SIX), ip_address(SIX)))
ENSURED = [("EnsuringLoadBalancer", "Ensuring load balancer"), ("EnsuredLoadBalancer", "Ensured load balancer")]
DELETED = [("DeletingLoadBalancer", "Deleting load balancer"), ("DeletedLoadBalancer", "Deleted load balancer")]
FULL = ("SyncLoadBalancerFailed", "Error syncing load balancer: failed to ensure load balancer: no address left in the "
        "pool 172.18.255.200-172.18.255.201")


class Host:
    def __init__(self):
        self.rules, self.addresses, self.calls = "", frozenset(), 0

    def keep(self, rulesets, addresses):
        self.rules, self.addresses, self.calls = "".join(map(render, rulesets)), addresses, self.calls + 1

    def targets(self):
        return sorted(line.rpartition(" ")[2] for line in self.rules.splitlines() if "-j DNAT" in line)


@pytest.fixture
def cluster(dual_cluster):
    return dual_cluster


@pytest.fixture
def play(cluster):
    """Runs a story with three nodes, of which the second answers no health check at port 32000."""
    host, asked = Host(), []
    for number, name in enumerate(("one", "two", "three")):
        labels = {EXCLUDE: ""} if name == "three" else {}
        node = cluster.node(name, labels=labels)
        cluster.registry.update("nodes", node | {"status": {"addresses": [
            {"type": "InternalIP", "address": f"172.18.0.{number + 2}"},
            {"type": "InternalIP", "address": f"fd00:18::{number + 2}"}]}}, subresource="status")

    async def probe(address, port):
        asked.append((address, port))
        return not (address in ("172.18.0.3", "fd00:18::3") and port == 32000)

    def run(story, mode="VIP", pool=POOL):
        return cluster.run(lambda manager: story(manager, host), lambda registry: ServiceLoadBalancers(
            registry, balancing=Balancing(pool, mode), host=host, probe=probe))

    cluster.asked = asked
    return run


def balancer(cluster, name="web", **spec):
    port = {"port": 80, "protocol": "TCP", "targetPort": 80, "nodePort": 30080}
    return cluster.service(name, type="LoadBalancer", **({"ports": [port]} | spec))


def of(*families):
    """The fields of a Service with those families."""
    return {"ipFamilies": list(families), "ipFamilyPolicy": "RequireDualStack" if families[1:] else "SingleStack",
            "clusterIP": None, "clusterIPs": None}


def ingress(cluster, name="web"):
    return meta.status(cluster.registry.get("services", name, "default"))["loadBalancer"].get("ingress")


def finalizers(cluster, name="web"):
    return meta.metadata(cluster.registry.get("services", name, "default")).get("finalizers") or []


def test_a_service_gets_an_address_a_finalizer_and_events(cluster, play):
    async def story(manager, host):
        balancer(cluster)
        await manager.settled()
        assert ingress(cluster) == [{"ip": FIRST, "ipMode": "VIP"}]
        assert finalizers(cluster) == [FINALIZER]
        assert cluster.events() == ENSURED
        assert host.addresses == {FIRST}
        assert host.targets() == ["172.18.0.2:30080", "172.18.0.3:30080"]
        assert set(cluster.asked) == {("172.18.0.2", 10256), ("172.18.0.3", 10256)}

    play(story)


@pytest.mark.parametrize(("families", "given"), [
    (["IPv4", "IPv6"], [FIRST, SIX]), (["IPv6", "IPv4"], [SIX, FIRST]), (["IPv6"], [SIX])])
def test_a_service_gets_an_address_of_each_family_in_their_order(cluster, play, families, given):
    async def story(manager, host):
        balancer(cluster, **of(*families))
        await manager.settled()
        assert ingress(cluster) == [{"ip": ip, "ipMode": "VIP"} for ip in given]
        assert cluster.events() == ENSURED
        assert host.addresses == set(given)
        ends = {"IPv4": ["172.18.0.2:30080", "172.18.0.3:30080"], "IPv6": ["[fd00:18::2]:30080", "[fd00:18::3]:30080"]}
        assert host.targets() == [end for family in sorted(families) for end in ends[family]]
        assert {family_of(address) for address, _ in cluster.asked} == set(families)

    play(story, pool=BOTH)


def test_a_family_more_and_a_family_less_change_only_its_address(cluster, play):
    async def story(manager, host):
        balancer(cluster)
        await manager.settled()
        cluster.change("services", "web", ipFamilyPolicy="RequireDualStack")
        await manager.settled()
        assert host.addresses == {FIRST, SIX}
        assert [entry["ip"] for entry in ingress(cluster)] == [FIRST, SIX]
        service = cluster.registry.get("services", "web", "default")
        spec = service["spec"] | {"ipFamilyPolicy": "SingleStack", "ipFamilies": ["IPv4"],
                                  "clusterIPs": service["spec"]["clusterIPs"][:1]}
        cluster.registry.update("services", service | {"spec": spec})
        await manager.settled()
        assert host.addresses == {FIRST}
        assert [entry["ip"] for entry in ingress(cluster)] == [FIRST]
        assert cluster.events() == ENSURED

    play(story, pool=BOTH)


@pytest.mark.parametrize(("policy", "given", "event"), [
    ("PreferDualStack", [FIRST], ENSURED[1]),
    ("RequireDualStack", [], ("SyncLoadBalancerFailed", "Error syncing load balancer: failed to ensure load balancer: "
                              "the pool 172.18.255.200-172.18.255.201 has no IPv6 addresses"))])
def test_a_pool_of_one_family_serves_those_who_only_prefer_both(cluster, play, policy, given, event):
    async def story(manager, host):
        balancer(cluster, **of("IPv4", "IPv6") | {"ipFamilyPolicy": policy})
        await manager.settled()
        assert [entry["ip"] for entry in ingress(cluster) or ()] == given
        assert cluster.events()[-1] == event

    play(story)


@pytest.mark.parametrize(("families", "wanted", "given", "event"), [
    (["IPv6", "IPv4"], SECOND, [SIX, SECOND], ENSURED[1]),
    (["IPv6"], SECOND, [], ("SyncLoadBalancerFailed", "Error syncing load balancer: failed to ensure load balancer: "
                            f"requested address {SECOND} is IPv4, and the service has IPv6 only")),
])
def test_an_address_asked_for_is_of_its_own_family(cluster, play, families, wanted, given, event):
    async def story(manager, host):
        balancer(cluster, loadBalancerIP=wanted, **of(*families))
        await manager.settled()
        assert [entry["ip"] for entry in ingress(cluster) or ()] == given
        assert cluster.events()[-1] == event

    play(story, pool=BOTH)


def test_source_ranges_count_for_their_family(cluster, play):
    async def story(manager, host):
        balancer(cluster, loadBalancerSourceRanges=["10.9.0.0/16", "fd00:9::/32"], **of("IPv4", "IPv6"))
        await manager.settled()
        into = [line.split() for line in host.rules.splitlines() if line.startswith("-A LB-SERVICES")]
        assert [(words[3], words[5]) for words in into] == [
            ("10.9.0.0/16", f"{FIRST}/32"), ("fd00:9::/32", f"{SIX}/128")]

    play(story, pool=BOTH)


def test_with_a_local_policy_only_nodes_with_endpoints_are_used(cluster, play):
    async def story(manager, host):
        balancer(cluster, externalTrafficPolicy="Local", healthCheckNodePort=32000, **of("IPv4", "IPv6"))
        await manager.settled()
        assert host.targets() == ["172.18.0.2:30080", "[fd00:18::2]:30080"]

    play(story, pool=BOTH)


def test_a_full_pool_is_an_event_and_the_next_free_address_ends_the_waiting(cluster, play):
    async def story(manager, host):
        for number, name in enumerate(("a", "b", "c")):
            port = {"port": 80, "protocol": "TCP", "targetPort": 80, "nodePort": 30080 + number}
            balancer(cluster, name, ports=[port])
            await manager.settled()
        assert (ingress(cluster, "a"), ingress(cluster, "c")) == ([{"ip": FIRST, "ipMode": "VIP"}], None)
        assert cluster.events()[-1] == FULL
        assert finalizers(cluster, "c") == []
        cluster.registry.delete("services", "a", namespace="default")
        await manager.settled()
        assert cluster.gone("services", "a")
        assert ingress(cluster, "c") == [{"ip": FIRST, "ipMode": "VIP"}]
        assert set(DELETED) <= set(cluster.events())

    play(story)


@pytest.mark.parametrize(("wanted", "given", "event"), [
    (SECOND, SECOND, ENSURED[1]),
    ("172.18.9.9", None, ("SyncLoadBalancerFailed", "Error syncing load balancer: failed to ensure load balancer: "
                          "requested address 172.18.9.9 is not in the pool 172.18.255.200-172.18.255.201")),
])
def test_an_address_can_be_asked_for(cluster, play, wanted, given, event):
    async def story(manager, host):
        balancer(cluster, loadBalancerIP=wanted)
        await manager.settled()
        assert (ingress(cluster) or [{"ip": None}])[0]["ip"] == given
        assert cluster.events()[-1] == event

    play(story)


def test_changing_the_address_asked_for_is_told(cluster, play):
    async def story(manager, host):
        balancer(cluster)
        await manager.settled()
        cluster.change("services", "web", loadBalancerIP=SECOND)
        await manager.settled()
        assert ingress(cluster) == [{"ip": SECOND, "ipMode": "VIP"}]
        assert host.addresses == {SECOND}
        assert ("LoadbalancerIP", f" -> {SECOND}") in cluster.events()

    play(story)


def counted(cluster):
    """How often each reason was told."""
    return {event["reason"]: event.get("count", 1) for event in cluster.list("events")}


@pytest.mark.parametrize(("fields", "told"), [
    ({"loadBalancerSourceRanges": ["10.0.0.0/8"], "externalIPs": ["192.0.2.1"]}, {"LoadBalancerSourceRanges": 1}),
    ({"externalIPs": ["192.0.2.1"]}, {"ExternalIP": 1}), ({"sessionAffinity": "ClientIP"}, {}),
    ({"ports": [{"port": 81, "protocol": "TCP", "targetPort": 80, "nodePort": 30080}]}, {}),
])
def test_a_change_has_one_event_and_the_load_balancer_is_ensured_anew(cluster, play, fields, told):
    async def story(manager, host):
        balancer(cluster)
        await manager.settled()
        cluster.change("services", "web", **fields)
        await manager.settled()
        assert counted(cluster) == {"EnsuringLoadBalancer": 2, "EnsuredLoadBalancer": 2} | told

    play(story)


def test_what_does_not_concern_it_does_not_ensure_it_anew(cluster, play):
    async def story(manager, host):
        balancer(cluster)
        await manager.settled()
        cluster.change("services", "web", selector={"app": "other"})
        await manager.settled()
        assert counted(cluster) == {"EnsuringLoadBalancer": 1, "EnsuredLoadBalancer": 1}

    play(story)


def test_a_service_that_becomes_a_load_balancer_says_what_it_was(cluster, play):
    async def story(manager, host):
        cluster.service("web", type="NodePort")
        await manager.settled()
        cluster.change("services", "web", type="LoadBalancer")
        await manager.settled()
        assert cluster.events() == [("Type", "NodePort -> LoadBalancer"), *ENSURED]

    play(story)


def test_another_set_of_nodes_is_told(cluster, play):
    async def story(manager, host):
        balancer(cluster)
        await manager.settled()
        cluster.relabel("nodes", "two", {EXCLUDE: ""}, "")
        await manager.settled()
        assert cluster.events()[2:] == [("UpdatedLoadBalancer", "Updated load balancer with new hosts")]
        assert host.targets() == ["172.18.0.2:30080"]

    play(story)


@pytest.mark.parametrize(("chosen", "given"), [(CLASS, True), ("example.com/other", False)])
def test_only_services_without_a_class_or_of_ours_are_looked_after(cluster, play, chosen, given):
    async def story(manager, host):
        balancer(cluster, loadBalancerClass=chosen)
        await manager.settled()
        assert bool(ingress(cluster)) == given
        assert bool(finalizers(cluster)) == given

    play(story)


def test_another_type_gives_the_address_back(cluster, play):
    async def story(manager, host):
        balancer(cluster)
        await manager.settled()
        service = cluster.registry.get("services", "web", "default")
        cluster.registry.update("services", service | {"spec": service["spec"] | {"type": "NodePort"}})
        await manager.settled()
        assert not ingress(cluster)
        assert finalizers(cluster) == []
        assert host.addresses == frozenset()
        assert host.targets() == []
        assert cluster.events()[2:] == [("Type", "LoadBalancer -> NodePort"), *DELETED]

    play(story)


def test_ports_without_node_ports_lead_to_pods(cluster, play):
    async def story(manager, host):
        balancer(cluster, ports=[{"port": 80, "protocol": "TCP", "targetPort": 80}],
                 allocateLoadBalancerNodePorts=False)
        cluster.create("endpointslices", {
            "metadata": {"name": "web-1", "labels": {"kubernetes.io/service-name": "web"}}, "addressType": "IPv4",
            "ports": [{"name": "", "port": 8080, "protocol": "TCP"}],
            "endpoints": [{"addresses": ["10.244.1.2"]},
                          {"addresses": ["10.244.1.3"], "conditions": {"ready": False}}]})
        await manager.settled()
        assert host.targets() == ["10.244.1.2:8080"]

    play(story)


def test_a_settled_load_balancer_is_not_written_again(cluster, play):
    async def story(manager, host):
        balancer(cluster)
        await manager.settled()
        calls, revision = host.calls, cluster.store.revision
        manager.controllers["service-lb"].wake()
        await manager.settled()
        assert (host.calls, cluster.store.revision) == (calls, revision)

    play(story)


def test_a_proxy_says_so_and_masquerades(cluster, play):
    async def story(manager, host):
        balancer(cluster)
        await manager.settled()
        assert ingress(cluster) == [{"ip": FIRST, "ipMode": "Proxy"}]
        assert "-j MASQUERADE" in host.rules

    play(story, mode="Proxy")


def test_a_node_is_unhealthy_after_two_failures_and_healthy_after_one_success():
    answers = iter([True, False, True, False, False, True])
    changes = []

    async def probe(address, port):
        return next(answers)

    async def story():
        checks = HealthChecks(probe, lambda: changes.append(checks.healthy("10.0.0.1", 80)))
        await checks.want({("10.0.0.1", 80)})
        for _ in range(5):
            await checks.look()
        await checks.close()

    asyncio.run(story())
    assert changes == [False, True]


def test_at_the_start_nodes_that_are_silent_get_some_time_to_answer():
    answers = iter([None, None, True])

    async def probe(address, port):
        return next(answers)

    async def story():
        checks = HealthChecks(probe, lambda: None)
        await checks.want({("10.0.0.1", 80)})
        assert not checks.healthy("10.0.0.1", 80)
        await checks.heard(5)
        assert checks.healthy("10.0.0.1", 80)
        await checks.close()

    asyncio.run(story())
