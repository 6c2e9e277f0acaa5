import pytest

from netlab.model.errors import ApiError
from tests.api.objects import registry, service

ONLY_LB = "Forbidden: may only be used when `type` is 'LoadBalancer'"
AFFINITY = {"sessionAffinity": "ClientIP"}


def timeout(seconds):
    return AFFINITY | {"sessionAffinityConfig": {"clientIP": {"timeoutSeconds": seconds}}}


@pytest.mark.parametrize(("manifest", "message"), [
    (service(ports=()), "spec.ports: Required value"),
    (service(ports=({"port": 80}, {"port": 81, "name": "b"})), "spec.ports[0].name: Required value"),
    (service(ports=({"port": 80, "name": "a"}, {"port": 81, "name": "a"})), 'spec.ports[1].name: Duplicate value: "a"'),
    (service(ports=({"port": 0},)), "spec.ports[0].port: Invalid value: 0: must be between 1 and 65535, inclusive"),
    (service(ports=({"port": 65536, "targetPort": 80},)),
     "spec.ports[0].port: Invalid value: 65536: must be between 1 and 65535, inclusive"),
    (service(ports=({"port": 80, "protocol": "X"},)),
     'spec.ports[0].protocol: Unsupported value: "X": supported values: "SCTP", "TCP", "UDP"'),
    (service(ports=({"port": 80, "name": "a"}, {"port": 80, "name": "b"})),
     'spec.ports[1]: Duplicate value: {"Name":"","Protocol":"TCP","AppProtocol":null,"Port":80,"TargetPort":0,'
     '"NodePort":0}'),
    (service(ports=({"port": 80, "name": "a", "nodePort": 30080}, {"port": 81, "name": "b", "nodePort": 30080}),
             type="NodePort"), "spec.ports[1].nodePort: Invalid value: 30080: provided port is already allocated"),
    (service(ports=({"port": 80, "name": "a", "nodePort": 30080},
                    {"port": 81, "name": "b", "nodePort": 30080, "protocol": "UDP"}), type="NodePort"),
     "spec.ports[1].nodePort: Invalid value: 30080: provided port is already allocated"),
    (service(ports=({"port": 80, "nodePort": 30080},)),
     "spec.ports[0].nodePort: Forbidden: may not be used when `type` is 'ClusterIP'"),
    (service(ports=({"port": 80, "targetPort": "a--b"},)),
     'spec.ports[0].targetPort: Invalid value: "a--b": must not contain consecutive hyphens'),
    (service(type="clusterIP"), 'spec.type: Unsupported value: "clusterIP": supported values: "ClusterIP", '
                                '"ExternalName", "LoadBalancer", "NodePort"'),
    (service(type="NodePort", clusterIP="None"),
     'spec.clusterIPs[0]: Invalid value: "None": may not be set to \'None\' for NodePort services'),
    (service(type="ExternalName"), "spec.externalName: Required value"),
    (service(type="ExternalName", externalName="a.b", ipFamilyPolicy="SingleStack"),
     "spec.ipFamilyPolicy: Forbidden: may not be set for ExternalName services"),
    (service(sessionAffinity="X"), 'spec.sessionAffinity: Unsupported value: "X": supported values: "ClientIP", '
                                   '"None"'),
    (service(**timeout(0)), "spec.sessionAffinityConfig.clientIP.timeoutSeconds: Invalid value: 0: "
                            "must be greater than 0 and less than 86400"),
    (service(externalIPs=["x"]), 'spec.externalIPs[0]: Invalid value: "x": must be a valid IP address, '
                                 "(e.g. 10.9.8.7 or 2001:db8::ffff)"),
    (service(externalIPs=["127.0.0.1"]), 'spec.externalIPs[0]: Invalid value: "127.0.0.1": may not be in the loopback '
                                         "range (127.0.0.0/8, ::1/128)"),
    (service(loadBalancerSourceRanges=["10.0.0.0/8"]), f"spec.LoadBalancerSourceRanges: {ONLY_LB}"),
    (service(type="LoadBalancer", loadBalancerSourceRanges=["x"]),
     'spec.LoadBalancerSourceRanges[0]: Invalid value: "x": must be a valid CIDR value, (e.g. 10.9.8.0/24 or '
     "2001:db8::/64)"),
    (service(allocateLoadBalancerNodePorts=True), f"spec.allocateLoadBalancerNodePorts: {ONLY_LB}"),
    (service(loadBalancerClass="a/b"), f"spec.loadBalancerClass: {ONLY_LB}"),
    (service(externalTrafficPolicy="Local"),
     'spec.externalTrafficPolicy: Invalid value: "Local": may only be set for externally-accessible services'),
    (service(type="NodePort", externalTrafficPolicy="X"),
     'spec.externalTrafficPolicy: Unsupported value: "X": supported values: "Cluster", "Local"'),
    (service(internalTrafficPolicy="X"),
     'spec.internalTrafficPolicy: Unsupported value: "X": supported values: "Cluster", "Local"'),
    (service(type="NodePort", healthCheckNodePort=30000),
     "spec.healthCheckNodePort: Invalid value: 30000: may only be set when `type` is 'LoadBalancer' and "
     "`externalTrafficPolicy` is 'Local'"),
    (service(trafficDistribution="X"),
     'spec.trafficDistribution: Unsupported value: "X": supported values: "PreferClose"'),
    (service(clusterIP="10.96.0.20", clusterIPs=["10.96.0.21"]),
     'spec.clusterIPs: Invalid value: ["10.96.0.21"]: first value must match `clusterIP`'),
    (service(clusterIPs=["10.96.0.21"]),
     'spec.clusterIPs: Invalid value: ["10.96.0.21"]: must be empty when `clusterIP` is not specified'),
    (service(ipFamilies=["IPv6"]),
     'spec.ipFamilies[0]: Invalid value: "IPv6": not configured on this cluster'),
    (service(ipFamilyPolicy="RequireDualStack"),
     'spec.ipFamilyPolicy: Invalid value: "RequireDualStack": this cluster is not configured for dual-stack services'),
    (service("1web"), "metadata.name: Invalid value: \"1web\": a DNS-1035 label must consist of lower case "
                      "alphanumeric "
     "characters or '-', start with an alphabetic character, and end with an alphanumeric character (e.g. 'my-name', "
     " or "
     "'abc-123', regex used for validation is '[a-z]([-a-z0-9]*[a-z0-9])?')"),
    (service(clusterIP="10.200.0.1"), 'spec.clusterIPs: Invalid value: ["10.200.0.1"]: failed to allocate IP '
                                      '10.200.0.1: '
     "the provided network does not match the current range"),
    (service(clusterIP="10.96.0.0"), 'spec.clusterIPs: Invalid value: ["10.96.0.0"]: failed to allocate IP 10.96.0.0: '
     "the provided IP (10.96.0.0) is not in the valid range. The range of valid IPs is 10.96.0.0/12"),
    (service(ports=({"port": 80, "nodePort": 29999},), type="NodePort"),
     "spec.ports[0].nodePort: Invalid value: 29999: provided port is not in the valid range. The range of valid "
     "ports is "
     "30000-32767"),
])
def test_a_bad_service_is_refused_in_upstreams_words(manifest, message):
    with pytest.raises(ApiError) as caught:
        registry().create("services", manifest)
    error = caught.value
    assert (error.code, error.reason) == (422, "Invalid")
    shown = [f"{cause['field']}: {cause['message']}" for cause in error.details["causes"]]
    assert message in shown
    if len(shown) == 1:
        assert error.message == f'Service "{manifest["metadata"]["name"]}" is invalid: {message}'


def test_several_mistakes_are_told_in_upstreams_order():
    manifest = service(ports=({"port": 0}, {"port": 80, "name": "A", "nodePort": 30080, "targetPort": "x--y"}),
                       sessionAffinity="X", externalIPs=["224.0.0.1"], loadBalancerSourceRanges=["10.0.0.0"],
                       loadBalancerClass="", trafficDistribution="", internalTrafficPolicy="", healthCheckNodePort=1)
    manifest["metadata"] |= {"name": "Web", "annotations": {
        "service.kubernetes.io/topology-mode": "Auto", "service.kubernetes.io/topology-aware-hints": "Disabled"}}
    with pytest.raises(ApiError) as caught:
        registry().create("services", manifest)
    assert [cause["field"].removeprefix("spec.") for cause in caught.value.details["causes"]] == [
        "metadata.name", "metadata.annotations[service.kubernetes.io/topology-mode]", "ports[0].name", "ports[0].port",
        "ports[0].targetPort", "ports[1].name", "ports[1].targetPort", "sessionAffinity", "externalIPs[0]",
        "ports[1].nodePort", "LoadBalancerSourceRanges", "LoadBalancerSourceRanges[0]", "loadBalancerClass",
        "healthCheckNodePort", "internalTrafficPolicy", "trafficDistribution"]


@pytest.mark.parametrize("first", [
    {"clusterIP": "10.96.0.0"}, {"clusterIP": "x"}, {"ipFamilies": ["IPv5"]}, {"ipFamilyPolicy": "Any"},
    {"type": "NodePort", "ports": ({"port": 80, "nodePort": 29999},)},
])
def test_what_cannot_be_allocated_is_told_alone(first):
    with pytest.raises(ApiError) as caught:
        registry().create("services", service("web", **{"sessionAffinity": "X"} | first))
    assert len(caught.value.details["causes"]) == 1
    assert "sessionAffinity" not in caught.value.message


@pytest.mark.parametrize(("text", "message"), [
    ("ff12::1", "may not be in the link-local multicast range (224.0.0.0/24, ff02::/10)"),
    ("::ffff:127.0.0.1", "may not be in the loopback range (127.0.0.0/8, ::1/128)"),
    ("0.0.0.00", "may not be unspecified (0.0.0.00)"),
    ("fe80::1", "may not be in the link-local range (169.254.0.0/16, fe80::/10)"),
])
def test_addresses_with_a_meaning_of_their_own_are_no_external_ips(text, message):
    with pytest.raises(ApiError) as caught:
        registry().create("services", service(externalIPs=[text]))
    assert caught.value.message.endswith(f'spec.externalIPs[0]: Invalid value: "{text}": {message}')


def test_the_annotation_of_source_ranges_is_read_like_the_field():
    manifest = service(type="LoadBalancer")
    manifest["metadata"]["annotations"] = {
        "service.beta.kubernetes.io/load-balancer-source-ranges": " 10.0.0.0/8 , 1.2.3.4"}
    with pytest.raises(ApiError) as caught:
        registry().create("services", manifest)
    assert caught.value.message == (
        'Service "web" is invalid: metadata.annotations[service.beta.kubernetes.io/load-balancer-source-ranges]: '
        'Invalid value: "1.2.3.4": must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)')


def test_a_change_may_share_a_node_port_between_protocols_only():
    api, ports = registry(), [{"port": 80, "name": "a", "nodePort": 30080}, {"port": 81, "name": "b"}]
    made = api.create("services", service(ports=ports, type="NodePort"))
    ports[1] |= {"nodePort": 30080, "protocol": "UDP"}
    assert api.update("services", {**made, "spec": {**made["spec"], "ports": ports}})["spec"]["ports"][1]["nodePort"]
    ports[1]["protocol"] = "TCP"
    with pytest.raises(ApiError, match=r"^duplicate nodePort: \{TCP 30080\}$"):
        api.update("services", {**made, "metadata": {**made["metadata"], "resourceVersion": ""},
                                "spec": {**made["spec"], "ports": ports}})


@pytest.mark.parametrize("manifest", [
    service(ports=(), clusterIP="None"), service(type="ExternalName", externalName="10.0.0.1", ports=()),
    service(type="ExternalName", externalName="a.b.", ports=()), service(**timeout(86400)),
    service(externalIPs=["192.0.2.1"], externalTrafficPolicy="Local"),
    service(ports=({"port": 53, "name": "a"}, {"port": 53, "name": "b", "protocol": "UDP"})),
    service(type="LoadBalancer", loadBalancerSourceRanges=[" 10.0.0.0/8 "]),
])
def test_a_good_service_is_taken(manifest):
    assert registry().create("services", manifest)["metadata"]["uid"]


def test_a_plain_service_reads_back_with_every_default():
    made = registry().create("services", service())
    address = made["spec"].pop("clusterIP")
    assert made["spec"] == {
        "ports": [{"port": 80, "protocol": "TCP", "targetPort": 80}], "type": "ClusterIP", "sessionAffinity": "None",
        "internalTrafficPolicy": "Cluster", "ipFamilies": ["IPv4"], "ipFamilyPolicy": "SingleStack",
        "clusterIPs": [address]}
    assert made["status"] == {"loadBalancer": {}}


def test_a_headless_service_without_selector_lists_both_families():
    spec = registry().create("services", service(ports=(), clusterIP="None"))["spec"]
    assert (spec["ipFamilyPolicy"], spec["ipFamilies"]) == ("RequireDualStack", ["IPv4", "IPv6"])
    assert spec["clusterIPs"] == ["None"]


@pytest.mark.parametrize(("ingress", "message"), [
    ({"ip": "x"}, "must be a valid IP address"), ({"ipMode": "VIP"}, "may not be specified when `ip` is not set"),
    ({"hostname": "10.0.0.1"}, "must be a DNS name, not an IP address"),
])
def test_a_bad_load_balancer_status_is_refused(ingress, message):
    r = registry()
    made = r.create("services", service(type="LoadBalancer"))
    with pytest.raises(ApiError, match=message):
        r.update("services", made | {"status": {"loadBalancer": {"ingress": [ingress]}}}, subresource="status")


def test_a_load_balancers_ip_gets_its_mode():
    r = registry()
    made = r.create("services", service(type="LoadBalancer"))
    new = r.update("services", made | {"status": {"loadBalancer": {"ingress": [{"ip": "192.0.2.1"}]}}},
                   subresource="status")
    assert new["status"]["loadBalancer"]["ingress"] == [{"ip": "192.0.2.1", "ipMode": "VIP"}]
