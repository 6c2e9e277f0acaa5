"""Kinds that users bring along, as upstream serves them."""

import json

import pytest

from netlab.api.decode import copy
from netlab.api.handlers import Api
from netlab.api.registry import Registry
from netlab.model.lab_spec import LabSpec
from netlab.store import Store
from tests.api.objects import registry
from tests.api.test_handlers import TABLE, V2, answer

DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
TABS = "/apis/stable.example.com/v1/namespaces/default/crontabs"
MERGE = {"content_type": "application/merge-patch+json"}
SCHEMA = {"type": "object", "properties": {
    "spec": {"type": "object", "required": ["cronSpec"], "properties": {
        "cronSpec": {"type": "string", "pattern": r"^\S+ \S+$", "maxLength": 9},
        "replicas": {"type": "integer", "minimum": 1, "maximum": 10, "default": 1},
        "size": {"type": "string", "enum": ["small", "large"]},
        "note": {"type": "string", "nullable": True},
        "port": {"x-kubernetes-int-or-string": True},
        "until": {"type": "string", "format": "date-time"},
        "tags": {"type": "array", "x-kubernetes-list-type": "set", "maxItems": 2, "items": {"type": "string"}},
        "free": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
        "weights": {"type": "object", "additionalProperties": {
            "type": "number", "exclusiveMinimum": True, "minimum": 0}},
        "ports": {"type": "array", "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"],
                  "items": {"type": "object", "required": ["name"], "properties": {
                      "name": {"type": "string"}, "port": {"type": "integer", "default": 80}}}}}},
    "status": {"type": "object", "properties": {"replicas": {"type": "integer"}, "selector": {"type": "string"}}}}}
VERSION = {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": SCHEMA},
           "subresources": {"status": {}, "scale": {"specReplicasPath": ".spec.replicas",
                                                    "statusReplicasPath": ".status.replicas",
                                                    "labelSelectorPath": ".status.selector"}},
           "selectableFields": [{"jsonPath": ".spec.size"}],
           "additionalPrinterColumns": [{"name": "Spec", "type": "string", "jsonPath": ".spec.cronSpec"},
                                        {"name": "Replicas", "type": "integer", "jsonPath": ".spec.replicas"},
                                        {"name": "Tags", "type": "string", "jsonPath": ".spec.tags", "priority": 1}]}
BETA = {"name": "v1beta1", "served": True, "storage": False,
        "schema": {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}}}


def definition(*, scope="Namespaced", versions=(VERSION, BETA), kind="CronTab", plural="crontabs", **names):
    group = "stable.example.com"
    return {"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
            "metadata": {"name": f"{plural}.{group}"},
            "spec": {"group": group, "scope": scope, "versions": copy(list(versions)),
                     "names": {"plural": plural, "kind": kind, "shortNames": ["ct"], **names}}}


def tab(name="a", **spec):
    return {"apiVersion": "stable.example.com/v1", "kind": "CronTab", "metadata": {"name": name},
            "spec": {"cronSpec": "* *", **spec}}


@pytest.fixture
def api():
    made = Api(registry())
    assert answer(made, "POST", DEFINITIONS, definition())[0] == 201
    return made


def test_a_definition_is_established_and_served_at_once(api):
    _, stored = answer(api, "GET", f"{DEFINITIONS}/crontabs.stable.example.com")
    status = stored["status"]
    assert [(c["type"], c["status"], c["reason"]) for c in status["conditions"]] == [
        ("NamesAccepted", "True", "NoConflicts"), ("Established", "True", "InitialNamesAccepted")]
    assert status["storedVersions"] == ["v1"]
    assert status["acceptedNames"] == {"plural": "crontabs", "kind": "CronTab", "shortNames": ["ct"],
                                       "singular": "crontab", "listKind": "CronTabList"}
    _, groups = answer(api, "GET", "/apis", accept=V2)
    group = next(item for item in groups["items"] if item["metadata"]["name"] == "stable.example.com")
    assert [version["version"] for version in group["versions"]] == ["v1", "v1beta1"]
    assert [r["resource"] for version in group["versions"] for r in version["resources"]] == ["crontabs"] * 2
    _, found = answer(api, "GET", "/apis/stable.example.com/v1")
    assert [item["name"] for item in found["resources"]] == ["crontabs", "crontabs/status", "crontabs/scale"]
    assert answer(api, "GET", "/openapi/v3/apis/stable.example.com/v1")[1]["components"]["schemas"][
        "com.example.stable.v1.CronTab"]["properties"]["spec"]["properties"]["replicas"]["minimum"] == 1


def test_objects_are_given_defaults_and_lose_what_the_schema_does_not_know(api):
    _, made = answer(api, "POST", f"{TABS}?fieldValidation=Ignore", tab(
        wrong=1, free={"a": {"b": 1}}, ports=[{"name": "x", "y": 1}]) | {"more": 1})
    assert made["spec"] == {"cronSpec": "* *", "replicas": 1, "free": {"a": {"b": 1}},
                            "ports": [{"name": "x", "port": 80}]}
    assert "more" not in made
    assert made["metadata"]["generation"] == 1


def test_strict_clients_are_told_of_unknown_fields(api):
    code, body = answer(api, "POST", f"{TABS}?fieldValidation=Strict", tab(wrong=1))
    assert (code, body["message"]) == (400, 'CronTab in version "v1" cannot be handled as a CronTab: strict decoding '
                                            'error: unknown field "spec.wrong"')


WRONG = [
    ({"replicas": "x"},
     'spec.replicas: Invalid value: "string": spec.replicas in body must be of type integer: "string"'),
    ({"replicas": None}, None),
    ({"replicas": 0}, "spec.replicas: Invalid value: 0: spec.replicas in body should be greater than or equal to 1"),
    ({"replicas": 11}, "spec.replicas: Invalid value: 11: spec.replicas in body should be less than or equal to 10"),
    ({"replicas": 1.5},
     'spec.replicas: Invalid value: "number": spec.replicas in body must be of type integer: "number"'),
    ({"replicas": 2.0}, None),
    ({"replicas": True},
     'spec.replicas: Invalid value: "boolean": spec.replicas in body must be of type integer: "boolean"'),
    ({"cronSpec": "x"}, 'spec.cronSpec: Invalid value: "x": spec.cronSpec in body should match \'^\\S+ \\S+$\''),
    ({"cronSpec": "12345 6789"}, "spec.cronSpec: Too long: may not be more than 9 bytes"),
    ({"size": "x"}, 'spec.size: Unsupported value: "x": supported values: "small", "large"'),
    ({"note": None}, None),
    ({"port": 80}, None), ({"port": "http"}, None),
    ({"port": []},
     'spec.port: Invalid value: "array": spec.port in body must be of type integer,string: "array"'),
    ({"until": "2026-01-01T00:00:00Z"}, None),
    ({"until": "soon"}, 'spec.until: Invalid value: "soon": spec.until in body must be of type date-time: "soon"'),
    ({"tags": ["a", "a"]}, 'spec.tags[1]: Duplicate value: "a"'),
    ({"tags": ["a", "b", "c"]}, "spec.tags: Too many: 3: must have at most 2 items"),
    ({"weights": {"a": 0}}, "spec.weights.a: Invalid value: 0: spec.weights.a in body should be greater than 0"),
    ({"weights": []}, 'spec.weights: Invalid value: "array": spec.weights in body must be of type object: "array"'),
    ({"ports": [{"name": "a"}, {"name": "a"}]}, 'spec.ports[1]: Duplicate value: {"name":"a"}'),
    ({"ports": [{"port": 1}]}, "spec.ports[0].name: Required value"),
    ({"ports": {"name": "a"}},
     'spec.ports: Invalid value: "object": spec.ports in body must be of type array: "object"'),
]


@pytest.mark.parametrize(("spec", "text"), WRONG)
def test_what_a_schema_forbids_is_refused_in_upstreams_words(api, spec, text):
    code, body = answer(api, "POST", TABS, tab(**spec))
    if text is None:
        assert code == 201, body
    else:
        assert (code, body["message"]) == (422, f'CronTab.stable.example.com "a" is invalid: {text}')


def test_a_missing_field_is_required(api):
    assert answer(api, "POST", TABS, tab() | {"spec": {}})[1]["message"].endswith("spec.cronSpec: Required value")


def test_patches(api):
    answer(api, "POST", TABS, tab())
    assert answer(api, "PATCH", f"{TABS}/a", {"spec": {"replicas": 3}}, **MERGE)[1]["spec"]["replicas"] == 3
    _, patched = answer(api, "PATCH", f"{TABS}/a", [{"op": "replace", "path": "/spec/replicas", "value": 4}],
                        content_type="application/json-patch+json")
    assert (patched["spec"]["replicas"], patched["metadata"]["generation"]) == (4, 3)
    code, body = answer(api, "PATCH", f"{TABS}/a", {}, content_type="application/strategic-merge-patch+json")
    assert (code, body["message"].partition(": ")[2]) == (
        415, "application/json-patch+json, application/merge-patch+json, application/apply-patch+yaml")


def test_server_side_apply_knows_the_keys_of_lists(api):
    headers = {"content_type": "application/apply-patch+yaml"}
    for manager, port in (("one", "x"), ("two", "y")):
        code, body = answer(api, "PATCH", f"{TABS}/a?fieldManager={manager}", tab(ports=[{"name": port}]), **headers)
    assert (code, [item["name"] for item in body["spec"]["ports"]]) == (200, ["x", "y"])
    code, body = answer(api, "PATCH", f"{TABS}/a?fieldManager=two", tab(cronSpec="1 1"), **headers)
    assert (code, body["message"]) == (409, 'Apply failed with 1 conflict: conflict with "one": .spec.cronSpec')


def test_status_and_scale_have_paths_of_their_own(api):
    answer(api, "POST", TABS, tab() | {"status": {"replicas": 9}})
    assert "status" not in answer(api, "GET", f"{TABS}/a")[1]
    _, scaled = answer(api, "PATCH", f"{TABS}/a/scale", {"spec": {"replicas": 5}}, **MERGE)
    assert (scaled["spec"], scaled["status"]) == ({"replicas": 5}, {"replicas": 0})
    _, body = answer(api, "PATCH", f"{TABS}/a/status", {"status": {"replicas": 5, "selector": "a=b"}}, **MERGE)
    assert (body["status"], body["metadata"]["generation"]) == ({"replicas": 5, "selector": "a=b"}, 2)
    assert answer(api, "GET", f"{TABS}/a/scale")[1]["status"] == {"replicas": 5, "selector": "a=b"}
    assert answer(api, "PATCH", f"{TABS}/a/status", {"status": {"replicas": "x"}}, **MERGE)[0] == 422


def test_tables_have_the_definitions_columns(api):
    answer(api, "POST", TABS, tab(tags=["x"]))
    _, table = answer(api, "GET", TABS, accept=TABLE)
    assert [(c["name"], c["type"], c["priority"]) for c in table["columnDefinitions"]] == [
        ("Name", "string", 0), ("Spec", "string", 0), ("Replicas", "integer", 0), ("Tags", "string", 1)]
    assert table["rows"][0]["cells"] == ["a", "* *", 1, '["x"]']
    answer(api, "POST", DEFINITIONS, definition(plural="dots", kind="Dot", versions=[BETA | {"storage": True}],
                                                shortNames=[]))
    _, table = answer(api, "GET", "/apis/stable.example.com/v1beta1/dots", accept=TABLE)
    assert [c["name"] for c in table["columnDefinitions"]] == ["Name", "Age"]


def test_another_version_differs_in_its_api_version(api):
    answer(api, "POST", TABS, tab())
    beta = TABS.replace("v1", "v1beta1")
    _, shown = answer(api, "GET", f"{beta}/a")
    assert (shown["apiVersion"], shown["spec"]["cronSpec"]) == ("stable.example.com/v1beta1", "* *")
    _, changed = answer(api, "PUT", f"{beta}/a", shown | {"spec": {"cronSpec": "1 1"}})
    assert changed["apiVersion"] == "stable.example.com/v1beta1"
    assert answer(api, "GET", f"{TABS}/a")[1]["spec"] == {"cronSpec": "1 1", "replicas": 1}
    assert [item["apiVersion"] for item in answer(api, "GET", beta)[1]["items"]] == ["stable.example.com/v1beta1"]


def test_only_selectable_fields_select(api):
    answer(api, "POST", TABS, tab(size="small"))
    answer(api, "POST", TABS, tab("b"))
    _, found = answer(api, "GET", f"{TABS}?fieldSelector=spec.size%3Dsmall")
    assert [item["metadata"]["name"] for item in found["items"]] == ["a"]
    assert answer(api, "GET", f"{TABS}?fieldSelector=spec.cronSpec%3Dx")[1]["message"] == \
        "field label not supported: spec.cronSpec"


def test_a_kind_may_have_the_name_of_a_built_in_one(api):
    answer(api, "POST", DEFINITIONS, definition(plural="services", kind="Service", versions=[VERSION], shortNames=[]))
    place = TABS.replace("crontabs", "services")
    code, made = answer(api, "POST", place, tab() | {"kind": "Service"})
    assert (code, made["spec"]) == (201, {"cronSpec": "* *", "replicas": 1})
    assert answer(api, "GET", "/api/v1/services")[1]["items"] == []
    assert len(answer(api, "GET", place)[1]["items"]) == 1


def test_names_that_are_taken_are_not_served(api):
    code, body = answer(api, "POST", DEFINITIONS, definition(plural="tabs", kind="CronTab", shortNames=["tb"]))
    assert code == 201
    assert [(c["type"], c["status"], c["reason"], c["message"]) for c in body["status"]["conditions"]] == [
        ("NamesAccepted", "False", "ListKindConflict", '"CronTabList" is already in use'),
        ("Established", "False", "NotAccepted", "not all names are accepted")]
    assert answer(api, "GET", TABS.replace("crontabs", "tabs"))[0] == 404


def test_a_definition_that_leaves_takes_no_new_objects(api):
    answer(api, "POST", TABS, tab())
    _, body = answer(api, "DELETE", f"{DEFINITIONS}/crontabs.stable.example.com")
    assert body["metadata"]["finalizers"] == ["customresourcecleanup.apiextensions.k8s.io"]
    assert body["status"]["conditions"][-1]["reason"] == "InstanceDeletionPending"
    code, body = answer(api, "POST", TABS, tab("b"))
    assert (code, body["message"]) == (405, "create not allowed while custom resource definition is terminating")
    assert len(answer(api, "GET", TABS)[1]["items"]) == 1


def broken(path, value):
    made = definition()
    *way, last = path.split("/")
    place = made["spec"]
    for part in way:
        place = place[int(part) if isinstance(place, list) else part]
    place[int(last) if isinstance(place, list) else last] = value
    return made


ROOT = "versions/0/schema/openAPIV3Schema"
REFUSED = [
    ("scope", "Namespace", 'spec.scope: Unsupported value: "Namespace": supported values: "Cluster", "Namespaced"'),
    ("names/plural", "tabs",
     'metadata.name: Invalid value: "crontabs.stable.example.com": must be spec.names.plural+"."+spec.group'),
    ("versions/0/storage", False,
     'spec.versions: Invalid value: "": must have exactly one version marked as storage version'),
    (ROOT, None, "spec.versions[0].schema.openAPIV3Schema: Required value: schemas are required"),
    (f"{ROOT}/properties/spec/type", "",
     "spec.versions[0].schema.openAPIV3Schema.properties[spec].type: Required value: must not be empty for specified "
     "object fields"),
    (f"{ROOT}/properties/spec/type", "strings",
     "spec.versions[0].schema.openAPIV3Schema.properties[spec].type: Unsupported value: \"strings\": supported values: "
     '"array", "boolean", "integer", "number", "object", "string"'),
    (f"{ROOT}/properties/spec/properties/tags/items", None,
     "spec.versions[0].schema.openAPIV3Schema.properties[spec].properties[tags].items: Required value: must be "
     "specified"),
    (f"{ROOT}/properties/spec/properties/replicas/default", "x",
     'spec.versions[0].schema.openAPIV3Schema.properties[spec].properties[replicas].default: Invalid value: "string": '
     'default in body must be of type integer: "string"'),
    ("conversion", {"strategy": "Webhook", "webhook": {"conversionReviewVersions": ["v1"]}},
     "spec.conversion.strategy: Forbidden: this lab calls no webhooks: only None converts here"),
    ("versions/0/additionalPrinterColumns/0/jsonPath", "spec",
     'spec.versions[0].additionalPrinterColumns[0].jsonPath: Invalid value: "spec": must be a simple JSONPath'),
    ("versions/0/subresources/scale/specReplicasPath", ".status.x",
     'spec.versions[0].subresources.scale.specReplicasPath: Invalid value: ".status.x": should be a json path under '
     ".spec"),
    ("preserveUnknownFields", True, "spec.preserveUnknownFields: Invalid value: true: cannot set to true, set "
     "x-kubernetes-preserve-unknown-fields to true in spec.versions[*].schema instead"),
]


@pytest.mark.parametrize(("path", "value", "text"), REFUSED)
def test_a_definition_that_is_none_is_refused(path, value, text):
    code, body = answer(Api(registry()), "POST", DEFINITIONS, broken(path, value))
    assert (code, body["message"].partition("is invalid: ")[2]) == (422, text)


@pytest.mark.parametrize("keyword", ["items", "additionalProperties", "properties", "enum", "pattern", "minimum",
                                     "maxLength", "required", "allOf", "not", "default", "x-kubernetes-list-map-keys"])
@pytest.mark.parametrize("value", [5, "(", [1], {"a": 1}, [[]], {"a": {"items": 1}}])
def test_no_schema_breaks_the_server(keyword, value):
    made = definition()
    made["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"][keyword] = value
    bugs = []
    api = Api(registry(), on_bug=bugs.append)
    code, _ = answer(api, "POST", DEFINITIONS, made)
    if code == 201:
        answer(api, "POST", TABS, tab())
    assert not bugs


def test_what_cannot_be_evaluated_is_told():
    made = definition()
    made["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["x-kubernetes-validations"] = [{"rule": "true"}]
    from netlab.api.request import Request

    response = Api(registry()).handle(Request.from_target("POST", DEFINITIONS, {}, json.dumps(made).encode()))
    assert response.warnings == ("spec.versions: the x-kubernetes-validations of v1 are stored only, nothing in this "
                                 "lab evaluates them",)


def test_definitions_and_objects_are_there_after_a_restart(tmp_path):
    for expected in (201, 409):
        store = Store(tmp_path / "state.db")
        api = Api(Registry(store, LabSpec()))
        assert answer(api, "POST", DEFINITIONS, definition())[0] == expected
        assert answer(api, "POST", TABS, tab())[0] == expected
        store.close()
