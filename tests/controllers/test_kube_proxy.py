import asyncio

import pytest

from netlab.api import service_ranges
from netlab.api.registry import Registry
from netlab.controllers.kube_proxy import KubeProxy
from netlab.controllers.runtime import Manager
from netlab.model.lab_spec import LabSpec
from netlab.model.meta import ObjectKey
from netlab.netfilter import render
from netlab.store import Store
from tests.proxy.manifests import endpoint, endpoint_slice, service


class Tables:
    """Keeps what was written; `error` makes writes fail."""

    def __init__(self):
        self.held, self.writes, self.looks, self.error = None, 0, 0, None
        self.served = []

    def replace(self, ruleset):
        if self.error:
            raise self.error
        self.held = ruleset
        self.writes += 1

    def matches(self, ruleset):
        self.looks += 1
        return self.held == ruleset

    def close(self):
        pass

    def remove(self, ruleset):
        self.held = None

    def forget_udp(self, serving, family):
        self.served.append(serving)


def lab(*nodes, **settings):
    registry = Registry(Store(), LabSpec(nodes=nodes, **settings))
    tables = {node: Tables() for node in nodes}
    return registry, tables, [KubeProxy(registry, node=node, tables=tables[node]) for node in nodes]


def put(registry, resource, manifest):
    meta = manifest["metadata"]
    registry.store.put(ObjectKey(resource, meta.get("namespace", ""), meta["name"]), manifest)


def drop(registry, resource, name):
    registry.store.delete(ObjectKey(resource, "default", name))


def play(story, *proxies):
    async def run():
        manager = Manager(proxies)
        manager.start()
        try:
            await manager.settled(5)
            await story(manager)
        finally:
            await manager.stop()

    asyncio.run(run())


WEB = service("web", "10.96.45.10")
SLICE = endpoint_slice("web", endpoint("10.244.1.10", node="n1"))


def test_rules_follow_services_and_endpoints():
    registry, tables, proxies = lab("n1")

    async def story(manager):
        held = tables["n1"]
        assert "default/web" not in render(held.held)
        put(registry, "services", WEB)
        await manager.settled(5)
        assert "default/web has no endpoints" in render(held.held)
        put(registry, "endpointslices", SLICE)
        await manager.settled(5)
        assert "--to-destination 10.244.1.10:8080" in render(held.held)
        drop(registry, "services", "web")
        await manager.settled(5)
        assert "default/web" not in render(held.held)

    play(story, *proxies)


def test_every_node_gets_its_own_rules_and_common_ones_are_computed_once():
    registry, tables, proxies = lab("n1", "n2")
    put(registry, "services", WEB)
    put(registry, "services", service("own", "10.96.45.17", internalTrafficPolicy="Local"))
    put(registry, "endpointslices", SLICE)
    put(registry, "endpointslices", endpoint_slice("own", endpoint("10.244.1.10", node="n1")))

    async def story(manager):
        first, second = (tables[node].held.table("nat").by_name for node in ("n1", "n2"))
        common = next(name for name in first if name.startswith("KUBE-SVC-"))
        assert first[common] is second[common]
        assert any(name.startswith("KUBE-SVL-") for name in first)
        assert not any(name.startswith("KUBE-SVL-") for name in second)
        assert "default/own has no local endpoints" in render(tables["n2"].held)

    play(story, *proxies)


def test_a_burst_is_written_once_or_twice_and_completely():
    registry, tables, proxies = lab("n1")

    async def story(manager):
        before = tables["n1"].writes
        for n in range(50):
            put(registry, "services", service(f"s{n}", f"10.96.1.{n}"))
            await asyncio.sleep(0)
        await manager.settled(5)
        assert 1 <= tables["n1"].writes - before <= 3
        assert render(tables["n1"].held).count("has no endpoints") == 50

    play(story, *proxies)


@pytest.mark.parametrize(("settings", "took", "burst", "expected"), [
    ({}, 0.001, False, 0.03),
    ({}, 0.5, False, 0.03),  # who changes one Service now and then never waits for long
    ({}, 0.001, True, 0.03),
    ({}, 0.1, True, 0.2),
    ({}, 3.0, True, 1.0),
    ({"iptables": {"minSyncPeriod": "2s"}}, 0.1, True, 2.0),
])
def test_writes_keep_a_distance_and_in_a_burst_one_that_grows_with_their_cost(settings, took, burst, expected):
    registry = Registry(Store(), LabSpec(nodes=("n1",), kube_proxy=settings))
    proxy = KubeProxy(registry, node="n1", tables=Tables())
    assert proxy.interval(took, burst=burst) == pytest.approx(expected)


def test_a_change_without_meaning_for_rules_is_not_written():
    registry, tables, proxies = lab("n1")
    put(registry, "services", WEB)

    async def story(manager):
        before = tables["n1"].writes, tables["n1"].looks
        put(registry, "services", WEB | {"metadata": WEB["metadata"] | {"annotations": {"a": "b"}}})
        await manager.settled(5)
        assert (tables["n1"].writes, tables["n1"].looks) == before

    play(story, *proxies)


def test_a_new_proxy_leaves_tables_alone_that_are_right():
    registry, tables, proxies = lab("n1")
    put(registry, "services", WEB)

    async def nothing(manager): ...

    play(nothing, *proxies)
    assert tables["n1"].writes == 1
    play(nothing, KubeProxy(registry, node="n1", tables=tables["n1"]))
    assert (tables["n1"].writes, tables["n1"].looks) == (1, 2)


def test_tables_that_somebody_flushed_are_repaired_within_the_sync_period():
    _, tables, proxies = lab("n1", kube_proxy={"iptables": {"syncPeriod": "20ms", "minSyncPeriod": "0s"}})

    async def story(manager):
        right, tables["n1"].held = tables["n1"].held, None
        async with asyncio.timeout(5):
            while tables["n1"].held != right:
                await asyncio.sleep(0.005)

    play(story, *proxies)


def test_a_failed_write_is_told_and_tried_again(capfd):
    registry, tables, proxies = lab("n1")

    async def story(manager):
        tables["n1"].error = OSError(11, "busy")
        put(registry, "services", WEB)
        async with asyncio.timeout(5):
            while not proxies[0].last_error:
                await asyncio.sleep(0.005)
        assert "busy" in proxies[0].last_error
        tables["n1"].error = None
        await manager.settled(5)
        assert "default/web" in render(tables["n1"].held)

    play(story, *proxies)


def test_a_proxy_that_is_stopped_and_cleaned_up_leaves_nothing_and_starts_anew():
    _, tables, proxies = lab("n1")

    async def story(manager):
        await manager.stop("kube-proxy/n1")
        await proxies[0].cleanup()
        assert tables["n1"].held is None
        manager.start("kube-proxy/n1")
        await manager.settled(5)
        assert "KUBE-SERVICES" in render(tables["n1"].held)

    play(story, *proxies)


@pytest.mark.parametrize(("settings", "rule"), [
    ({}, "! -s 10.244.0.0/16 -d 10.96.45.10/32 "),
    ({"clusterCIDR": "10.0.0.0/8"}, "! -s 10.0.0.0/8 -d 10.96.45.10/32 "),
    ({"clusterCIDR": ""}, ""),
    ({"detectLocalMode": "NodeCIDR"}, "! -s 10.244.0.0/24 -d 10.96.45.10/32 "),
    ({"detectLocalMode": "BridgeInterface", "detectLocal": {"bridgeInterface": "cni0"}},
     "-d 10.96.45.10/32 ! -i cni0 "),
    ({"detectLocalMode": "InterfaceNamePrefix", "detectLocal": {"interfaceNamePrefix": "veth"}},
     "-d 10.96.45.10/32 ! -i veth+ "),
    ({"iptables": {"masqueradeAll": True}}, "-d 10.96.45.10/32 -p tcp"),
])
def test_whom_the_rules_masquerade_is_a_setting(settings, rule):
    registry, tables, proxies = lab("n1", kube_proxy=settings)
    put(registry, "services", WEB)
    put(registry, "endpointslices", SLICE)

    async def story(manager):
        marks = [line for line in render(tables["n1"].held).splitlines()
                 if line.startswith("-A KUBE-SVC-") and line.endswith("KUBE-MARK-MASQ")]
        assert [line for line in marks if rule not in line] == []
        assert len(marks) == bool(rule)

    play(story, *proxies)


def test_node_ports_and_the_mark_are_settings_too():
    registry, tables, proxies = lab("n1", kube_proxy={"nodePortAddresses": ["primary"],
                                                     "iptables": {"masqueradeBit": 15}})
    put(registry, "nodes", {"metadata": {"name": "n1"},
                            "status": {"addresses": [{"type": "InternalIP", "address": "172.18.0.2"}]}})

    async def story(manager):
        text = render(tables["n1"].held)
        assert "-A KUBE-SERVICES -d 172.18.0.2/32 -m comment" in text
        assert "--dst-type LOCAL -j KUBE-NODEPORTS" not in text
        assert "0x8000/0x8000" in text
        assert "0x4000" not in text

    play(story, *proxies)


@pytest.mark.parametrize(("settings", "line", "there"), [
    ({}, "-A KUBE-FORWARD -m conntrack --ctstate INVALID -j DROP", True),
    ({"conntrack": {"tcpBeLiberal": True}}, "-A KUBE-FORWARD -m conntrack --ctstate INVALID -j DROP", False),
    ({"nodePortAddresses": ["10.244.0.0/16"]}, "-A KUBE-SERVICES -d 10.244.0.1/32 -m comment", True),
])
def test_liberal_tracking_and_the_pods_gateway_are_known_to_the_rules(settings, line, there):
    _, tables, proxies = lab("n1", kube_proxy=settings)

    async def story(manager):
        assert (line in render(tables["n1"].held)) == there

    play(story, *proxies)


def test_the_nftables_mode_follows_further_ranges_of_cluster_ips():
    registry, tables, proxies = lab("n1", proxy_mode="nftables")
    registry.create("servicecidrs", service_ranges.default_range(registry))

    async def story(manager):
        assert "10.200.0.0/24" not in render(tables["n1"].held)
        registry.create("servicecidrs", {"metadata": {"name": "more"}, "spec": {"cidrs": ["10.200.0.0/24"]}})
        await manager.settled(5)
        assert f"ip daddr {{ {registry.spec.ranges[0].service}, 10.200.0.0/24 }} drop" in render(tables["n1"].held)

    play(story, *proxies)


def test_the_mode_is_a_setting():
    registry, tables, proxies = lab("n1", proxy_mode="nftables")
    put(registry, "services", WEB)

    async def story(manager):
        assert render(tables["n1"].held).startswith("table ip kube-proxy {")
        put(registry, "endpointslices", SLICE)
        await manager.settled(5)
        assert "dnat to 10.244.1.10:8080" in render(tables["n1"].held)

    play(story, *proxies)


def test_a_proxy_that_is_stopped_leaves_its_rules_and_does_not_follow():
    registry, tables, proxies = lab("n1")

    async def story(manager):
        await manager.stop("kube-proxy/n1")
        put(registry, "services", WEB)
        assert not manager.running("kube-proxy/n1")
        assert "default/web" not in render(tables["n1"].held)
        manager.start("kube-proxy/n1")
        await manager.settled(5)
        assert "default/web" in render(tables["n1"].held)

    play(story, *proxies)


def test_the_node_object_gives_zone_and_addresses():
    registry, tables, proxies = lab("n1")
    put(registry, "services", WEB)
    ends = [endpoint("10.244.1.10", hints=["a"]), endpoint("10.244.1.11", hints=["b"])]
    put(registry, "endpointslices", endpoint_slice("web", *ends))

    async def story(manager):
        assert "10.244.1.11" in render(tables["n1"].held)
        put(registry, "nodes", {"metadata": {"name": "n1", "labels": {"topology.kubernetes.io/zone": "a"}}})
        await manager.settled(5)
        assert "10.244.1.11" not in render(tables["n1"].held)

    play(story, *proxies)


def test_a_service_that_cannot_be_read_is_left_out_and_named(capfd):
    registry, tables, proxies = lab("n1")
    put(registry, "services", service("bad", "10.96.1.1", {"port": 0}))
    put(registry, "services", WEB)

    async def story(manager):
        assert "default/web" in render(tables["n1"].held)

    play(story, *proxies)
    assert 'left out: Service "bad" is invalid: spec.ports[0].port' in capfd.readouterr().err


@pytest.mark.parametrize("label", ["service.kubernetes.io/service-proxy-name", "service.kubernetes.io/headless"])
def test_labels_hand_a_service_to_others_and_back(label):
    registry, tables, proxies = lab("n1")
    put(registry, "services", WEB)

    async def story(manager):
        put(registry, "services", service("web", "10.96.45.10", labels={label: "x"}))
        await manager.settled(5)
        assert "default/web" not in render(tables["n1"].held)
        put(registry, "services", WEB)
        await manager.settled(5)
        assert "default/web" in render(tables["n1"].held)

    play(story, *proxies)


def test_udp_flows_are_looked_at_when_their_endpoints_changed_and_only_then():
    registry, tables, proxies = lab("n1")
    dns = service("dns", "10.96.0.10", {"port": 53, "protocol": "UDP", "nodePort": 30053}, type="NodePort")
    ports = [{"name": "", "port": 53, "protocol": "UDP"}]
    put(registry, "services", dns)
    put(registry, "services", WEB)

    async def story(manager):
        served = tables["n1"].served
        served.clear()
        put(registry, "endpointslices", SLICE)
        await manager.settled(5)
        assert served == []
        put(registry, "endpointslices", endpoint_slice("dns", endpoint("10.244.1.10"), ports=ports))
        await manager.settled(5)
        assert served == [{("10.96.0.10", 53): {"10.244.1.10"}, ("", 30053): {"10.244.1.10"}}]
        put(registry, "services", service("web", "10.96.45.11"))
        await manager.settled(5)
        assert len(served) == 1

    play(story, *proxies)


def test_udp_flows_end_when_their_backend_is_gone_though_the_rules_forgot_it_before():
    registry, tables, proxies = lab("n1")
    ports = [{"name": "", "port": 53, "protocol": "UDP"}]
    ready = endpoint("10.244.1.10")
    put(registry, "services", service("dns", "10.96.0.40", {"port": 53, "protocol": "UDP"}))
    put(registry, "endpointslices", endpoint_slice("dns", ready, endpoint("10.244.1.11"), ports=ports))

    async def story(manager):
        ending = endpoint("10.244.1.11", ready=False, serving=True, terminating=True)
        put(registry, "endpointslices", endpoint_slice("dns", ready, ending, ports=ports))
        await manager.settled(5)
        assert "10.244.1.11" not in render(tables["n1"].held)
        assert tables["n1"].served[-1] == {("10.96.0.40", 53): {"10.244.1.10", "10.244.1.11"}}
        put(registry, "endpointslices", endpoint_slice("dns", ready, ports=ports))
        await manager.settled(5)
        assert tables["n1"].served[-1] == {("10.96.0.40", 53): {"10.244.1.10"}}

    play(story, *proxies)
