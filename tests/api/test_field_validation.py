"""What is told of fields that a kind does not have, of fields that are there twice, and of values of a wrong type."""

import json

import pytest

from netlab.api.decode import decode
from netlab.api.handlers import Api
from netlab.api.patch_errors import go_value
from netlab.api.request import Request, parse_json
from netlab.model.errors import ApiError
from tests.api.objects import pod, registry, service

NS = "/api/v1/namespaces/default"
MERGE, STRATEGIC = "application/merge-patch+json", "application/strategic-merge-patch+json"
QUANTITY = "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'"


def unmarshal(value, where, go_type):
    return f"json: cannot unmarshal {value} into Go struct field {where} of type {go_type}"


@pytest.mark.parametrize(("kind", "manifest", "text"), [
    ("Service", {"spec": {"ports": [{"port": "abc"}]}}, unmarshal("string", "ServicePort.spec.ports.port", "int32")),
    ("Service", {"spec": {"ports": [{"port": 1.5}]}}, unmarshal("number 1.5", "ServicePort.spec.ports.port", "int32")),
    ("Service", {"spec": {"ports": [{"port": 1 << 40}]}},
     unmarshal("number 1099511627776", "ServicePort.spec.ports.port", "int32")),
    ("Service", {"spec": {"ports": [{"protocol": 6}]}},
     unmarshal("number", "ServicePort.spec.ports.protocol", "v1.Protocol")),
    ("Service", {"spec": {"ports": [{"targetPort": True}]}},
     unmarshal("bool", "ServicePort.spec.ports.targetPort", "int32")),
    ("Service", {"spec": {"ports": {"port": 80}}}, unmarshal("object", "ServiceSpec.spec.ports", "[]v1.ServicePort")),
    ("Service", {"spec": {"selector": {"app": 1}}}, unmarshal("number", "ServiceSpec.spec.selector", "string")),
    ("Service", {"spec": {"selector": ["app"]}}, unmarshal("array", "ServiceSpec.spec.selector", "map[string]string")),
    ("Service", {"spec": {"type": True}}, unmarshal("bool", "ServiceSpec.spec.type", "v1.ServiceType")),
    ("Service", {"spec": "x"}, unmarshal("string", "Service.spec", "v1.ServiceSpec")),
    ("Service", {"metadata": {"labels": {"a": True}}}, unmarshal("bool", "ObjectMeta.metadata.labels", "string")),
    ("Service", {"metadata": {"creationTimestamp": 5}},
     unmarshal("number", "ObjectMeta.metadata.creationTimestamp", "string")),
    ("Pod", {"spec": {"containers": [{"env": [{"name": "a", "value": 1}]}]}},
     unmarshal("number", "EnvVar.spec.containers.env.value", "string")),
    ("Pod", {"spec": {"containers": [{"resources": {"limits": {"cpu": "x"}}}]}}, QUANTITY),
    ("Pod", {"spec": {"containers": [{"resources": {"limits": {"cpu": "1Q"}}}]}}, QUANTITY),
    ("Pod", {"spec": {"containers": [{"resources": {"limits": {"cpu": "1ki"}}}]}},
     "unable to parse quantity's suffix"),
    ("Secret", {"data": {"a": "b!"}}, "illegal base64 data at input byte 1"),
    ("Secret", {"data": {"a": "YWJjZGU"}}, "illegal base64 data at input byte 4"),
    ("EndpointSlice", {"ports": [{"port": "x"}]}, unmarshal("string", "EndpointPort.ports.port", "int32")),
])
def test_a_wrong_type_is_told_as_go_tells_it(kind, manifest, text):
    with pytest.raises(ApiError) as caught:
        decode(manifest, kind, "v1")
    assert caught.value.message == f'{kind} in version "v1" cannot be handled as a {kind}: {text}'


@pytest.mark.parametrize(("kind", "text", "told"), [
    ("Service", '{"spec":{"ports":[{"port":1,"port":2}]}}', ['duplicate field "spec.ports[0].port"']),
    ("Service", '{"spec":{"selector":{"a":"b","a":"b","a":"c"}}}', ['duplicate field "spec.selector.a"']),
    ("Service", '{"spec":{"selctor":{},"type":"ClusterIP","type":"NodePort"}}',
     ['duplicate field "spec.type"', 'unknown field "spec.selctor"']),
    ("Pod", '{"spec":{"containers":[{"name":"a"},{"nam":"b"}]}}', ['unknown field "spec.containers[1].nam"']),
    ("Pod", '{"metadata":{"name":"a","name":"\\u0061"}}', ['duplicate field "metadata.name"']),
    ("ConfigMap", '{"data":{"a":"b"}}', []),
])
def test_duplicate_and_unknown_fields_are_told_by_their_paths(kind, text, told):
    found = []
    decode(parse_json(text.encode()), kind, "v1", told=found)
    assert found == told


@pytest.fixture
def api():
    made = Api(registry())
    made.registry.create("services", service())
    made.registry.create("pods", pod())
    return made


def send(api, method, path, body, content_type="application/json"):
    text = body if isinstance(body, str) else json.dumps(body)
    return api.handle(Request.from_target(method, path, {"content-type": content_type}, text.encode()))


DOUBLED = '{"metadata":{"name":"a"},"data":{"x":"1","x":"2"},"dta":{}}'


@pytest.mark.parametrize(("validation", "code", "warnings"), [
    ("Strict", 400, ()), ("Warn", 201, ('unknown field "dta"', 'duplicate field "data.x"')),
    ("", 201, ('unknown field "dta"', 'duplicate field "data.x"')), ("Ignore", 201, ()), ("Perhaps", 400, ()),
])
def test_the_client_says_what_shall_become_of_such_fields(api, validation, code, warnings):
    answer = send(api, "POST", f"{NS}/configmaps?fieldValidation={validation}", DOUBLED)
    assert (answer.code, set(answer.warnings)) == (code, set(warnings))
    if code == 201:
        assert json.loads(answer.body)["data"] == {"x": "2"}, "the last one counts"


@pytest.mark.parametrize(("patch", "patch_type", "text"), [
    ({"spec": {"foo": 1}}, STRATEGIC,
     '"map[spec:map[foo:1]]": strict decoding error: unknown field "spec.foo"'),
    ('{"spec":{"type":"NodePort","type":"ClusterIP"}}', STRATEGIC,
     '"map[spec:map[type:ClusterIP]]": strict decoding error: duplicate field "spec.type"'),
    ({"spec": {"ports": [{"port": "abc"}]}}, STRATEGIC,
     '"map[spec:map[ports:[map[port:abc]]]]": unrecognized type: int32'),
    ({"spec": {"type": 5}}, STRATEGIC, '"map[spec:map[type:5]]": unrecognized type: string'),
    ({"spec": {"selector": "x"}}, STRATEGIC, '"map[spec:map[selector:x]]": cannot restore map from string'),
    ({"spec": {"ports": {}}}, MERGE, unmarshal("object", "ServiceSpec.spec.ports", "[]v1.ServicePort")),
    ({"spec": {"foo": 1}}, MERGE, 'strict decoding error: unknown field "spec.foo"'),
])
def test_a_bad_patch_is_told_as_upstream_tells_it(api, patch, patch_type, text):
    before = api.registry.get("services", "web", "default")
    answer = send(api, "PATCH", f"{NS}/services/web?fieldValidation=Strict", patch, patch_type)
    status = json.loads(answer.body)
    assert (answer.code, status["details"]["causes"][0]["field"]) == (422, "patch")
    assert status["message"].startswith(' "" is invalid: patch: Invalid value: ')
    assert status["message"].endswith(text)
    assert api.registry.get("services", "web", "default") is before


def test_a_patch_may_be_warned_about(api):
    answer = send(api, "PATCH", f"{NS}/services/web", {"spec": {"foo": 1}}, MERGE)
    assert (answer.code, answer.warnings) == (200, ('unknown field "spec.foo"',))
    assert not send(api, "PATCH", f"{NS}/services/web?fieldValidation=Ignore", {"spec": {"fu": 1}}, MERGE).warnings


@pytest.mark.parametrize(("value", "shown"), [
    ({"b": [1, {"c": None}], "a": True}, "map[a:true b:[1 map[c:<nil>]]]"), ([], "[]"), ("x", "x"), (1.5, "1.5"),
])
def test_values_are_shown_as_go_shows_them(value, shown):
    assert go_value(value) == shown
