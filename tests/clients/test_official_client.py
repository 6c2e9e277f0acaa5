"""The official Python client, `kubernetes`, works against a lab as against a cluster."""

import threading
import uuid

import pytest

pytest.importorskip("kubernetes", reason="the Python client `kubernetes` is not installed")
from kubernetes import client, config, dynamic, stream, utils, watch
from kubernetes.client.rest import ApiException

pytestmark = pytest.mark.lab

IN_CLUSTER = """
from kubernetes import client, config
config.load_incluster_config()
core = client.CoreV1Api()
print(client.VersionApi().get_code().git_version[:3])
print(sorted(item.metadata.name for item in core.list_namespaced_config_map("default").items))
try:
    core.list_namespaced_secret("default")
except client.ApiException as error:
    print(error.status, error.reason)
"""


@pytest.fixture(scope="module")
def api(lab):
    with config.new_client_from_config(lab.kubeconfig) as made:
        yield made


@pytest.fixture
def namespace(api):
    """A namespace of the test's own."""
    core, name = client.CoreV1Api(api), f"official-{uuid.uuid4().hex[:8]}"
    core.create_namespace(client.V1Namespace(metadata=client.V1ObjectMeta(name=name)))
    yield name
    core.delete_namespace(name)


@pytest.fixture
def core(api):
    return client.CoreV1Api(api)


def a_pod(name, *command, image="busybox", labels=None, port=None):
    ports = [client.V1ContainerPort(container_port=port)] if port else None
    return client.V1Pod(
        metadata=client.V1ObjectMeta(name=name, labels=labels),
        spec=client.V1PodSpec(termination_grace_period_seconds=1, containers=[
            client.V1Container(name="c", image=image, command=list(command) or None, ports=ports)]))


def settings(name, *, labels=None, **data):
    return client.V1ConfigMap(metadata=client.V1ObjectMeta(name=name, labels=labels), data=data)


def until_ready(core, namespace, name):
    """Waits by a watch, as the client's users do."""
    for event in watch.Watch().stream(core.list_namespaced_pod, namespace, field_selector=f"metadata.name={name}",
                                      timeout_seconds=30):
        conditions = event["object"].status.conditions or ()
        if any(one.type == "Ready" and one.status == "True" for one in conditions):
            return event["object"]
    raise AssertionError(f"{name} is not ready")


def test_objects_are_created_read_replaced_and_deleted(core, namespace):
    made = core.create_namespaced_config_map(namespace, settings("a", k="1"))
    assert (made.data, made.metadata.namespace) == ({"k": "1"}, namespace)
    assert made.metadata.creation_timestamp.tzinfo is not None
    with pytest.raises(ApiException) as refused:
        core.create_namespaced_config_map(namespace, settings("a"))
    assert (refused.value.status, refused.value.reason) == (409, "Conflict")
    made.data = {"k": "2"}
    newer = core.replace_namespaced_config_map("a", namespace, made)
    assert core.read_namespaced_config_map("a", namespace) == newer
    with pytest.raises(ApiException) as refused:
        core.replace_namespaced_config_map("a", namespace, made)
    assert '"reason":"Conflict"' in refused.value.body
    assert core.delete_namespaced_config_map("a", namespace)["status"] == "Success"
    with pytest.raises(ApiException) as refused:
        core.read_namespaced_config_map("a", namespace)
    assert refused.value.status == 404


def test_lists_take_selectors_and_come_in_pages(core, namespace):
    for number in range(5):
        core.create_namespaced_config_map(namespace, settings(f"m{number}", labels={"odd": str(number % 2)}))
    names = [item.metadata.name for item in core.list_namespaced_config_map(namespace, label_selector="odd=1").items]
    assert names == ["m1", "m3"]
    found = core.list_namespaced_config_map(namespace, field_selector="metadata.name=m2").items
    assert [item.metadata.name for item in found] == ["m2"]
    pages, more = [], None
    while more != "":  # None to begin with
        page = core.list_namespaced_config_map(namespace, limit=2, _continue=more, label_selector="odd")
        pages.append([item.metadata.name for item in page.items])
        more = page.metadata._continue or ""
    assert pages == [["m0", "m1"], ["m2", "m3"], ["m4"]]
    everywhere = core.list_config_map_for_all_namespaces(label_selector="odd=0").items
    assert [item.metadata.name for item in everywhere] == ["m0", "m2", "m4"]
    core.delete_collection_namespaced_config_map(namespace, label_selector="odd=0")
    assert len(core.list_namespaced_config_map(namespace, label_selector="odd").items) == 2


def test_a_watch_gives_changes_in_order_and_goes_on_from_where_it_ended(core, namespace):
    start = core.list_namespaced_config_map(namespace).metadata.resource_version

    def change():
        core.create_namespaced_config_map(namespace, settings("w", k="1"))
        core.patch_namespaced_config_map("w", namespace, {"data": {"k": "2"}})
        core.delete_namespaced_config_map("w", namespace)
        core.create_namespaced_config_map(namespace, settings("x"))

    worker = threading.Thread(target=change)
    worker.start()
    seen, watcher = [], watch.Watch()
    for event in watcher.stream(core.list_namespaced_config_map, namespace, resource_version=start, timeout_seconds=30,
                                field_selector="metadata.name!=kube-root-ca.crt"):
        seen.append((event["type"], event["object"].metadata.name, (event["object"].data or {}).get("k"),
                     event["object"].metadata.resource_version))
        if event["object"].metadata.name == "x":
            watcher.stop()
    worker.join()
    assert [row[:3] for row in seen] == [("ADDED", "w", "1"), ("MODIFIED", "w", "2"), ("DELETED", "w", "2"),
                                         ("ADDED", "x", None)]
    watcher = watch.Watch()
    rest = []
    for event in watcher.stream(core.list_namespaced_config_map, namespace, resource_version=seen[1][3],
                                timeout_seconds=30):
        rest.append(event["type"])
        if len(rest) == 2:
            watcher.stop()
    assert rest == ["DELETED", "ADDED"]


def test_a_watch_ends_after_its_seconds_and_revisions_to_come_are_refused(core, namespace):
    assert list(watch.Watch().stream(core.list_namespaced_secret, namespace, timeout_seconds=1)) == []
    with pytest.raises(ApiException) as refused:
        core.list_namespaced_config_map(namespace, resource_version="99999999")
    assert refused.value.status == 504


@pytest.mark.parametrize(("content_type", "patch", "names"), [
    ("application/strategic-merge-patch+json", {"spec": {"ports": [{"port": 81, "name": "b"}]}}, ["b", "a"]),
    ("application/merge-patch+json", {"spec": {"ports": [{"port": 81, "name": "b"}]}}, ["b"]),
    ("application/json-patch+json", [{"op": "add", "path": "/spec/ports/-", "value": {"port": 81, "name": "b"}}],
     ["a", "b"]),
])
def test_every_kind_of_patch(api, core, namespace, content_type, patch, names):
    core.create_namespaced_service(namespace, client.V1Service(
        metadata=client.V1ObjectMeta(name="s"),
        spec=client.V1ServiceSpec(selector={"app": "s"}, ports=[client.V1ServicePort(port=80, name="a")])))
    got = core.patch_namespaced_service("s", namespace, patch, _content_type=content_type)
    assert [port.name for port in got.spec.ports] == names


def test_the_dynamic_client_finds_kinds_and_applies_on_the_server(api, namespace):
    found = dynamic.DynamicClient(api).resources.get(api_version="v1", kind="ConfigMap")
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "d"}, "data": {"k": "1"}}
    got = found.server_side_apply(body=body, name="d", namespace=namespace, field_manager="tester")
    assert [owner.manager for owner in got.metadata.managedFields] == ["tester"]
    with pytest.raises(dynamic.exceptions.ConflictError):
        found.server_side_apply(body=body | {"data": {"k": "2"}}, name="d", namespace=namespace, field_manager="other")
    assert [item.metadata.name for item in found.get(namespace=namespace, field_selector="metadata.name=d").items] \
        == ["d"]


def test_a_manifest_is_created_by_the_clients_helper_and_scaled(api, namespace):
    apps = client.AppsV1Api(api)
    utils.create_from_dict(api, namespace=namespace, data={
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"}, "spec": {
            "selector": {"matchLabels": {"app": "web"}}, "template": {
                "metadata": {"labels": {"app": "web"}},
                "spec": {"terminationGracePeriodSeconds": 1, "containers": [{"name": "c", "image": "nginx"}]}}}})
    scale = apps.read_namespaced_deployment_scale("web", namespace)
    assert (scale.spec.replicas, scale.status.selector) == (1, "app=web")
    scale.spec.replicas, scale.metadata.resource_version = 2, None  # the controller writes meanwhile
    apps.replace_namespaced_deployment_scale("web", namespace, scale)
    for event in watch.Watch().stream(apps.list_namespaced_deployment, namespace, timeout_seconds=30):
        if event["object"].status.ready_replicas == 2:
            break
    else:
        raise AssertionError("not scaled")


def test_programs_are_executed_over_a_websocket(core, namespace):
    core.create_namespaced_pod(namespace, a_pod("box", "sleep", "infinity"))
    until_ready(core, namespace, "box")
    said = stream.stream(core.connect_get_namespaced_pod_exec, "box", namespace,
                         command=["sh", "-c", "echo out; echo err >&2"], stdout=True, stderr=True)
    assert sorted(said.split()) == ["err", "out"]
    with_input = stream.stream(core.connect_get_namespaced_pod_exec, "box", namespace,
                               command=["sh", "-c", "read a; echo got $a; exit 3"], stdin=True, stdout=True,
                               stderr=True, _preload_content=False)
    with_input.write_stdin("this\n")
    with_input.run_forever(timeout=20)
    assert (with_input.read_stdout(), with_input.returncode) == ("got this\n", 3)
    with pytest.raises(ApiException) as refused:
        stream.stream(core.connect_get_namespaced_pod_exec, "none", namespace, command=["ls"], stdout=True)
    assert refused.value.status in (0, 404)


def test_ports_are_forwarded(core, namespace):
    core.create_namespaced_pod(namespace, a_pod("web", image="netlab/echo", port=80))
    until_ready(core, namespace, "web")
    forwarded = stream.portforward(core.connect_get_namespaced_pod_portforward, "web", namespace, ports="80")
    there = forwarded.socket(80)
    there.setblocking(True)
    there.sendall(b"GET /hostname HTTP/1.1\r\nHost: web\r\nConnection: close\r\n\r\n")
    said = b"".join(iter(lambda: there.recv(65536), b""))
    there.close()
    assert said.startswith(b"HTTP/1.1 200 OK\r\n")
    assert forwarded.error(80) is None
    assert core.connect_get_namespaced_pod_proxy_with_path("web", namespace, "healthz")
    forwarded = stream.portforward(core.connect_get_namespaced_pod_portforward, "web", namespace, ports="81")
    closed = forwarded.socket(81)
    closed.setblocking(True)
    assert closed.recv(100) == b""
    closed.close()
    assert "connection refused" in forwarded.error(81)


def test_logs_are_read_and_followed(core, namespace):
    core.create_namespaced_pod(namespace, a_pod("talk", "sh", "-c", "echo one; echo two; sleep infinity"))
    until_ready(core, namespace, "talk")
    lines = iter(watch.Watch().stream(core.read_namespaced_pod_log, "talk", namespace, follow=True))
    assert [next(lines), next(lines)] == ["one", "two"]
    lines.close()
    assert core.read_namespaced_pod_log("talk", namespace) == "one\ntwo\n"
    assert core.read_namespaced_pod_log("talk", namespace, tail_lines=1) == "two\n"
    assert core.read_namespaced_pod_log("talk", namespace, timestamps=True, limit_bytes=30)[:2] == "20"


def test_a_pod_that_goes_is_seen_to_go(core, namespace):
    core.create_namespaced_pod(namespace, a_pod("gone", "sleep", "infinity"))
    until_ready(core, namespace, "gone")
    core.delete_namespaced_pod("gone", namespace, body=client.V1DeleteOptions(grace_period_seconds=0))
    core.create_namespaced_pod(namespace, a_pod("evicted", "sleep", "infinity"))
    until_ready(core, namespace, "evicted")
    core.create_namespaced_pod_eviction("evicted", namespace, client.V1Eviction(
        metadata=client.V1ObjectMeta(name="evicted", namespace=namespace)))
    for event in watch.Watch().stream(core.list_namespaced_pod, namespace, timeout_seconds=30):
        if (event["type"], event["object"].metadata.name) == ("DELETED", "evicted"):
            return
    raise AssertionError("the pod is still there")


def test_a_program_in_a_pod_uses_its_account(core, in_a_pod):
    core.create_namespaced_config_map("default", settings("shop"))
    try:
        assert in_a_pod("official", IN_CLUSTER) == "v1.\n['kube-root-ca.crt', 'shop']\n403 Forbidden\n"
    finally:
        core.delete_namespaced_config_map("shop", "default")


DEFINITION = {
    "metadata": {"name": "widgets.shop.example.com"},
    "spec": {"group": "shop.example.com", "scope": "Namespaced",
             "names": {"plural": "widgets", "singular": "widget", "kind": "Widget", "listKind": "WidgetList"},
             "versions": [{"name": "v1", "served": True, "storage": True, "subresources": {"status": {}}, "schema": {
                 "openAPIV3Schema": {"type": "object", "properties": {
                     "spec": {"type": "object", "properties": {"size": {"type": "integer", "default": 1}}},
                     "status": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}}}}}]}}


@pytest.fixture
def widgets(api):
    """The kind of the definition, as CustomObjectsApi names it."""
    definitions = client.ApiextensionsV1Api(api)
    made = definitions.create_custom_resource_definition(DEFINITION)
    assert {c.type: c.status for c in made.status.conditions} == {"NamesAccepted": "True", "Established": "True"}
    yield {"group": "shop.example.com", "version": "v1", "plural": "widgets"}
    definitions.delete_custom_resource_definition(made.metadata.name)


def test_custom_objects(api, widgets, namespace):
    custom = client.CustomObjectsApi(api)
    widgets = widgets | {"namespace": namespace}
    body = {"apiVersion": "shop.example.com/v1", "kind": "Widget", "metadata": {"name": "a"}, "spec": {}}
    made = custom.create_namespaced_custom_object(**widgets, body=body)
    assert made["spec"] == {"size": 1}
    events = watch.Watch().stream(custom.list_namespaced_custom_object, **widgets, timeout_seconds=30)
    assert next(events)["type"] == "ADDED"
    changed = custom.patch_namespaced_custom_object(**widgets, name="a", body={"spec": {"size": 2}})
    assert (changed["spec"], changed["metadata"]["generation"]) == ({"size": 2}, 2)
    assert next(events)["object"]["spec"] == {"size": 2}
    custom.patch_namespaced_custom_object_status(**widgets, name="a", body={"status": {"phase": "Done"}})
    assert custom.get_namespaced_custom_object_status(**widgets, name="a")["status"] == {"phase": "Done"}
    with pytest.raises(ApiException) as refused:
        custom.create_namespaced_custom_object(**widgets, body=body | {
            "metadata": {"name": "b"}, "spec": {"size": "x"}})
    assert refused.value.status == 422
    custom.delete_namespaced_custom_object(**widgets, name="a")
    assert custom.list_namespaced_custom_object(**widgets)["items"] == []
