"""Where cluster IPs come from, and who has which (KEP-1880)."""

from ipaddress import ip_address, ip_network

import pytest

from netlab.api.resources import RESOURCES
from netlab.api.service_ranges import default_range
from netlab.model.errors import ApiError
from tests.api.objects import NOW, registry, service


def cluster(**spec):
    r = registry(**spec)
    r.create("servicecidrs", default_range(r))
    return r


def cidr(*ranges, name="more"):
    return {"metadata": {"name": name}, "spec": {"cidrs": [*ranges]}}


def owners(r):
    return {item["metadata"]["name"]: item["spec"]["parentRef"]["name"] for item in r.list("ipaddresses")}


def refusal(write, *args):
    with pytest.raises(ApiError) as caught:
        write(*args)
    return [f"{cause['field']}: {cause['message']}" for cause in caught.value.details["causes"]]


def test_every_cluster_ip_has_its_object_as_long_as_a_service_has_it():
    r = cluster()
    r.create("services", service("a", clusterIP="10.96.0.7"))
    r.create("services", service("none", clusterIP="None"))
    r.create("services", service("dry", clusterIP="10.96.0.8"), dry_run=True)
    assert owners(r) == {"10.96.0.7": "a"}
    found = r.get("ipaddresses", "10.96.0.7")
    assert found["metadata"]["labels"] == {"ipaddress.kubernetes.io/ip-family": "IPv4",
                                           "ipaddress.kubernetes.io/managed-by": "ipallocator.k8s.io"}
    assert RESOURCES["ipaddresses"].row(found, NOW)[:2] == ["10.96.0.7", "services/default/a"]
    r.patch("services", "a", {"spec": {"type": "ExternalName", "externalName": "a.b"}}, namespace="default")
    assert owners(r) == {}
    r.patch("services", "a", {"spec": {"type": "ClusterIP", "clusterIP": "10.96.0.9"}}, namespace="default")
    assert owners(r) == {"10.96.0.9": "a"}
    r.delete("services", "a", namespace="default")
    assert owners(r) == {}


def test_an_address_that_somebody_else_has_is_given_to_no_service():
    r = cluster()
    mine = {"metadata": {"name": "10.96.0.7"}, "spec": {"parentRef": {"resource": "gateways", "name": "g"}}}
    r.create("ipaddresses", mine)
    assert refusal(r.create, "services", service(clusterIP="10.96.0.7")) == [
        'spec.clusterIPs: Invalid value: ["10.96.0.7"]: failed to allocate IP 10.96.0.7: provided IP is already '
        "allocated"]
    r.delete("ipaddresses", "10.96.0.7")
    assert r.create("services", service(clusterIP="10.96.0.7"))


def test_a_services_address_that_is_deleted_comes_back():
    r = cluster()
    r.create("services", service(clusterIP="10.96.0.7"))
    r.delete("ipaddresses", "10.96.0.7")
    assert owners(r) == {"10.96.0.7": "web"}


def test_another_range_gives_addresses_when_the_first_is_full():
    r = cluster(service_cidr=ip_network("10.0.0.0/29"), dns_ip=ip_address("10.0.0.2"))
    for number in range(4):
        r.create("services", service(f"s{number}"))
    with pytest.raises(ApiError, match="range is full"):
        r.create("services", service("more"))
    made = r.create("servicecidrs", cidr("10.8.0.0/24"))
    assert made["metadata"]["finalizers"] == ["networking.k8s.io/service-cidr-finalizer"]
    assert [(c["type"], c["status"], c["message"]) for c in made["status"]["conditions"]] == [
        ("Ready", "True", "Kubernetes Service CIDR is ready")]
    given = r.create("services", service("more"))["spec"]["clusterIP"]
    assert ip_address("10.8.0.16") < ip_address(given) < ip_address("10.8.0.255")
    assert r.create("services", service("asked", clusterIP="10.8.0.3"))
    r.delete("servicecidrs", "more")  # it stays, since it is needed, but gives no more
    assert r.get("servicecidrs", "more")["metadata"]["deletionTimestamp"]
    assert "does not match the current range" in refusal(r.create, "services", service("x", clusterIP="10.8.0.4"))[0]


@pytest.mark.parametrize(("ranges", "expected"), [
    ([], ["spec.cidrs: Required value: at least one CIDR required"]),
    (["x"], ['spec.cidrs[0]: Invalid value: "x": must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)']),
    (["10.0.0.1/8"], ['spec.cidrs[0]: Invalid value: "10.0.0.1/8": must not have bits set beyond the prefix length']),
    (["010.0.0.0/8"], ['spec.cidrs[0]: Invalid value: "010.0.0.0/8": must not have leading 0s']),
    (["2001:DB8::/64"], ['spec.cidrs[0]: Invalid value: "2001:DB8::/64": must be in canonical form ("2001:db8::/64")']),
    (["10.0.0.0/8", "11.0.0.0/8"], [
        'spec.cidrs: Invalid value: ["10.0.0.0/8","11.0.0.0/8"]: may specify no more than one IP for each IP family, '
        "i.e 192.168.0.0/24 and 2001:db8::/64"]),
])
def test_bad_ranges_are_refused(ranges, expected):
    assert refusal(registry().create, "servicecidrs", cidr(*ranges)) == expected


def test_a_range_may_get_one_of_the_other_family_and_does_not_change_otherwise():
    r = registry()
    made = r.create("servicecidrs", cidr("10.8.0.0/24"))
    for ranges in (["10.9.0.0/24"], ["10.9.0.0/24", "2001:db8::/64"], []):
        assert refusal(r.update, "servicecidrs", made | {"spec": {"cidrs": ranges}})[0].endswith("field is immutable")
    assert r.update("servicecidrs", made | {"spec": {"cidrs": ["10.8.0.0/24", "2001:db8::/64"]}})


@pytest.mark.parametrize(("name", "parent", "expected"), [
    ("x", {"resource": "r", "name": "n"},
     'metadata.name: Invalid value: "x": must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)'),
    ("2001:DB8::1", {"resource": "r", "name": "n"},
     'metadata.name: Invalid value: "2001:DB8::1": must be in canonical form ("2001:db8::1")'),
    ("192.0.2.1", None, "spec.parentRef: Required value"),
    ("192.0.2.1", {"name": "n"}, "spec.parentRef.resource: Required value"),
])
def test_bad_addresses_are_refused(name, parent, expected):
    manifest = {"metadata": {"name": name}, "spec": {"parentRef": parent} if parent else {}}
    assert refusal(registry().create, "ipaddresses", manifest) == [expected]
