"""What a pod spec may not say, in upstream's words."""

import pytest

from netlab.api.pod_rules import pod_spec_errors

BASE = {"restartPolicy": "Always", "dnsPolicy": "ClusterFirst"}
CONTAINER = {"name": "c", "image": "nginx", "imagePullPolicy": "Always"}
C = "spec.containers[0]"
SUPPORTED = ('"metadata.name", "metadata.namespace", "metadata.uid", "spec.nodeName", "spec.serviceAccountName", '
             '"status.hostIP", "status.hostIPs", "status.podIP", "status.podIPs"')


def errors(container=None, **spec):
    return [str(error) for error in pod_spec_errors(BASE | spec | {"containers": [CONTAINER | (container or {})]})]


def env(**given):
    return {"env": [{"name": "A", **given}]}


@pytest.mark.parametrize(("container", "texts"), [
    ({"resources": {"limits": {"cpu": "500m"}, "requests": {"cpu": "0.5"}}}, []),
    ({"resources": {"limits": {"cpu": 1}, "requests": {"cpu": "1500m"}}},
     [f'{C}.resources.requests: Invalid value: "1500m": must be less than or equal to cpu limit of 1']),
    ({"resources": {"limits": {"example.com/gpu": 2}, "requests": {"example.com/gpu": 1}}},
     [f'{C}.resources.requests: Invalid value: "1": must be equal to example.com/gpu limit of 2']),
    ({"resources": {"limits": {"memory": "-1Gi"}}},
     [f'{C}.resources.limits[memory]: Invalid value: "-1Gi": must be greater than or equal to 0']),
    ({"resources": {"limits": {"gpu": 1}}},
     [f'{C}.resources.limits[gpu]: Invalid value: "gpu": must be a standard resource type or fully qualified',
      f'{C}.resources.limits[gpu]: Invalid value: "gpu": must be a standard resource for containers']),
    ({"resources": {"limits": {"pods": 1}}},
     [f'{C}.resources.limits[pods]: Invalid value: "pods": must be a standard resource for containers']),
    (env(valueFrom={"fieldRef": {"fieldPath": "metadata.labels['app']"}}), []),
    (env(valueFrom={"configMapKeyRef": {"name": "x"}}), [f"{C}.env[0].valueFrom.configMapKeyRef.key: Required value"]),
    (env(valueFrom={}), [f'{C}.env[0].valueFrom: Invalid value: "": must specify one of: `fieldRef`, '
                         "`resourceFieldRef`, `configMapKeyRef` or `secretKeyRef`"]),
    (env(value="x", valueFrom={"fieldRef": {"fieldPath": "foo"}}),
     [f'{C}.env[0].valueFrom.fieldRef.fieldPath: Invalid value: "foo": error converting fieldPath: field label not '
      "supported: foo", f'{C}.env[0].valueFrom: Invalid value: "": may not be specified when `value` is not empty']),
    (env(valueFrom={"fieldRef": {"fieldPath": "status.phase"}}),
     [f'{C}.env[0].valueFrom.fieldRef.fieldPath: Unsupported value: "status.phase": supported values: {SUPPORTED}']),
    ({"envFrom": [{}]}, [f'{C}.envFrom[0]: Invalid value: "": must specify one of: `configMapRef` or `secretRef`']),
    ({"volumeMounts": [{"name": "v", "mountPath": "/x"}, {"name": "v", "mountPath": "/x", "subPath": "a/../.."}]},
     [f'{C}.volumeMounts[1].mountPath: Invalid value: "/x": must be unique',
      f'{C}.volumeMounts[1].subPath: Invalid value: "a/../..": must not contain \'..\'']),
])
def test_a_container(container, texts):
    assert errors(container, volumes=[{"name": "v", "emptyDir": {}}]) == texts


@pytest.mark.parametrize(("spec", "texts"), [
    ({"volumes": [{"name": "v", "emptyDir": {}, "configMap": {"name": "x"}}]},
     ["spec.volumes[0].configMap: Forbidden: may not specify more than 1 volume type"]),
    ({"volumes": [{"name": "v", "secret": {}}]}, ["spec.volumes[0].secret.secretName: Required value"]),
    ({"volumes": [{"name": "v", "configMap": {"name": "x", "items": [{"key": "a", "path": "../x"}]}}]},
     ['spec.volumes[0].configMap.items[0].path: Invalid value: "../x": must not contain \'..\'']),
    ({"activeDeadlineSeconds": 0},
     ["spec.activeDeadlineSeconds: Invalid value: 0: must be between 1 and 2147483647, inclusive"]),
    ({"tolerations": [{"operator": "Exists"}, {"key": "a", "value": "b"}]}, []),
    ({"tolerations": [{"key": "a", "operator": "Exists", "value": "b"}]},
     ['spec.tolerations[0].operator: Invalid value: {"key":"a","operator":"Exists","value":"b"}: value must be empty '
      "when `operator` is 'Exists'"]),
    ({"tolerations": [{"key": "a", "effect": "Never"}]},
     ['spec.tolerations[0].effect: Unsupported value: "Never": supported values: "NoExecute", "NoSchedule", '
      '"PreferNoSchedule"']),
    ({"tolerations": [{"key": "a", "tolerationSeconds": 5}]},
     ['spec.tolerations[0].effect: Invalid value: "": effect must be \'NoExecute\' when `tolerationSeconds` is set']),
])
def test_a_pod(spec, texts):
    assert errors(**spec) == texts


@pytest.mark.parametrize(("port", "texts"), [
    ({"containerPort": 80, "hostPort": 80}, []),
    ({"containerPort": 80, "hostPort": 81},
     [f"{C}.ports[0].hostPort: Invalid value: 81: must match `containerPort` when `hostNetwork` is true"]),
])
def test_on_the_host_network_ports_are_the_hosts(port, texts):
    assert errors({"ports": [{"protocol": "TCP", **port}]}, hostNetwork=True) == texts


def test_the_labels_of_a_node_selector_are_labels():
    assert errors(nodeSelector={"a b": "c"})[0].startswith('spec.nodeSelector: Invalid value: "a b": name part must')
