import pytest

from netlab.api.deletion import FOREGROUND, ORPHAN
from netlab.api.patch import JSON_PATCH, STRATEGIC
from netlab.model import meta
from netlab.model.errors import ApiError
from netlab.model.selector_syntax import parse
from tests.api.objects import deployment, pod, registry, service


def config(name="a", **data):
    return {"metadata": {"name": name, "namespace": "default"}, "data": data}


def test_the_namespaces_of_every_cluster_exist_and_carry_their_name():
    r = registry()
    assert [meta.name(n) for n in r.list("namespaces")] == ["default", "kube-node-lease", "kube-public", "kube-system"]
    label = {"kubernetes.io/metadata.name": "default"}
    assert meta.labels(r.get("namespaces", "default")) == label
    r.patch("namespaces", "default", {"metadata": {"labels": None}})
    assert meta.labels(r.get("namespaces", "default")) == label


def test_create_fills_in_what_the_server_owns():
    made = registry().create("deployments", deployment() | {"status": {"replicas": 9}})
    data = made["metadata"]
    assert (data["generation"], data["creationTimestamp"]) == (1, "2026-01-02T03:04:05Z")
    assert data["uid"]
    assert data["resourceVersion"]
    assert made["status"] == {}


def test_nulls_are_absent_and_unknown_fields_survive():
    body = config() | {"spare": {"x": None}}
    body["metadata"]["creationTimestamp"] = None
    made = registry().create("configmaps", body)
    assert made["metadata"]["creationTimestamp"] == "2026-01-02T03:04:05Z"
    assert made["spare"] == {"x": None}


def test_generate_name_appends_five_characters():
    r = registry()
    made = r.create("pods", pod() | {"metadata": {"generateName": "web-" + "x" * 80}})
    assert len(meta.name(made)) == 63
    assert meta.name(r.create("pods", pod() | {"metadata": {"generateName": "web-"}})).startswith("web-")


@pytest.mark.parametrize(("act", "code", "message"), [
    (lambda r: r.create("configmaps", config() | {"metadata": {"name": "a", "namespace": "x"}}), 404,
     'namespaces "x" not found'),
    (lambda r: r.create("configmaps", config("there")), 409, 'configmaps "there" already exists'),
    (lambda r: r.get("deployments", "x", "default"), 404, 'deployments.apps "x" not found'),
    (lambda r: r.create("configmaps", {}), 422,
     'ConfigMap "" is invalid: metadata.name: Required value: name or generateName is required'),
    (lambda r: r.update("configmaps", {"metadata": {"name": "there", "namespace": "default", "resourceVersion": "1"}}),
     409,
     'Operation cannot be fulfilled on configmaps "there": the object has been modified; please apply your changes '
     'to the '
     "latest version and try again"),
    (lambda r: r.delete("namespaces", "default"), 403,
     'namespaces "default" is forbidden: this namespace may not be deleted'),
    (lambda r: r.delete("configmaps", "there", namespace="default", uid="x"), 409, None),
    (lambda r: r.create("services", {"metadata": {"name": "a"}, "spec": {"ports": [{"port": "80"}]}}), 400,
     'Service in version "v1" cannot be handled as a Service: json: cannot unmarshal string into Go struct field '
     "ServicePort.spec.ports.port of type int32"),
    (lambda r: r.create("pods", []), 400, None),
    (lambda r: r.patch("configmaps", "there", {"metadata": {"name": "b"}}, namespace="default"), 400, None),
])
def test_failures_are_upstreams(act, code, message):
    r = registry()
    r.create("configmaps", config("there"))
    before = r.store.revision
    with pytest.raises(ApiError) as caught:
        act(r)
    assert caught.value.code == code
    assert message in (None, caught.value.message)
    assert r.store.revision == before


def test_an_update_that_changes_nothing_keeps_the_resource_version():
    r = registry()
    made = r.create("deployments", deployment())
    assert r.update("deployments", deployment()) is r.get("deployments", "web", "default")
    assert r.patch("deployments", "web", {"spec": {"replicas": 1}}, namespace="default") == made


def test_generation_counts_changes_of_the_spec_only():
    r = registry()
    made = r.create("deployments", deployment())
    labelled = r.patch("deployments", "web", {"metadata": {"labels": {"a": "b"}}}, namespace="default")
    scaled = r.patch("deployments", "web", {"spec": {"replicas": 3}}, namespace="default")
    stated = r.update("deployments", scaled | {"status": {"replicas": 3}}, subresource="status")
    assert [meta.metadata(m)["generation"] for m in (made, labelled, scaled, stated)] == [1, 1, 2, 2]


def test_status_and_spec_are_written_apart():
    r = registry()
    made = r.create("pods", pod())
    changed = made | {"status": {"phase": "Running"}, "metadata": made["metadata"] | {"labels": {"x": "y"}}}
    assert r.update("pods", changed)["status"]["phase"] == "Pending"
    new = r.update("pods", changed | {"spec": {}, "metadata": made["metadata"] | {"resourceVersion": ""}},
                   subresource="status")
    assert (new["status"]["phase"], meta.labels(new)) == ("Running", {"x": "y"})
    assert new["spec"] == made["spec"]


def test_dry_run_stores_nothing():
    r = registry()
    before = r.store.revision
    r.create("pods", pod(), dry_run=True)
    r.create("configmaps", config("a"), dry_run=True)
    assert r.store.revision == before


def test_finalizers_hold_an_object():
    r = registry()
    r.create("configmaps", {"metadata": {"name": "a", "namespace": "default", "finalizers": ["x/y"]}})
    held = r.delete("configmaps", "a", namespace="default")
    assert meta.is_deleting(held)
    with pytest.raises(ApiError, match="no new finalizers can be added if the object is being deleted"):
        r.patch("configmaps", "a", {"metadata": {"finalizers": ["x/y", "x/z"]}}, namespace="default")
    r.patch("configmaps", "a", {"metadata": {"finalizers": []}}, namespace="default")
    assert r.find("configmaps", "a", "default") is None


@pytest.mark.parametrize(("policy", "finalizer"), [("Orphan", ORPHAN), ("Foreground", FOREGROUND),
                                                   ("Background", None)])
def test_propagation_is_left_to_the_garbage_collector(policy, finalizer):
    r = registry()
    r.create("deployments", deployment())
    r.delete("deployments", "web", namespace="default", propagation=policy)
    left = r.find("deployments", "web", "default")
    assert (meta.metadata(left)["finalizers"] if left else None) == ([finalizer] if finalizer else None)


def test_a_pod_on_a_node_waits_for_its_kubelet():
    r = registry()
    r.create("pods", pod())
    r.bind("default", "web", "worker")
    held = r.delete("pods", "web", namespace="default")
    assert meta.metadata(held)["deletionTimestamp"] == "2026-01-02T03:04:35Z"
    assert meta.metadata(held)["deletionGracePeriodSeconds"] == 30
    assert r.delete("pods", "web", namespace="default") == held
    assert meta.metadata(r.delete("pods", "web", namespace="default",
                                  grace_period=5))["deletionGracePeriodSeconds"] == 5
    r.update("pods", held | {"metadata": held["metadata"] | {"resourceVersion": ""}, "status": {"phase": "Running"}},
             subresource="status")
    assert r.find("pods", "web", "default")
    r.delete("pods", "web", namespace="default", grace_period=0)
    assert r.find("pods", "web", "default") is None


@pytest.mark.parametrize("prepare", [
    lambda r: None,
    lambda r: (r.bind("default", "web", "worker"),
               r.patch("pods", "web", {"status": {"phase": "Failed"}}, namespace="default", subresource="status")),
])
def test_a_pod_without_node_or_that_has_ended_goes_at_once(prepare):
    r = registry()
    r.create("pods", pod())
    prepare(r)
    r.delete("pods", "web", namespace="default")
    assert r.find("pods", "web", "default") is None


def test_a_namespace_is_emptied_before_it_goes():
    r = registry()
    r.create("namespaces", {"metadata": {"name": "x"}})
    r.delete("namespaces", "x")
    assert r.get("namespaces", "x")["status"]["phase"] == "Terminating"
    with pytest.raises(ApiError) as caught:
        r.create("services", service() | {"metadata": {"name": "web", "namespace": "x"}})
    assert (caught.value.code, caught.value.details["causes"][0]["reason"]) == (403, "NamespaceTerminating")
    gone = r.get("namespaces", "x")
    r.update("namespaces", gone | {"spec": gone["spec"] | {"finalizers": []}}, subresource="finalize")
    assert r.find("namespaces", "x") is None


def test_a_pod_is_bound_once():
    r = registry()
    r.create("pods", pod())
    bound = r.bind("default", "web", "worker")
    assert bound["spec"]["nodeName"] == "worker"
    with pytest.raises(ApiError, match='pod web is already assigned to node "worker"'):
        r.bind("default", "web", "worker2")


def test_delete_collection_takes_what_the_selector_chooses():
    r = registry()
    for name, app in (("a", "x"), ("b", "y")):
        r.create("configmaps", {"metadata": {"name": name, "namespace": "default", "labels": {"app": app}}})
    assert [meta.name(m) for m in r.delete_collection("configmaps", "default", labels=parse("app=x"))] == ["a"]
    assert [meta.name(m) for m in r.list("configmaps")] == ["b"]


def test_scale_reads_and_writes_replicas():
    r = registry()
    r.create("deployments", deployment())
    scale = r.patch("deployments", "web", {"spec": {"replicas": 4}}, namespace="default", subresource="scale")
    assert (scale["kind"], scale["spec"], scale["status"]) == ("Scale", {"replicas": 4},
                                                               {"replicas": 0, "selector": "app=web"})
    assert r.get("deployments", "web", "default")["spec"]["replicas"] == 4
    with pytest.raises(ApiError, match="must be greater than or equal to 0"):
        r.patch("deployments", "web", {"spec": {"replicas": -1}}, namespace="default", subresource="scale")


def test_patches_of_each_type_reach_the_store():
    r = registry()
    r.create("deployments", deployment())
    image = {"spec": {"template": {"spec": {"containers": [{"name": "c", "image": "echo:2"}]}}}}
    new = r.patch("deployments", "web", image, namespace="default", patch_type=STRATEGIC)
    assert new["spec"]["template"]["spec"]["containers"][0]["image"] == "echo:2"
    new = r.patch("deployments", "web", [{"op": "replace", "path": "/spec/replicas", "value": 7}], namespace="default",
                  patch_type=JSON_PATCH)
    assert new["spec"]["replicas"] == 7


def test_server_side_apply_creates_or_merges():
    r = registry()
    made, created = r.apply("configmaps", config(a="1"), manager="one")
    assert created
    new, created = r.apply("configmaps", config(b="2"), manager="two")
    assert (new["data"], created) == ({"a": "1", "b": "2"}, False)
    assert meta.uid(new) == meta.uid(made)


def test_a_node_may_be_registered_with_its_status():
    body = {"metadata": {"name": "worker"}, "status": {"conditions": [{"type": "Ready", "status": "True"}]}}
    assert registry().create("nodes", body)["status"] == body["status"]


def test_empty_collections_of_the_metadata_are_absent():
    r = registry()
    empty = {"labels": {}, "annotations": {}, "ownerReferences": [], "finalizers": []}
    made = r.create("configmaps", {"metadata": {"name": "a", "namespace": "default"} | empty})
    assert not empty.keys() & made["metadata"].keys()
    r.patch("configmaps", "a", {"metadata": {"labels": {"b": "c"}}}, namespace="default")
    assert meta.labels(r.get("configmaps", "a", "default")) == {"b": "c"}
    changed = r.patch("configmaps", "a", {"metadata": {"labels": {"b": None}}}, namespace="default")
    assert "labels" not in changed["metadata"]


def test_a_changed_selector_is_refused_with_every_cause():
    r = registry()
    r.create("deployments", deployment())
    with pytest.raises(ApiError) as refused:
        r.patch("deployments", "web", {"spec": {"selector": {"matchLabels": {"app": "other"}}}}, namespace="default")
    assert [cause["field"] for cause in refused.value.details["causes"]] == [
        "spec.template.metadata.labels", "spec.selector"]
    assert "field is immutable" in refused.value.message
