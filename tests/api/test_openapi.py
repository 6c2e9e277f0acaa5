import importlib.util
import json
import re
from pathlib import Path

import pytest

from netlab.api import descriptions, openapi
from netlab.api.handlers import Api
from netlab.api.protobuf import _read
from netlab.api.request import Request
from netlab.api.served import BUILT_IN
from netlab.api.shapes import bare, types
from netlab.api.tokens import Issuer
from tests.api.objects import registry

PLACES = {f"/openapi/v3/{kind.prefix[1:]}" for kind in BUILT_IN.everything()} | {
    "/openapi/v3/apis/authorization.k8s.io/v1", "/openapi/v3/apis/authentication.k8s.io/v1"}
PROTOBUF = "application/com.github.proto-openapi.spec.v2@v1.0+protobuf"

CLIENT_PREFIXES = {"events.Event": "events_v1_", "events.EventSeries": "events_v1_",
                   "discovery.EndpointPort": "discovery_v1_", "EndpointPort": "core_v1_", "Event": "core_v1_",
                   "EventSeries": "core_v1_", "Subject": "rbac_v1_", "TokenRequest": "authentication_v1_"}
GONE_SINCE = frozenset()  # fields that the client's version of Kubernetes has no more


@pytest.fixture(scope="module")
def api():
    made = registry()
    made.issuer = Issuer(b"k" * 32, "https://kubernetes.default.svc.cluster.local")
    return Api(made)


@pytest.fixture(scope="module")
def documents(api):
    """Every published document by its path."""
    return {path: json.loads(ask(api, "GET", path).body) for path in ["/openapi/v2", *sorted(PLACES)]}


def ask(api, method, path, body=b"", **headers):
    return api.handle(Request.from_target(method, path, headers, body))


def walk(value):
    yield value
    for item in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from walk(item)


def models(document):
    return document.get("definitions") or document["components"]["schemas"]


def test_the_index_leads_to_every_document(api):
    index = json.loads(ask(api, "GET", "/openapi/v3").body)["paths"]
    assert {f"/openapi/v3/{place}" for place in index} == PLACES
    for place, item in index.items():
        answer = ask(api, "GET", item["serverRelativeURL"])
        assert (answer.code, dict(answer.headers)["Cache-Control"]) == (200, "public, immutable"), place
        assert not ask(api, "GET", item["serverRelativeURL"] + "0").headers, "another document must not be kept"


def test_every_reference_leads_to_a_schema(documents):
    for path, document in documents.items():
        for found in walk(document):
            if isinstance(found, dict) and isinstance(found.get("$ref"), str):
                *place, name = found["$ref"].removeprefix("#/").split("/")
                assert place == (["definitions"] if path == "/openapi/v2" else ["components", "schemas"])
                assert name in models(document), f"{path}: {name}"


def test_every_kind_is_there_with_its_group_and_version(documents):
    for kind in BUILT_IN.everything():
        own = {"group": kind.group, "version": kind.version, "kind": kind.kind}
        for path in ("/openapi/v2", f"/openapi/v3{kind.prefix}"):
            found = [name for name, schema in models(documents[path]).items()
                     if own in schema.get("x-kubernetes-group-version-kind", ())]
            assert [name.rpartition(".")[2] for name in found] == [kind.kind], path


def test_schemas_are_what_they_say(documents):
    for path, document in documents.items():
        for name, schema in models(document).items():
            known = schema.get("properties", {})
            assert set(schema.get("required", ())) <= known.keys(), f"{path}: {name}"
            for field, value in known.items():
                keys = value.get("x-kubernetes-list-map-keys", [])
                if keys:
                    items = value["items"]
                    reference = items.get("$ref") or items["allOf"][0]["$ref"]
                    assert set(keys) <= models(document)[reference.rpartition("/")[2]]["properties"].keys(), field
                    assert value["x-kubernetes-patch-merge-key"] == keys[0]
                assert ("x-kubernetes-list-type" in value) == (value.get("type") == "array"), f"{name}.{field}"


def test_every_request_of_the_paths_is_answered(api, documents):
    for path, document in documents.items():
        for place, item in document["paths"].items():
            target = re.sub(r"\{(\w+)\}", r"x", place)
            for method in item.keys() - {"parameters"}:
                status = json.loads(ask(api, method.upper(), target, b"{}").body or b"{}")
                assert status.get("reason") != "MethodNotAllowed", f"{path}: {method} {place}"
                assert status.get("message") != "the server could not find the requested resource", f"{method} {place}"


def test_kubectl_finds_the_parameters_that_it_looks_for_in_any_order_of_the_paths(documents):
    for document in documents.values():
        kinds = {(kind.group, kind.kind) for kind in BUILT_IN.everything()}
        for place, item in document["paths"].items():
            own = item.get("patch", {}).get("x-kubernetes-group-version-kind", {})
            if (own.get("group"), own.get("kind")) in kinds:
                names = {parameter["name"] for parameter in item["patch"]["parameters"]}
                assert {"dryRun", "fieldManager", "fieldValidation"} <= names, place


def members(data, number):
    return [value for key, value in _read(data) if key == number]


def test_the_protobuf_form_says_the_same_as_the_json_form(api, documents):
    answer = ask(api, "GET", "/openapi/v2", accept=PROTOBUF)
    assert answer.content_type == "application/com.github.proto-openapi.spec.v2.v1.0+protobuf"
    plain = documents["/openapi/v2"]
    (paths,), (definitions,) = members(answer.body, 8), members(answer.body, 9)
    assert [members(path, 1)[0].decode() for path in members(paths, 2)] == list(plain["paths"])
    for named in members(definitions, 1):
        (name,), (schema,) = members(named, 1), members(named, 2)
        expected = plain["definitions"][name.decode()]
        assert [text.decode() for text in members(schema, 19)] == expected.get("required", [])
        assert [text.decode() for text in members(schema, 4)] == [expected["description"]]
        fields = [field for properties in members(schema, 25) for field in members(properties, 1)]
        assert [members(field, 1)[0].decode() for field in fields] == list(expected.get("properties", {}))
        extensions = {members(item, 1)[0].decode(): json.loads(members(members(item, 2)[0], 2)[0])
                      for item in members(schema, 31)}
        assert extensions == {key: value for key, value in expected.items() if key.startswith("x-")}


def test_every_type_and_field_is_explained():
    missing = [name for name, known in types().items() if known.form != "string" and not descriptions.of_type(name)]
    missing += [f"{name}.{field}" for name, known in types().items() for field in known.fields
                if not descriptions.of_field(name, field)]
    assert not missing, "write them into netlab/api/descriptions"


def test_no_explanation_is_about_something_else():
    for owner, field in descriptions._texts():
        assert owner == descriptions.ANY or owner in types(), owner
        assert not field or owner == descriptions.ANY or field in types()[owner].fields, f"{owner}.{field}"


def test_documents_are_made_once():
    assert openapi.version2(BUILT_IN) is openapi.version2(BUILT_IN)
    assert openapi.version2_protobuf(BUILT_IN) is openapi.version2_protobuf(BUILT_IN)


def test_fields_are_those_of_the_official_client():
    found = importlib.util.find_spec("kubernetes")
    if not found or not found.origin:
        pytest.skip("the Python client of Kubernetes is not installed")
    folder, compared = Path(found.origin).parent / "client" / "models", 0
    for name, known in types().items():
        prefix = CLIENT_PREFIXES.get(name, known.package.rpartition(".")[2] + "_")
        path = folder / f"{prefix}{snake(bare(name))}.py"
        if known.form or not path.exists():
            continue
        text = path.read_text()
        if "__properties" in text:
            theirs = re.findall(r'"([^"]+)"', re.search(r"__properties: [^=]*= \[(.*?)\]", text, re.DOTALL)[1])
        else:
            theirs = re.findall(r"'\w+': '([^']+)'", re.search(r"attribute_map = \{(.*?)\}", text, re.DOTALL)[1])
        compared += 1
        assert known.fields.keys() - GONE_SINCE <= set(theirs), name
    assert compared > 100


def snake(name):
    """The name as the client's files are called: HTTPGetAction is http_get_action."""
    name = re.sub(r"(.)([A-Z][a-z]+)", r"\1_\2", name)
    return re.sub(r"([a-z0-9])([A-Z])", r"\1_\2", name).lower()
