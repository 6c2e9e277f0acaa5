import json

import pytest

from netlab.api.field_set import flatten, from_fields_v1, show, to_fields_v1
from netlab.api.handlers import Api
from netlab.api.managed_fields import manager_name
from netlab.api.shapes import of_kind
from tests.api.objects import NOW, deployment, registry
from tests.api.test_handlers import APPS, NS, answer

APPLY = {"content_type": "application/apply-patch+yaml"}
MERGE = {"content_type": "application/merge-patch+json"}
C = 'k:{"name":"c"}'


@pytest.fixture
def api():
    return Api(registry())


def config(**data):
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}, **({"data": data} if data else {})}


def apply(api, manager, body, *, force=False, path=f"{NS}/configmaps/a"):
    return answer(api, "PATCH", f"{path}?fieldManager={manager}&force={str(force).lower()}", body, **APPLY)


def owners(manifest):
    return {(entry["manager"], entry["operation"], *([entry["subresource"]] if "subresource" in entry else [])):
            entry["fieldsV1"] for entry in manifest["metadata"].get("managedFields", ())}


@pytest.mark.parametrize(("kind", "manifest", "fields"), [
    ("ConfigMap", config(x="1"), {"f:data": {"f:x": {}}}),
    ("ConfigMap", {"metadata": {"name": "a", "uid": "u", "labels": {"l": "1"}, "finalizers": ["x/y"]}},
     {"f:metadata": {"f:labels": {"f:l": {}}, "f:finalizers": {'v:"x/y"': {}}}}),
    ("Service", {"spec": {"selector": {"a": "b"}, "ports": [{"port": 80}], "clusterIPs": ["10.0.0.1"]}},
     {"f:spec": {"f:selector": {}, "f:clusterIPs": {},
                 "f:ports": {'k:{"port":80,"protocol":"TCP"}': {".": {}, "f:port": {}}}}}),
    ("Pod", {"spec": {"containers": [{"name": "c", "env": [{"name": "E", "value": ""}], "args": ["x"]}],
                      "volumes": [{"name": "v", "emptyDir": {}}], "tolerations": []}},
     {"f:spec": {"f:containers": {C: {".": {}, "f:name": {}, "f:args": {}, "f:env": {
         'k:{"name":"E"}': {".": {}, "f:name": {}, "f:value": {}}}}}, "f:tolerations": {},
         "f:volumes": {'k:{"name":"v"}': {".": {}, "f:name": {}, "f:emptyDir": {}}}}}),
])
def test_the_fields_of_an_applied_object(kind, manifest, fields):
    paths = flatten(manifest, of_kind(kind), containers=False)
    assert to_fields_v1(frozenset(paths)) == fields
    assert from_fields_v1(fields) == paths.keys()


def test_a_path_is_shown_with_its_keys():
    path = ("f:spec", C, "f:ports", 'k:{"containerPort":80,"protocol":"TCP"}', 'v:"x"')
    assert show(path) == '.spec[name="c"].ports[containerPort=80,protocol="TCP"][="x"]'


@pytest.mark.parametrize(("given", "agent", "name"), [
    ("me", "kubectl/v1", "me"), ("", "kubectl/v1.33 (linux)", "kubectl"), ("", "", "unknown"), ("", "a\tb/1", "a")])
def test_the_manager_is_the_fieldmanager_or_the_program(given, agent, name):
    assert manager_name(given, agent) == name


def test_who_creates_an_object_owns_its_fields(api):
    made = answer(api, "POST", f"{NS}/configmaps", config(x="1"), user_agent="curl/8")[1]
    assert made["metadata"]["managedFields"] == [
        {"manager": "curl", "operation": "Update", "apiVersion": "v1", "time": "2026-01-02T03:04:05Z",
         "fieldsType": "FieldsV1", "fieldsV1": {"f:data": {".": {}, "f:x": {}}}}]


def test_an_update_takes_what_it_changes_from_the_others(api):
    answer(api, "POST", f"{NS}/configmaps?fieldManager=one", config(x="1", y="1", z="1"))
    new = answer(api, "PATCH", f"{NS}/configmaps/a?fieldManager=two", {"data": {"x": "2", "y": None}}, **MERGE)[1]
    assert owners(new) == {("one", "Update"): {"f:data": {".": {}, "f:z": {}}},
                           ("two", "Update"): {"f:data": {"f:x": {}}}}


def test_a_conflict_names_the_other_manager_and_the_field(api):
    answer(api, "POST", f"{NS}/configmaps?fieldManager=kubectl-client-side-apply", config(a="1"))
    code, status = apply(api, "kubectl", config(a="2"))
    assert (code, status["reason"]) == (409, "Conflict")
    assert status["message"] == \
        'Apply failed with 1 conflict: conflict with "kubectl-client-side-apply" using v1: .data.a'
    assert status["details"] == {"causes": [{
        "reason": "FieldManagerConflict", "message": 'conflict with "kubectl-client-side-apply" using v1',
        "field": ".data.a"}]}
    code, new = apply(api, "kubectl", config(a="2"), force=True)
    assert (code, new["data"]) == (200, {"a": "2"})
    assert owners(new)["kubectl", "Apply"] == {"f:data": {"f:a": {}}}
    assert owners(new)["kubectl-client-side-apply", "Update"] == {"f:data": {}}


def test_several_conflicts_are_listed_by_manager(api):
    apply(api, "one", config(a="1", b="1"))
    apply(api, "two", config(c="1"))
    assert apply(api, "three", config(a="2", b="2", c="2"))[1]["message"] == (
        'Apply failed with 3 conflicts: conflicts with "one":\n- .data.a\n- .data.b\nconflicts with "two":\n- .data.c')


def test_the_same_value_is_owned_by_both_and_stays_until_both_let_it_go(api):
    apply(api, "one", config(a="1", b="1"))
    assert apply(api, "two", config(a="1"))[0] == 200
    assert apply(api, "one", config(b="1"))[1]["data"] == {"a": "1", "b": "1"}
    assert apply(api, "two", config())[1]["data"] == {"b": "1"}
    last = apply(api, "one", config())[1]
    assert "data" not in last
    assert owners(last) == {}


def test_an_apply_that_changes_nothing_keeps_the_resource_version(api):
    first = apply(api, "one", config(a="1"))[1]
    assert apply(api, "one", config(a="1"))[1] == first


def test_an_object_that_nobody_tracked_conflicts_with_what_was_there_before(api):
    api.registry.create("configmaps", config(a="1"))
    assert '"before-first-apply" using v1: .data.a' in apply(api, "one", config(a="2"))[1]["message"]
    assert ("before-first-apply", "Update") in owners(apply(api, "one", config(a="1"))[1])


def test_a_containers_list_is_merged_and_pruned_by_name(api):
    def wanted(*names):
        made = deployment()
        template = made["spec"]["template"]
        template["spec"] = {"containers": [{"name": name, "image": "echo"} for name in names]}
        return made | {"apiVersion": "apps/v1", "kind": "Deployment"}

    path = f"{APPS}/deployments/web"
    assert apply(api, "one", wanted("a", "b"), path=path)[0] == 201
    new = apply(api, "one", wanted("b"), path=path)[1]
    assert [item["name"] for item in new["spec"]["template"]["spec"]["containers"]] == ["b"]
    scaled = answer(api, "PATCH", f"{path}/scale?fieldManager=kubectl", {"spec": {"replicas": 3}}, **MERGE)
    assert scaled[0] == 200
    now = answer(api, "GET", path)[1]
    assert owners(now)["kubectl", "Update", "scale"] == {"f:spec": {"f:replicas": {}}}
    status = {"status": {"observedGeneration": 1}}
    now = answer(api, "PATCH", f"{path}/status?fieldManager=c", status, **MERGE)[1]
    assert owners(now)["c", "Update", "status"]["f:status"] == {"f:observedGeneration": {}}
    one = apply(api, "one", wanted("b") | {"spec": {**wanted("b")["spec"], "replicas": 2}}, path=path)[1]
    assert one["message"] == \
        'Apply failed with 1 conflict: conflict with "kubectl" with subresource "scale" using apps/v1: .spec.replicas'


def test_a_client_may_rewrite_the_entries_as_kubectl_does_to_migrate(api):
    made = answer(api, "POST", f"{NS}/configmaps?fieldManager=kubectl-client-side-apply", config(a="1", b="1"))[1]
    entry = made["metadata"]["managedFields"][0] | {"manager": "kubectl", "operation": "Apply"}
    patch = [{"op": "replace", "path": "/metadata/managedFields", "value": [entry]},
             {"op": "replace", "path": "/metadata/resourceVersion", "value": made["metadata"]["resourceVersion"]}]
    new = answer(api, "PATCH", f"{NS}/configmaps/a", patch, content_type="application/json-patch+json")[1]
    assert owners(new).keys() == {("kubectl", "Apply")}
    assert apply(api, "kubectl", config(a="2"))[1]["data"] == {"a": "2"}


@pytest.mark.parametrize(("query", "body", "headers", "code", "text"), [
    ("", config(), APPLY, 422, "fieldManager: Required value: is required for apply patch"),
    ("fieldManager=a&force=true", {}, MERGE, 422, "force: Forbidden: may not be specified for non-apply patch"),
    ("fieldManager=a", {"metadata": {"managedFields": [{}]}}, APPLY, 400, "metadata.managedFields must be nil"),
])
def test_what_is_refused(api, query, body, headers, code, text):
    answer(api, "POST", f"{NS}/configmaps", config())
    got, status = answer(api, "PATCH", f"{NS}/configmaps/a?{query}", json.loads(json.dumps(body)), **headers)
    assert got == code
    assert text in status["message"]


def test_writes_of_controllers_keep_the_entries(api):
    made = apply(api, "one", config(a="1"))[1]
    new = api.registry.patch("configmaps", "a", {"data": {"b": "2"}}, namespace="default")
    assert new["metadata"]["managedFields"] == made["metadata"]["managedFields"]


@pytest.mark.parametrize(("spec", "text"), [
    ({"replicas": "three"}, ".spec.replicas: expected numeric (int or float), got string"),
    ({"paused": 1}, ".spec.paused: expected boolean, got &{1}"),
    ({"selector": []}, ".spec.selector: expected map, got &{[]}"),
    ({"template": {"spec": {"containers": {"a": "b"}}}},
     ".spec.template.spec.containers: expected list, got &{map[a:b]}"),
    ({"template": {"spec": {"containers": [{"name": "c", "env": [{"name": "A", "value": 1}]}]}}},
     '.spec.template.spec.containers[name="c"].env[name="A"].value: expected string, got &value.valueUnstructured'
     "{Value:1}"),
    ({"zap": 1, "strategy": {"zip": 1}},
     "errors:\n  .spec.zap: field not declared in schema\n  .spec.strategy.zip: field not declared in schema"),
])
def test_a_configuration_that_does_not_fit_the_schema_is_refused(api, spec, text):
    body = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"}, "spec": spec}
    code, status = apply(api, "one", body, path="/apis/apps/v1/namespaces/default/deployments/web")
    assert (code, status["message"]) == (
        400, f"failed to create typed patch object (default/web; apps/v1, Kind=Deployment): {text}")


def test_what_the_server_gives_is_nobodys_and_leaving_it_out_is_no_change():
    api, clock = Api(registry()), iter(range(60))
    api.registry.clock = lambda: NOW.replace(second=next(clock))
    body = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "web"},
            "spec": {"type": "NodePort", "ports": [{"port": 80}]}}
    made = answer(api, "POST", f"{NS}/services?fieldManager=m", body)[1]
    mine = owners(made)["m", "Update"]["f:spec"]
    assert mine.keys() == {"f:type", "f:ports", "f:sessionAffinity", "f:internalTrafficPolicy",
                           "f:externalTrafficPolicy"}
    assert "f:nodePort" not in mine["f:ports"]['k:{"port":80,"protocol":"TCP"}']
    assert answer(api, "PUT", f"{NS}/services/web?fieldManager=m", body)[1] == made
