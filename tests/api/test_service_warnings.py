import pytest

from netlab.api.service_warnings import service_warnings
from tests.api.objects import service


@pytest.mark.parametrize(("spec", "expected"), [
    ({}, []),
    ({"clusterIP": "None", "loadBalancerIP": "192.0.2.1", "externalIPs": ["192.0.2.2"], "sessionAffinity": "ClientIP"},
     ["spec.loadBalancerIP is ignored for headless services", "spec.externalIPs is ignored for headless services",
      "spec.SessionAffinity is ignored for headless services"]),
    ({"type": "ExternalName", "externalName": "a.b", "externalIPs": ["192.0.2.2"]},
     ['spec.externalIPs is ignored when spec.type is "ExternalName"']),
    ({"externalName": "a.b"}, ['spec.externalName is ignored when spec.type is not "ExternalName"']),
    ({"externalIPs": ["192.0.2.010"]},
     ['spec.externalIPs[0]: non-standard IP address "192.0.2.010" will be considered invalid in a future Kubernetes '
      'release: use "192.0.2.10"']),
    ({"type": "LoadBalancer", "loadBalancerSourceRanges": ["10.0.0.1/8"]},
     ['spec.loadBalancerSourceRanges[0]: CIDR value "10.0.0.1/8" is ambiguous in this context (should be "10.0.0.0/8" '
      'or "10.0.0.1/32"?)']),
])
def test_what_is_ignored_or_oddly_written_is_told(spec, expected):
    assert service_warnings(service(**spec), None) == expected


def test_the_old_topology_annotation_is_told():
    manifest = service()
    manifest["metadata"]["annotations"] = {"service.kubernetes.io/topology-aware-hints": "Auto"}
    assert service_warnings(manifest, None) == [
        "annotation service.kubernetes.io/topology-aware-hints is deprecated, please use "
        "service.kubernetes.io/topology-mode instead"]
