import pytest

from netlab.controllers.endpointslice_mirroring import EndpointSliceMirroring
from netlab.controllers.mirror_content import mirror
from netlab.model import meta

PORTS = [{"name": "http", "port": 80, "protocol": "TCP"}]


def manual(cluster, *, labels=None, annotations=None, selector=None):
    cluster.service("db", selector=selector)
    return cluster.create("endpoints", {
        "metadata": {"name": "db", "labels": labels or {"team": "blue"}, "annotations": annotations or {}},
        "subsets": [{"addresses": [{"ip": "192.0.2.1"}], "notReadyAddresses": [{"ip": "192.0.2.2"}],
                     "ports": PORTS}]})


def test_endpoints_of_a_service_without_selector_are_copied_and_followed(cluster):
    endpoints = manual(cluster, annotations={"note": "kept",
                                             "kubectl.kubernetes.io/last-applied-configuration": "dropped"})

    async def story(manager):
        (found,) = cluster.list("endpointslices")
        assert meta.name(found).startswith("db-")
        assert meta.labels(found) == {"team": "blue", "kubernetes.io/service-name": "db",
                                      "endpointslice.kubernetes.io/managed-by":
                                          "endpointslicemirroring-controller.k8s.io"}
        assert meta.annotations(found) == {"note": "kept"}
        assert meta.controller_of(found)["uid"] == meta.uid(endpoints)
        assert found["ports"] == PORTS
        assert found["endpoints"] == [{"addresses": ["192.0.2.1"], "conditions": {"ready": True}},
                                      {"addresses": ["192.0.2.2"], "conditions": {"ready": False}}]
        present = cluster.registry.get("endpoints", "db", "default")
        cluster.registry.update("endpoints", present | {"subsets": [{"addresses": [{"ip": "192.0.2.3"}],
                                                                     "ports": PORTS}]})
        await manager.settled()
        (after,) = cluster.list("endpointslices")
        assert meta.name(after) == meta.name(found)
        assert after["endpoints"] == [{"addresses": ["192.0.2.3"], "conditions": {"ready": True}}]
        revision = cluster.store.revision
        manager.controllers["endpointslicemirroring"].wake()
        await manager.settled()
        assert cluster.store.revision == revision
        cluster.change("services", "db", selector={"app": "db"})
        await manager.settled()
        assert cluster.list("endpointslices") == []

    cluster.run(story, EndpointSliceMirroring)


@pytest.mark.parametrize("why", [
    {"labels": {"endpointslice.kubernetes.io/skip-mirror": "true"}},
    {"annotations": {"control-plane.alpha.kubernetes.io/leader": "x"}},
    {"selector": {"app": "db"}},
])
def test_some_endpoints_are_not_mirrored(cluster, why):
    manual(cluster, **why)

    async def story(manager):
        assert cluster.list("endpointslices") == []

    cluster.run(story, EndpointSliceMirroring)


def endpoints(*subsets):
    return {"apiVersion": "v1", "kind": "Endpoints", "metadata": {"name": "db", "namespace": "default"},
            "subsets": list(subsets)}


def ready(*ips, ports=(), **other):
    return {"addresses": [{"ip": ip} for ip in ips], "ports": list(ports)} | other


def shown(made):
    return [(s["addressType"], [e["addresses"][0] for e in s["endpoints"]], [p["port"] for p in s["ports"]])
            for s in made.slices]


def test_families_are_apart_and_what_is_no_address_is_left_out():
    found = mirror(endpoints(ready("192.0.2.1", "2001:db8::1", "db.example", ports=[{"port": 80}])))
    assert shown(found) == [("IPv4", ["192.0.2.1"], [80]), ("IPv6", ["2001:db8::1"], [80])]
    assert found.slices[0]["ports"] == [{"name": "", "port": 80, "protocol": "TCP"}]
    assert found[1:] == (1, 1)


def test_subsets_with_the_same_ports_make_one_slice_in_which_an_address_comes_once():
    http, https = {"name": "http", "port": 80}, {"name": "https", "port": 443}
    found = mirror(endpoints(
        ready("192.0.2.1", ports=[http, https]), ready("192.0.2.2", "192.0.2.1", ports=[https, http]),
        ready("192.0.2.3", ports=[http], notReadyAddresses=[{"ip": "192.0.2.3"}])))
    assert shown(found) == [("IPv4", ["192.0.2.1", "192.0.2.2"], [80, 443]), ("IPv4", ["192.0.2.3"], [80])]
    assert found.slices[1]["endpoints"][0]["conditions"] == {"ready": False}


def test_addresses_that_are_oddly_written_are_written_well():
    found = mirror(endpoints(ready("010.1.2.3", "2001:DB8:0::1", "::ffff:10.1.2.4")))
    assert shown(found) == [("IPv4", ["10.1.2.3", "10.1.2.4"], []), ("IPv6", ["2001:db8::1"], [])]


def test_a_subset_has_a_thousand_addresses_at_most_and_invalid_ones_do_not_count():
    many = [f"10.{number // 250}.0.{number % 250 + 1}" for number in range(1002)]
    found = mirror(endpoints(ready("none", *many)))
    assert [len(part["endpoints"]) for part in found.slices] == [1000]
    assert found[1:] == (1, 3)


def test_what_is_left_out_is_told_once(cluster):
    cluster.service("db", selector=None)
    many = [{"ip": f"10.{number // 250}.0.{number % 250 + 1}"} for number in range(1001)]
    cluster.create("endpoints", {"metadata": {"name": "db"}, "subsets": [{"addresses": many, "ports": PORTS}]})

    async def story(manager):
        assert cluster.events() == [
            ("TooManyAddressesToMirror", "A max of 1000 addresses can be mirrored to EndpointSlices per Endpoints "
                                         "subset. 1 addresses were skipped")]
        assert cluster.list("events")[0]["count"] == 1

    cluster.run(story, EndpointSliceMirroring)


def test_a_slice_is_kept_for_its_ports_and_others_are_written_anew(cluster):
    cluster.service("db", selector=None)
    https = [{"name": "https", "port": 443, "protocol": "TCP"}]
    made = cluster.create("endpoints", {"metadata": {"name": "db"}, "subsets": [
        ready("192.0.2.1", ports=PORTS), ready("192.0.2.2", ports=https)]})

    def by_port():
        return {part["ports"][0]["port"]: (meta.name(part), part["endpoints"][0]["addresses"][0])
                for part in cluster.list("endpointslices")}

    async def story(manager):
        before = by_port()
        revision = {meta.name(part): meta.revision(part) for part in cluster.list("endpointslices")}
        cluster.registry.update("endpoints", made | {"subsets": [ready("192.0.2.2", ports=https)]})
        await manager.settled()
        assert by_port() == {443: before[443]}
        assert meta.revision(cluster.list("endpointslices")[0]) == revision[before[443][0]]
        cluster.registry.update("endpoints", cluster.list("endpoints")[0] | {"subsets": [
            ready("192.0.2.9", ports=[{"name": "x", "port": 9, "protocol": "TCP"}])]})
        await manager.settled()
        assert by_port() == {9: (before[443][0], "192.0.2.9")}

    cluster.run(story, EndpointSliceMirroring)
