import json
from datetime import timedelta

import pytest

from netlab.api.columns import duration
from netlab.api.resources import RESOURCES
from netlab.api.shapes import types
from netlab.model.errors import ApiError
from tests.api.objects import NOW, deployment, pod, registry, service


def test_every_type_of_the_shape_table_is_there():
    known = types()
    for name, known_type in known.items():
        for field, shape in known_type.fields.items():
            while shape.element:
                shape = shape.element
            assert shape.form != "struct" or shape.name in known, f"{name}.{field} has no type {shape.name}"
    assert {kind.kind for kind in RESOURCES.values()} <= known.keys()


@pytest.mark.parametrize(("seconds", "text"), [
    (0, "0s"), (119, "119s"), (120, "2m"), (200, "3m20s"), (600, "10m"), (3 * 3600, "3h"), (3 * 3600 + 120, "3h2m"),
    (30 * 3600, "30h"), (4 * 86400 + 3 * 3600, "4d3h"), (12 * 86400, "12d"), (3 * 365 * 86400 + 86400, "3y1d"),
])
def test_ages_are_written_as_kubectl_writes_them(seconds, text):
    assert duration(seconds) == text


def row(resource, manifest):
    kind = RESOURCES[resource]
    cells = kind.row(manifest, NOW + timedelta(seconds=90))
    assert len(cells) == len(kind.columns)
    return [cell for cell, column in zip(cells, kind.columns, strict=True) if column.name != "Age"]


def created(resource, manifest):
    return registry().create(resource, manifest)


def balanced(ingress):
    return created("services", service(type="LoadBalancer", clusterIP="10.96.0.20",
                                       ports=({"port": 80, "nodePort": 30080},))) | {
        "status": {"loadBalancer": {"ingress": ingress}}}


@pytest.mark.parametrize(("manifest", "cells"), [
    (created("services", service(clusterIP="10.96.0.20", selector={"b": "2", "a": "1"})),
     ["web", "ClusterIP", "10.96.0.20", "<none>", "80/TCP", "a=1,b=2"]),
    (created("services", service(type="NodePort", clusterIP="10.96.0.20", ports=({"port": 80, "nodePort": 30080},))),
     ["web", "NodePort", "10.96.0.20", "<none>", "80:30080/TCP", "<none>"]),
    (created("services", service(ports=(), clusterIP="None")),
     ["web", "ClusterIP", "None", "<none>", "<none>", "<none>"]),
    (created("services", service(type="ExternalName", externalName="a.b", ports=())),
     ["web", "ExternalName", "<none>", "a.b", "<none>", "<none>"]),
    (balanced([]), ["web", "LoadBalancer", "10.96.0.20", "<pending>", "80:30080/TCP", "<none>"]),
    (balanced([{"ip": "192.0.2.9"}]), ["web", "LoadBalancer", "10.96.0.20", "192.0.2.9", "80:30080/TCP", "<none>"]),
    (balanced([{"ip": "fd00:18::ff02"}, {"ip": "172.18.255.200"}]),  # whole, as servers print wide cells always
     ["web", "LoadBalancer", "10.96.0.20", "172.18.255.200,fd00:18::ff02", "80:30080/TCP", "<none>"]),
])
def test_service_rows(manifest, cells):
    assert row("services", manifest) == cells


def status(**values):
    return created("pods", pod()) | {"status": {"phase": "Running", **values}}


@pytest.mark.parametrize(("manifest", "word"), [
    (created("pods", pod()), "Pending"), (status(), "Running"), (status(phase="Failed", reason="Evicted"), "Evicted"),
    (status(phase="Pending", containerStatuses=[{"state": {"waiting": {"reason": "ContainerCreating"}}}]),
     "ContainerCreating"),
    (status(containerStatuses=[{"state": {"waiting": {"reason": "CrashLoopBackOff"}}}]), "CrashLoopBackOff"),
    (status(containerStatuses=[{"state": {"terminated": {"exitCode": 3, "reason": "Error"}}}]), "Error"),
    (status(phase="Succeeded", containerStatuses=[{"state": {"terminated": {"exitCode": 0, "reason": "Completed"}}}]),
     "Completed"),
])
def test_pod_status_words(manifest, word):
    assert row("pods", manifest)[2] == word


RUNNING, WAITING = {"running": {}}, {"waiting": {"reason": "PodInitializing"}}
CRASHED = {"waiting": {"reason": "CrashLoopBackOff"}}
DONE = {"terminated": {"exitCode": 0, "reason": "Completed"}}
LAST = {"terminated": {"finishedAt": "2024-01-02T03:04:05Z"}}


def with_init(init, main, *, sidecar=False, initialized=False):
    """A pod of one init container, or sidecar, and one container, in these states."""
    made = created("pods", pod())
    made["spec"]["initContainers"] = [{"name": "i", "image": "x"} | ({"restartPolicy": "Always"} if sidecar else {})]
    state = {"phase": "Pending", "initContainerStatuses": [{"name": "i", **init}],
             "containerStatuses": [{"name": "c", **main}],
             "conditions": [{"type": "Initialized", "status": str(initialized)}]}
    return made | {"status": state}


@pytest.mark.parametrize(("manifest", "cells"), [
    (with_init({"state": RUNNING}, {"state": WAITING}), ["0/1", "Init:0/1", "0"]),
    (with_init({"state": CRASHED, "restartCount": 4, "lastState": LAST}, {"state": WAITING}),
     ["0/1", "Init:CrashLoopBackOff", "4"]),
    (with_init({"state": DONE, "restartCount": 4}, {"state": RUNNING, "ready": True, "restartCount": 1},
               initialized=True), ["1/1", "Pending", "1"]),
    (with_init({"state": RUNNING, "started": True, "ready": True, "restartCount": 2},
               {"state": RUNNING, "ready": False, "restartCount": 1}, sidecar=True, initialized=True),
     ["1/2", "Pending", "3"]),
    (with_init({"state": RUNNING, "started": False}, {"state": WAITING}, sidecar=True), ["0/2", "Init:0/1", "0"]),
    (with_init({"state": DONE, "ready": False}, {"state": DONE, "ready": False}, sidecar=True, initialized=True),
     ["0/2", "Completed", "0"]),
])
def test_pod_rows_count_init_containers_until_they_are_done_and_sidecars_always(manifest, cells):
    ready, word, restarts = row("pods", manifest)[1:4]
    assert [ready, word, restarts.partition(" ")[0]] == cells


def test_a_pod_with_scheduling_gates_says_so():
    gated = [{"type": "PodScheduled", "status": "False", "reason": "SchedulingGated"}]
    assert row("pods", status(phase="Pending", conditions=gated))[2] == "SchedulingGated"


def test_a_pod_being_deleted_is_terminating():
    manifest = status()
    manifest |= {"metadata": manifest["metadata"] | {"deletionTimestamp": "2026-01-02T03:04:35Z"}}
    assert row("pods", manifest)[2] == "Terminating"


@pytest.mark.parametrize(("resource", "manifest", "cells"), [
    ("pods", status(containerStatuses=[{"ready": True, "restartCount": 2, "state": {"running": {}},
                                        "lastState": {"terminated": {"finishedAt": "2026-01-02T03:05:05Z"}}}],
                    podIPs=[{"ip": "10.244.1.2"}]),
     ["web", "1/1", "Running", "2 (30s ago)", "10.244.1.2", "<none>", "<none>", "<none>"]),
    ("deployments", created("deployments", deployment(replicas=3)), ["web", "0/3", 0, 0, "c", "echo", "app=web"]),
    ("replicasets", created("replicasets", deployment(replicas=3)), ["web", 3, 0, 0, "c", "echo", "app=web"]),
    ("endpoints", {"metadata": {"name": "a"}, "subsets": [
        {"addresses": [{"ip": f"10.0.0.{n}"} for n in range(1, 6)], "ports": [{"port": 80}]}]},
     ["a", "10.0.0.1:80,10.0.0.2:80,10.0.0.3:80 + 2 more..."]),
    ("endpoints", {"metadata": {"name": "a"}}, ["a", "<none>"]),
    ("endpointslices", {"metadata": {"name": "a"}, "addressType": "IPv4", "endpoints": [], "ports": []},
     ["a", "IPv4", "<unset>", "<unset>"]),
    ("configmaps", {"metadata": {"name": "a"}, "data": {"a": "b"}, "binaryData": {"c": ""}}, ["a", 2]),
    ("namespaces", created("namespaces", {"metadata": {"name": "x"}}), ["x", "Active"]),
    ("nodes", {"metadata": {"name": "n", "labels": {"node-role.kubernetes.io/control-plane": ""}},
               "spec": {"unschedulable": True},
               "status": {"conditions": [{"type": "Ready", "status": "True"}],
                          "nodeInfo": {"kubeletVersion": "v1.33.0"},
                          "addresses": [{"type": "InternalIP", "address": "172.18.0.2"}]}},
     ["n", "Ready,SchedulingDisabled", "control-plane", "v1.33.0", "172.18.0.2", "<none>", "<unknown>", "<unknown>",
      "<unknown>"]),
    ("events", {"metadata": {"name": "a"}, "type": "Normal", "reason": "Started", "message": "ok", "count": 2,
                "involvedObject": {"kind": "Pod", "name": "web"}, "source": {"component": "kubelet", "host": "worker"},
                "firstTimestamp": "2026-01-02T03:04:05Z", "lastTimestamp": "2026-01-02T03:05:05Z"},
     ["30s", "Normal", "Started", "pod/web", "ok", "", "kubelet, worker", "90s", 2, "a"]),
])
def test_rows_as_kubectl_prints_them(resource, manifest, cells):
    assert row(resource, manifest) == cells


def test_pod_defaults():
    spec = created("pods", pod(containers=[{
        "name": "c", "image": "echo:1", "ports": [{"containerPort": 80}],
        "readinessProbe": {"httpGet": {"port": 80}}}]))["spec"]
    assert spec["containers"][0] == {
        "name": "c", "image": "echo:1", "ports": [{"containerPort": 80, "protocol": "TCP"}], "resources": {},
        "readinessProbe": {"httpGet": {"port": 80, "path": "/", "scheme": "HTTP"}, "timeoutSeconds": 1,
                           "periodSeconds": 10, "successThreshold": 1, "failureThreshold": 3},
        "terminationMessagePath": "/dev/termination-log", "terminationMessagePolicy": "File",
        "imagePullPolicy": "IfNotPresent"}
    assert {key: spec[key] for key in ("restartPolicy", "dnsPolicy", "terminationGracePeriodSeconds", "securityContext",
                                       "schedulerName", "enableServiceLinks")} == {
        "restartPolicy": "Always", "dnsPolicy": "ClusterFirst", "terminationGracePeriodSeconds": 30,
        "securityContext": {},
        "schedulerName": "default-scheduler", "enableServiceLinks": True}


def test_deployment_defaults():
    spec = created("deployments", deployment())["spec"]
    assert spec["strategy"] == {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": "25%", "maxSurge": "25%"}}
    assert (spec["replicas"], spec["revisionHistoryLimit"], spec["progressDeadlineSeconds"]) == (1, 10, 600)


C = {"name": "c", "image": "echo"}


def hinted(**hints):
    return {"metadata": {"name": "a"}, "addressType": "IPv4",
            "endpoints": [{"addresses": ["10.0.0.1"], "hints": hints}]}


def long_searches(count):
    return [".".join([letter * 60] * 4) for letter in "abcdefghi"[:count]]


@pytest.mark.parametrize(("resource", "manifest", "message"), [
    ("pods", pod(containers=[]), "spec.containers: Required value"),
    ("pods", pod(containers=[{"image": "echo"}]), "spec.containers[0].name: Required value"),
    ("pods", pod(containers=[{"name": "c"}]), "spec.containers[0].image: Required value"),
    ("pods", pod(containers=[C, C]), 'spec.containers[1].name: Duplicate value: "c"'),
    ("pods", pod(containers=[C | {"ports": [{"containerPort": 0}]}]),
     "spec.containers[0].ports[0].containerPort: Required value"),
    ("pods", pod(containers=[C | {"volumeMounts": [{"name": "v", "mountPath": "/x"}]}]),
     'spec.containers[0].volumeMounts[0].name: Not found: "v"'),
    ("pods", pod(containers=[C | {"livenessProbe": {}}]),
     "spec.containers[0].livenessProbe: Required value: must specify "
                                                          "a handler type"),
    ("pods", pod(restartPolicy="X"), 'spec.restartPolicy: Unsupported value: "X": supported values: "Always", "Never", '
                                     '"OnFailure"'),
    ("pods", pod(dnsPolicy="None"),
     "spec.dnsConfig: Required value: must provide `dnsConfig` when `dnsPolicy` is None"),
    ("pods", pod(dnsPolicy="None", dnsConfig={"searches": ["a b"]}), "spec.dnsConfig.nameservers: Required value: must "
     "provide at least one DNS nameserver when `dnsPolicy` is None"),
    ("pods", pod(dnsPolicy="ClusterLast"), 'spec.dnsPolicy: Unsupported value: "ClusterLast": supported values: '
                                           '"ClusterFirst", "ClusterFirstWithHostNet", "Default", "None"'),
    ("pods", pod(dnsConfig={"nameservers": ["1.1.1.1", "1.1.1.2", "1.1.1.3", "1.1.1.4"]}),
     'spec.dnsConfig.nameservers: Invalid value: ["1.1.1.1","1.1.1.2","1.1.1.3","1.1.1.4"]: must not have more than 3 '
     "nameservers"),
    ("pods", pod(dnsConfig={"searches": ["Shop."]}), 'spec.dnsConfig.searches[0]: Invalid value: "Shop": a lowercase '
     "RFC 1123 subdomain must consist of lower case alphanumeric characters, '_', '-' or '.', and must start and end "
     "with an alphanumeric character (e.g. 'example.com', regex used for validation is "
     r"'_?[a-z0-9]([-_a-z0-9]*[a-z0-9])?(\._?[a-z0-9]([-_a-z0-9]*[a-z0-9])?)*')"),
    ("pods", pod(dnsConfig={"searches": long_searches(9)}), f"spec.dnsConfig.searches: Invalid value: "
     f"{json.dumps(long_searches(9), separators=(',', ':'))}: must not have more than 2048 characters (including "
     "spaces) in the search list"),
    ("pods", pod(dnsConfig={"searches": ["a"] * 33}), f"spec.dnsConfig.searches: Invalid value: "
     f"{json.dumps(['a'] * 33, separators=(',', ':'))}: must not have more than 32 search paths"),
    ("pods", pod(dnsConfig={"options": [{"value": "2"}]}),
     "spec.dnsConfig.options[0]: Required value: must not be empty"),
    ("deployments", deployment(labels={"app": "x"}), 'spec.template.metadata.labels: Invalid value: {"app":"x"}: '
                                                     "`selector` does not match template `labels`"),
    ("deployments", deployment(selector=None), "spec.selector: Required value"),
    ("deployments", deployment(selector={}),
     "spec.selector: Invalid value: {}: empty selector is invalid for deployment"),
    ("deployments", deployment(replicas=-1), "spec.replicas: Invalid value: -1: must be greater than or equal to 0"),
    ("deployments", deployment(strategy={"type": "Recreate", "rollingUpdate": {}}), "spec.strategy.rollingUpdate: "
     "Forbidden: may not be specified when strategy `type` is 'Recreate'"),
    ("deployments", deployment(strategy={"rollingUpdate": {"maxSurge": 0, "maxUnavailable": "0%"}}),
     'spec.strategy.rollingUpdate.maxUnavailable: Invalid value: "0%": may not be 0 when `maxSurge` is 0'),
    ("endpointslices", {"metadata": {"name": "a"}, "addressType": "IPv4", "endpoints": [{"addresses": []}]},
     "endpoints[0].addresses: Required value: must contain at least 1 address"),
    ("endpointslices", {"metadata": {"name": "a"}, "addressType": "IPv4", "endpoints": [{"addresses": ["127.0.0.1"]}]},
     'endpoints[0].addresses[0]: Invalid value: "127.0.0.1": may not be in the loopback range (127.0.0.0/8, ::1/128)'),
    ("endpointslices", {"metadata": {"name": "a"}, "endpoints": []}, "addressType: Required value"),
    ("endpointslices", hinted(forZones=[{"name": "a b"}]), "endpoints[0].hints.forZones[0].name: Invalid value: "
     "\"a b\": a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must "
     "start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for "
     "validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')"),
    ("endpointslices", hinted(forZones=[{"name": "a"}, {"name": "a"}]),
     'endpoints[0].hints.forZones[1].name: Duplicate value: "a"'),
    ("endpointslices", hinted(forZones=[{"name": str(number)} for number in range(9)]),
     "endpoints[0].hints.forZones: Too many: 9: must have at most 8 items"),
    ("endpointslices", hinted() | {"ports": [{"port": 1, "appProtocol": "a/b/c"}]}, None),
    ("endpoints", {"metadata": {"name": "a"}, "subsets": [{}]},
     "subsets[0]: Required value: must specify `addresses` or `notReadyAddresses`"),
    ("namespaces", {"metadata": {"name": "A"}}, None),
    ("configmaps", {"metadata": {"name": "a", "labels": {"a b": "c"}}}, None),
    ("configmaps", {"metadata": {"name": "a"}, "data": {"a b": "c"}}, None),
])
def test_bad_objects_are_refused(resource, manifest, message):
    with pytest.raises(ApiError) as caught:
        registry().create(resource, manifest)
    assert caught.value.code == 422
    assert message is None or message in [f"{c['field']}: {c['message']}" for c in caught.value.details["causes"]]


@pytest.mark.parametrize(("resource", "manifest", "warnings"), [
    ("endpoints", {"subsets": [{"addresses": [{"ip": "192.0.2.1"}], "notReadyAddresses": [{"ip": "2001:DB8::1"}]}]},
     ['subsets[0].notReadyAddresses[0].ip: IPv6 address "2001:DB8::1" should be in RFC 5952 canonical format '
      '("2001:db8::1")']),
    ("endpointslices", {"addressType": "IPv6", "endpoints": [{"addresses": ["2001:DB8::1"]}]},
     ['endpoints[0].addresses[0]: IPv6 address "2001:DB8::1" should be in RFC 5952 canonical format ("2001:db8::1")']),
    ("endpointslices", {"addressType": "FQDN", "endpoints": [{"addresses": ["example.com"]}]},
     ["spec.addressType: FQDN endpoints are deprecated"]),
])
def test_endpoints_that_are_better_written_otherwise_bring_warnings(resource, manifest, warnings):
    kind, body = RESOURCES[resource], {"metadata": {"name": "a"}} | manifest
    assert kind.warnings(body, None) == warnings
    labels = {"endpoints.kubernetes.io/managed-by": "endpoint-controller",
              "endpointslice.kubernetes.io/managed-by": "endpointslice-controller.k8s.io"}
    assert kind.warnings(body | {"metadata": {"labels": labels}}, body) == []  # controllers write them well


@pytest.mark.parametrize("opened", [False, True])
def test_node_hints_and_the_newer_distributions_are_behind_a_feature_gate(opened):
    r = registry(feature_gates={"PreferSameTrafficDistribution": opened})
    hints = {"forZones": [{"name": "a"}], "forNodes": [{"name": "worker"}]}
    made = r.create("endpointslices", hinted(**hints))
    assert made["endpoints"][0]["hints"] == (hints if opened else {"forZones": [{"name": "a"}]})
    if opened:
        assert r.create("services", service(trafficDistribution="PreferSameNode"))
        return
    with pytest.raises(ApiError, match='Unsupported value: "PreferSameNode": supported values: "PreferClose"'):
        r.create("services", service(trafficDistribution="PreferSameNode"))


@pytest.mark.parametrize(("resource", "made", "change", "message"), [
    ("pods", pod(), {"hostNetwork": True}, "pod updates may not change fields other than"),
    ("pods", pod(), {"containers": [C | {"args": ["x"]}]}, "pod updates may not change fields other than"),
    ("deployments", deployment(), {"selector": {"matchLabels": {"app": "x"}},
                                   "template": {"metadata": {"labels": {"app": "x"}}}}, "field is immutable"),
])
def test_what_is_immutable(resource, made, change, message):
    r = registry()
    r.create(resource, made)
    with pytest.raises(ApiError, match=message):
        r.patch(resource, "web", {"spec": change}, namespace="default")


def test_a_pods_image_may_change():
    r = registry()
    made = r.create("pods", pod())
    made = made | {"spec": made["spec"] | {"containers": [made["spec"]["containers"][0] | {"image": "echo:2"}]}}
    assert r.update("pods", made)["spec"]["containers"][0]["image"] == "echo:2"


@pytest.mark.parametrize("config", [{"searches": ["."]}, {"searches": ["_sip._tcp.example.com", "svc.cluster.local."]},
                                    {"searches": long_searches(8)}, {"options": [{"name": "edns0"}]}])
def test_resolver_settings_that_upstream_takes_are_taken(config):
    assert registry().create("pods", pod(dnsConfig=config))["spec"]["dnsConfig"] == config
