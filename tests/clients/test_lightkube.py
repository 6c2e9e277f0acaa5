"""lightkube, the typed Python client, works against a lab."""
# ruff: noqa: E402 -- imported when it is known to be there

import threading
import uuid

import pytest

lightkube = pytest.importorskip("lightkube", reason="the Python client lightkube is not installed")
from lightkube import ApiError, Client, KubeConfig, codecs
from lightkube.models.meta_v1 import ObjectMeta
from lightkube.resources.apps_v1 import Deployment
from lightkube.resources.core_v1 import ConfigMap, Namespace, Node, Pod, Service
from lightkube.types import CascadeType, PatchType

pytestmark = pytest.mark.lab

IN_CLUSTER = """
from lightkube import ApiError, Client
from lightkube.resources.core_v1 import ConfigMap, Secret
client = Client()
print(client.namespace, [item.metadata.name for item in client.list(ConfigMap)])
try:
    list(client.list(Secret))
except ApiError as error:
    print(error.status.code, error.status.reason)
"""
WEB = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {terminationGracePeriodSeconds: 1, containers: [{name: c, image: nginx}]}
---
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {selector: {app: web}, ports: [{port: 80, name: http}]}
"""


@pytest.fixture
def client(lab):
    """A client in a namespace of the test's own."""
    name = f"light-{uuid.uuid4().hex[:8]}"
    made = Client(config=KubeConfig.from_file(lab.kubeconfig), namespace=name, field_manager="tester")
    made.create(Namespace(metadata=ObjectMeta(name=name)))
    yield made
    made.delete(Namespace, name)


def settings(name, labels=None, **data):
    return ConfigMap(metadata=ObjectMeta(name=name, labels=labels), data=data)


def names(items):
    return [item.metadata.name for item in items]


def test_objects_are_created_read_replaced_and_deleted(client):
    made = client.create(settings("a", k="1"))
    with pytest.raises(ApiError) as refused:
        client.create(settings("a"))
    assert (refused.value.status.code, refused.value.status.reason) == (409, "AlreadyExists")
    made.data = {"k": "2"}
    assert client.replace(made).metadata.resourceVersion != made.metadata.resourceVersion
    with pytest.raises(ApiError) as refused:
        client.replace(made)
    assert refused.value.status.reason == "Conflict"
    assert client.get(ConfigMap, "a").data == {"k": "2"}
    client.delete(ConfigMap, "a", cascade=CascadeType.BACKGROUND)
    with pytest.raises(ApiError) as refused:
        client.get(ConfigMap, "a")
    assert refused.value.status.reason == "NotFound"


def test_lists_take_selectors_and_come_in_pages(client):
    for number in range(5):
        client.create(settings(f"m{number}", labels={"odd": str(number % 2)}))
    assert names(client.list(ConfigMap, labels={"odd": "1"})) == ["m1", "m3"]
    assert names(client.list(ConfigMap, labels={"odd": ("0", "2")})) == ["m0", "m2", "m4"]
    assert names(client.list(ConfigMap, fields={"metadata.name": "m2"})) == ["m2"]
    assert names(client.list(ConfigMap, labels={"odd": None}, chunk_size=2)) == ["m0", "m1", "m2", "m3", "m4"]
    client.deletecollection(ConfigMap)
    assert names(client.list(ConfigMap, labels={"odd": None})) == []
    assert len(list(client.list(Node))) == 1


def test_a_watch_gives_changes_in_order_and_goes_on_from_where_it_ended(client):
    start = client.create(settings("w", k="1")).metadata.resourceVersion

    def change():
        client.patch(ConfigMap, "w", {"data": {"k": "2"}})
        client.delete(ConfigMap, "w")

    worker = threading.Thread(target=change)
    worker.start()
    seen = []
    for event, item in client.watch(ConfigMap, fields={"metadata.name": "w"}, resource_version=start,
                                    server_timeout=30):
        seen.append((event, item.data["k"], item.metadata.resourceVersion))
        if event == "DELETED":
            break
    worker.join()
    assert [row[:2] for row in seen] == [("MODIFIED", "2"), ("DELETED", "2")]
    for event, item in client.watch(ConfigMap, resource_version=seen[0][2], server_timeout=30):
        assert (event, item.metadata.resourceVersion) == ("DELETED", seen[1][2])
        break


@pytest.mark.parametrize(("kind", "patch", "ports"), [
    (PatchType.STRATEGIC, {"spec": {"ports": [{"port": 81, "name": "b"}]}}, ["b", "http"]),
    (PatchType.MERGE, {"spec": {"ports": [{"port": 81, "name": "b"}]}}, ["b"]),
    (PatchType.JSON, [{"op": "replace", "path": "/spec/ports/0/name", "value": "b"}], ["b"]),
    (PatchType.APPLY, {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "web"},
                       "spec": {"ports": [{"port": 81, "name": "b"}]}}, ["http", "b"]),
])
def test_every_kind_of_patch(client, kind, patch, ports):
    client.create(next(item for item in codecs.load_all_yaml(WEB) if item.kind == "Service"))
    got = client.patch(Service, "web", patch, patch_type=kind)
    assert [port.name for port in got.spec.ports] == ports


def test_manifests_are_applied_and_conditions_waited_for(client):
    for item in codecs.load_all_yaml(WEB):
        applied = client.apply(item)
        assert applied.metadata.managedFields[0].manager == "tester"
    client.wait(Deployment, "web", for_conditions=["Available"])
    with pytest.raises(ApiError) as refused:
        client.apply(Service.from_dict({"metadata": {"name": "web"}, "spec": {"ports": [{"port": 80, "name": "x"}]}}),
                     field_manager="other")
    assert refused.value.status.reason == "Conflict"
    scale = client.get(Deployment.Scale, "web")
    scale.spec.replicas = 2
    client.replace(scale, "web")
    assert client.get(Deployment, "web").spec.replicas == 2
    pod = next(iter(client.list(Pod, labels={"app": "web"})))
    client.wait(Pod, pod.metadata.name, for_conditions=["Ready"])


def test_logs_are_read_and_followed(client):
    client.create(Pod.from_dict({
        "metadata": {"name": "talk"}, "spec": {"terminationGracePeriodSeconds": 1, "containers": [
            {"name": "c", "image": "busybox", "command": ["sh", "-c", "echo one; echo two; sleep infinity"]}]}}))
    client.wait(Pod, "talk", for_conditions=["Ready"])
    lines = client.log("talk", follow=True)
    assert [next(lines), next(lines)] == ["one\n", "two\n"]
    assert [line.strip() for line in client.log("talk", tail_lines=1)] == ["two"]
    assert [line.strip() for line in client.log("talk", since=600)] == ["one", "two"]


def test_a_program_in_a_pod_uses_its_account(in_a_pod):
    assert in_a_pod("light", IN_CLUSTER) == "default ['kube-root-ca.crt']\n403 Forbidden\n"
