"""kr8s, the Python client that asks discovery for what it does not know, works against a lab."""
# ruff: noqa: E402 -- imported when it is known to be there

import urllib.request
import uuid

import pytest

kr8s = pytest.importorskip("kr8s", reason="the Python client kr8s is not installed")
from kr8s.objects import ConfigMap, Deployment, Namespace, Pod, Service, new_class

pytestmark = pytest.mark.lab

IN_CLUSTER = """
import kr8s
api = kr8s.api()
print(api.namespace, api.version()["major"])
print(sorted(item.name for item in api.get("configmaps")))
"""


@pytest.fixture(scope="module")
def api(lab):
    return kr8s.api(kubeconfig=lab.kubeconfig)


@pytest.fixture
def namespace(api):
    """A namespace of the test's own."""
    made = Namespace({"metadata": {"name": f"kr8s-{uuid.uuid4().hex[:8]}"}}, api=api)
    made.create()
    yield made.name
    made.delete()


def a_pod(api, namespace, name, image, *command, port=0):
    container = {"name": "c", "image": image} | ({"command": list(command)} if command else {}) \
        | ({"ports": [{"containerPort": port}]} if port else {})
    made = Pod({"metadata": {"name": name, "namespace": namespace, "labels": {"app": name}},
                "spec": {"terminationGracePeriodSeconds": 1, "containers": [container]}}, api=api)
    made.create()
    made.wait("condition=Ready", timeout=30)
    return made


def settings(api, namespace, name, **data):
    made = ConfigMap({"metadata": {"name": name, "namespace": namespace}, "data": data}, api=api)
    made.create()
    return made


def test_discovery_and_access_are_answered(api):
    assert api.whoami() == "kubernetes-admin"
    kinds = {(kind["kind"], kind["version"], kind["namespaced"]) for kind in api.api_resources()}
    assert {("Pod", "v1", True), ("Deployment", "apps/v1", True), ("Node", "v1", False)} <= kinds
    assert api.version()["minor"] == "33"


def test_objects_are_created_found_patched_and_deleted(api, namespace):
    made = settings(api, namespace, "a", k="1")
    assert made.exists()
    made.patch({"data": {"l": "2"}})
    assert made.data == {"k": "1", "l": "2"}
    made.patch([{"op": "remove", "path": "/data/k"}], type="json")
    made.label(tier="back")
    made.annotate(note="x")
    made.refresh()
    assert (made.data, made.labels, made.annotations) == ({"l": "2"}, {"tier": "back"}, {"note": "x"})
    settings(api, namespace, "b")
    assert [item.name for item in api.get("cm", namespace=namespace, label_selector={"tier": "back"})] == ["a"]
    assert [item.name for item in api.get("configmaps.v1", namespace=namespace,
                                          field_selector={"metadata.name": "b"})] == ["b"]
    made.delete()
    made.wait("delete", timeout=30)
    with pytest.raises(kr8s.NotFoundError):
        made.refresh()
    with pytest.raises(kr8s.NotFoundError):
        ConfigMap.get("a", namespace=namespace, api=api)


def test_a_watch_gives_what_is_there_and_what_comes(api, namespace):
    settings(api, namespace, "w", k="1")
    seen = []
    for event, item in api.watch("configmaps", namespace=namespace, field_selector="metadata.name=w"):
        seen.append((event, item.data.get("k")))
        if event == "ADDED":
            item.patch({"data": {"k": "2"}})
        elif event == "MODIFIED":
            item.delete()
        else:
            break
    assert seen == [("ADDED", "1"), ("MODIFIED", "2"), ("DELETED", "2")]


def test_a_deployment_is_scaled_waited_for_and_reached(api, namespace):
    made = Deployment({"metadata": {"name": "web", "namespace": namespace}, "spec": {
        "selector": {"matchLabels": {"app": "web"}}, "template": {
            "metadata": {"labels": {"app": "web"}},
            "spec": {"terminationGracePeriodSeconds": 1, "containers": [{
                "name": "c", "image": "netlab/echo", "ports": [{"containerPort": 80}]}]}}}}, api=api)
    made.create()
    made.wait("condition=Available", timeout=30)
    made.scale(2)
    made.wait("jsonpath='{.status.readyReplicas}'=2", timeout=30)
    assert sorted(pod.name for pod in made.pods()) == sorted(pod.name for pod in api.get(
        "pods", namespace=namespace, label_selector="app=web"))
    service = Service({"metadata": {"name": "web", "namespace": namespace},
                       "spec": {"selector": {"app": "web"}, "ports": [{"port": 80}]}}, api=api)
    service.create()
    assert len(service.ready_pods()) == 2
    assert service.proxy_http_get("/").status_code == 200
    with service.portforward(remote_port=80) as port, \
            urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=10) as answer:
        assert answer.status == 200


def test_pods_are_entered_read_and_forwarded(api, namespace):
    pod = a_pod(api, namespace, "box", "busybox", "sh", "-c", "echo one; echo two; sleep infinity")
    done = pod.exec(["sh", "-c", "echo out; echo err >&2; exit 3"], check=False)
    assert (done.stdout, done.stderr, done.returncode) == (b"out\n", b"err\n", 3)
    assert list(pod.logs()) == ["one", "two"]
    assert list(pod.logs(tail_lines=1)) == ["two"]
    follow = pod.logs(follow=True, timeout=20)
    assert [next(follow), next(follow)] == ["one", "two"]
    web = a_pod(api, namespace, "web", "netlab/echo", port=80)
    with web.portforward(remote_port=80) as port:
        for _ in range(5):
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=10) as answer:
                assert b"Pod: web" in answer.read()


def test_nodes_are_cordoned_and_owners_set(api, namespace):
    node = next(iter(api.get("nodes")))
    node.cordon()
    node.refresh()
    assert node.unschedulable
    node.uncordon()
    owner, child = settings(api, namespace, "owner"), settings(api, namespace, "child")
    child.set_owner(owner)
    owner.delete()
    child.wait("delete", timeout=30)


def test_kinds_that_it_does_not_know_are_reached_by_their_names(api, namespace):
    lease = new_class(kind="Lease", version="coordination.k8s.io/v1", namespaced=True)
    made = lease({"metadata": {"name": "l", "namespace": namespace}, "spec": {"holderIdentity": "me"}}, api=api)
    made.create()
    assert [item.spec.holderIdentity for item in api.get("leases.coordination.k8s.io", namespace=namespace)] == ["me"]


def test_a_program_in_a_pod_uses_its_account(in_a_pod):
    assert in_a_pod("kr8s", IN_CLUSTER).splitlines() == ["default 1", "['kube-root-ca.crt']"]
