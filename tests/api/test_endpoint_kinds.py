"""Endpoints and EndpointSlices that people write by hand."""

import pytest

from netlab.api.served import BUILT_IN
from netlab.model.errors import ApiError
from tests.api.objects import registry

NO_IP = "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)"


def piece(*addresses, kind="IPv4", ports=(), **fields):
    return {"metadata": {"name": "a"}, "addressType": kind, "ports": [*ports],
            "endpoints": [{"addresses": [*addresses], **fields}]}


def endpoints(address, *ports):
    return {"metadata": {"name": "a"}, "subsets": [{"addresses": [address], "ports": [*ports]}]}


def causes(resource, manifest):
    with pytest.raises(ApiError) as caught:
        registry().create(resource, manifest)
    return [f"{cause['field']}: {cause['message']}" for cause in caught.value.details["causes"]]


@pytest.mark.parametrize(("manifest", "expected"), [
    (piece("x"), [f'endpoints[0].addresses[0]: Invalid value: "x": {NO_IP}']),
    (piece("2001:db8::1"), ['endpoints[0].addresses: Invalid value: "2001:db8::1": must be an IPv4 address']),
    (piece("10.0.0.1", "169.254.1.1", kind="IPv6"), [
        'endpoints[0].addresses: Invalid value: "10.0.0.1": must be an IPv6 address',
        'endpoints[0].addresses: Invalid value: "169.254.1.1": must be an IPv6 address',
        'endpoints[0].addresses[1]: Invalid value: "169.254.1.1": may not be in the link-local range (169.254.0.0/16, '
        "fe80::/10)"]),
    (piece("example", kind="FQDN"), ['endpoints[0].addresses[0]: Invalid value: "example": should be a domain with at '
                                     "least two segments separated by dots"]),
    (piece("", kind="FQDN"), ["endpoints[0].addresses[0]: Required value"]),
    (piece("x", kind="Unix"), ['addressType: Unsupported value: "Unix": supported values: "FQDN", "IPv4", "IPv6"']),
    (piece(*["10.0.0.1"] * 101), ["endpoints[0].addresses: Too many: 101: must have at most 100 items"]),
    (piece("10.0.0.1", hints={"forZones": [{"name": "a"}, {"name": "a"}]}),
     ['endpoints[0].hints.forZones[1].name: Duplicate value: "a"']),
    (piece("10.0.0.1", hints={"forZones": [{"name": str(n)} for n in range(9)]}),
     ["endpoints[0].hints.forZones: Too many: 9: must have at most 8 items"]),
    (piece("10.0.0.1", ports=[{"port": 80}, {"port": 81}]), ['ports[1].name: Duplicate value: ""']),
    (piece("10.0.0.1", ports=[{"port": 80, "appProtocol": "a/b/c"}]), None),
])
def test_a_bad_slice_is_refused_in_upstreams_words(manifest, expected):
    found = causes("endpointslices", manifest)
    assert found == expected if expected else [text.partition(":")[0] for text in found] == ["ports[0].appProtocol"]


def test_mistakes_of_an_endpoint_are_told_in_upstreams_order():
    found = causes("endpointslices", piece(nodeName="A", hostname="a.b", hints={"forZones": [{"name": "a b"}]}))
    assert [text.partition(":")[0] for text in found] == [f"endpoints[0].{field}" for field in (
        "addresses", "nodeName", "hostname", "hints.forZones[0].name")]


@pytest.mark.parametrize(("manifest", "fields"), [
    (endpoints({"ip": "x", "hostname": "a.b", "nodeName": "A"}), ["ip", "hostname", "nodeName", "ip"]),
    (endpoints({"ip": "10.0.0.1"}, {"port": 80, "appProtocol": ""}), ["appProtocol", "appProtocol"]),
    (endpoints({"ip": "10.0.0.1"}, {"port": 0, "name": "A"}), ["name", "port"]),
])
def test_bad_endpoints_are_refused(manifest, fields):
    assert [text.partition(":")[0].rpartition(".")[2] for text in causes("endpoints", manifest)] == fields


def test_what_v1_does_not_write_is_dropped():
    made = registry().create("endpointslices", piece(
        "10.0.0.1", deprecatedTopology={"a": "b"}, hints={"forZones": [{"name": "a"}], "forNodes": [{"name": "n"}]}))
    assert made["endpoints"] == [{"addresses": ["10.0.0.1"], "hints": {"forZones": [{"name": "a"}]}}]


@pytest.mark.parametrize(("resource", "manifest", "expected"), [
    ("endpointslices", piece("a.b", kind="FQDN"), "spec.addressType: FQDN endpoints are deprecated"),
    ("endpointslices", piece("10.0.0.01"), 'endpoints[0].addresses[0]: non-standard IP address "10.0.0.01" will be '
     'considered invalid in a future Kubernetes release: use "10.0.0.1"'),
    ("endpoints", endpoints({"ip": "2001:DB8::1"}), 'subsets[0].addresses[0].ip: IPv6 address "2001:DB8::1" should be '
     'in RFC 5952 canonical format ("2001:db8::1")'),
])
def test_oddly_written_addresses_are_told(resource, manifest, expected):
    assert BUILT_IN.resources[resource].warnings(manifest, None) == [expected]
