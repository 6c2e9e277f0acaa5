import json

import pytest

from netlab.api.handlers import Api
from netlab.api.patch import APPLY, MERGE
from netlab.api.request import Request
from netlab.api.response import LogRequest, Response
from netlab.api.watch import Watch
from tests.api.objects import deployment, pod, registry, service

NS = "/api/v1/namespaces/default"
APPS = "/apis/apps/v1/namespaces/default"
TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json"
V2 = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json"


@pytest.fixture
def api():
    return Api(registry())


def ask(api, method, target, body=None, *, read_only=False, **headers):
    data = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    return api.handle(Request.from_target(method, target, names, data, read_only=read_only))


def answer(api, method, target, body=None, **headers):
    response = ask(api, method, target, body, **headers)
    assert isinstance(response, Response)
    return response.code, json.loads(response.body)


@pytest.mark.parametrize(("path", "kind"), [
    ("/api", "APIVersions"), ("/api/", "APIVersions"), ("/apis", "APIGroupList"), ("/apis/", "APIGroupList"),
    ("/api/v1", "APIResourceList"), ("/apis/apps/v1", "APIResourceList"), ("/apis/apps", "APIGroup"),
])
def test_discovery(api, path, kind):
    code, body = answer(api, "GET", path)
    assert (code, body["kind"]) == (200, kind)


def test_every_group_that_is_listed_is_served(api):
    for group in answer(api, "GET", "/apis")[1]["groups"]:
        assert answer(api, "GET", f"/apis/{group['name']}/v1")[0] == 200
        assert answer(api, "GET", f"/openapi/v3/apis/{group['name']}/v1")[0] == 200


def test_aggregated_discovery_names_its_form_in_the_content_type(api):
    response = ask(api, "GET", "/apis?timeout=32s", accept=V2)
    assert response.content_type == "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
    assert [item["metadata"]["name"] for item in json.loads(response.body)["items"]][:2] == ["apps", "batch"]


@pytest.mark.parametrize("path", ["/version", "/version/", "/healthz", "/livez", "/readyz", "/", "/openapi/v2",
                                  "/openapi/v3",
                                  "/openapi/v3/api/v1?hash=1"])
def test_what_clients_ask_first(api, path):
    assert ask(api, "GET", path).code == 200


def test_openapi_tells_kubectl_that_the_server_validates(api):
    document = answer(api, "GET", "/openapi/v3/apis/apps/v1")[1]
    patch = document["paths"]["/apis/apps/v1/namespaces/{namespace}/deployments/{name}"]["patch"]
    assert {"dryRun", "fieldValidation"} <= {parameter["name"] for parameter in patch["parameters"]}


def test_an_object_goes_its_way(api):
    code, made = answer(api, "POST", f"{NS}/services", service() | {"metadata": {"name": "web"}})
    assert (code, made["kind"], made["metadata"]["namespace"]) == (201, "Service", "default")
    assert answer(api, "GET", f"{NS}/services/web") == (200, made)
    listed = answer(api, "GET", "/api/v1/services")[1]
    assert (listed["kind"], listed["items"]) == ("ServiceList", [made])
    made["spec"]["sessionAffinity"] = "ClientIP"
    code, new = answer(api, "PUT", f"{NS}/services/web", made)
    assert (code, new["spec"]["sessionAffinityConfig"]) == (200, {"clientIP": {"timeoutSeconds": 10800}})
    code, gone = answer(api, "DELETE", f"{NS}/services/web", {"propagationPolicy": "Background"})
    assert (code, gone["kind"], gone["metadata"]["uid"]) == (200, "Service", made["metadata"]["uid"])
    assert answer(api, "GET", f"{NS}/services/web")[0] == 404


@pytest.mark.parametrize(("target", "names"), [
    ("/api/v1/configmaps", ["a", "b", "c"]), (f"{NS}/configmaps", ["a", "b"]), (f"{NS}/configmaps?limit=1", ["a"]),
    (f"{NS}/configmaps?labelSelector=app%3Dx", ["a"]), (f"{NS}/configmaps?labelSelector=app+in+(x,y)", ["a", "b"]),
    (f"{NS}/configmaps?labelSelector=!app", []), (f"{NS}/configmaps?fieldSelector=metadata.name%3Db", ["b"]),
    (f"{NS}/configmaps?fieldSelector=metadata.name%3Db,metadata.name%3Db", ["b"]),
    (f"{NS}/configmaps?fieldSelector=metadata.name!%3Db", ["a"]),
    ("/api/v1/configmaps?fieldSelector=metadata.namespace%3Dkube-system", ["c"]),
    (f"{NS}/configmaps?resourceVersion=0&resourceVersionMatch=NotOlderThan", ["a", "b"]),
])
def test_lists_and_selectors(api, target, names):
    for name, space, app in (("a", "default", "x"), ("b", "default", "y"), ("c", "kube-system", "x")):
        api.registry.create("configmaps", {"metadata": {"name": name, "namespace": space, "labels": {"app": app}}})
    assert [item["metadata"]["name"] for item in answer(api, "GET", target)[1]["items"]] == names


@pytest.mark.parametrize(("include", "kind"), [("", "PartialObjectMetadata"), ("?includeObject=Object", "Service"),
                                               ("?includeObject=None", None)])
def test_tables(api, include, kind):
    api.registry.create("services", service())
    for target in (f"{NS}/services{include}", f"{NS}/services/web{include}"):
        _, table = answer(api, "GET", target, accept=TABLE)
        assert [column["name"] for column in table["columnDefinitions"]][:3] == ["Name", "Type", "Cluster-IP"]
        assert table["rows"][0]["cells"][:2] == ["web", "ClusterIP"]
        assert table["rows"][0].get("object", {}).get("kind") == kind


@pytest.mark.parametrize(("method", "target", "body", "code", "reason"), [
    ("GET", f"{NS}/services/x", None, 404, "NotFound"), ("GET", "/api/v1/zaps", None, 404, "NotFound"),
    ("GET", "/apis/x.y/v1/zaps", None, 404, "NotFound"), ("GET", f"{NS}/deployments", None, 404, "NotFound"),
    ("GET", "/api/v1/services/x", None, 404, "NotFound"), ("GET", f"{NS}/nodes", None, 404, "NotFound"),
    ("GET", "/zap", None, 404, "NotFound"), ("GET", f"{NS}/pods/x/zap", None, 404, "NotFound"),
    ("PUT", f"{NS}/services", {}, 405, "MethodNotAllowed"), ("POST", "/api/v1/services", {}, 405, "MethodNotAllowed"),
    ("ZAP", f"{NS}/services", None, 405, "MethodNotAllowed"),
    ("POST", f"{NS}/services", b"{", 400, "BadRequest"), ("POST", f"{NS}/services", b"", 400, "BadRequest"),
    ("POST", f"{NS}/services", b"\xff", 400, "BadRequest"), ("POST", f"{NS}/services", b"[]", 400, "BadRequest"),
    ("POST", f"{NS}/services", b'{"metadata":{"name":"a","labels":{"a":NaN}}}', 400, "BadRequest"),
    ("POST", f"{NS}/services", b"[" * 100_000, 400, "BadRequest"),
    ("POST", f"{NS}/services", b'{"a":' * 900 + b"1" + b"}" * 900, 400, "BadRequest"),
    ("POST", f"{NS}/services", b'{"a":' * 90 + b"1" + b"}" * 90, 422, "Invalid"),
    ("POST", f"{NS}/services", {"kind": "Pod"}, 400, "BadRequest"),
    ("POST", f"{NS}/services", {"apiVersion": "v2"}, 400, "BadRequest"),
    ("POST", f"{NS}/services", {"metadata": {"namespace": "x"}}, 400, "BadRequest"),
    ("POST", f"{NS}/services?fieldValidation=Strict", service(targtPort=80), 400, "BadRequest"),
    ("POST", f"{NS}/services?dryRun=Some", service(), 400, "BadRequest"),
    ("POST", "/api/v1/namespaces/x/services", service() | {"metadata": {"name": "a"}}, 404, "NotFound"),
    ("PUT", f"{NS}/services/a", {"metadata": {"name": "b"}}, 400, "BadRequest"),
    ("PATCH", f"{NS}/services/a", {}, 415, "UnsupportedMediaType"),
    ("GET", f"{NS}/services?labelSelector=a=b=c", None, 400, "BadRequest"),
    ("GET", f"{NS}/services?fieldSelector=a", None, 400, "BadRequest"),
    ("GET", f"{NS}/services?fieldSelector=spec.foo%3Da", None, 400, "BadRequest"),
    ("GET", f"{NS}/configmaps?fieldSelector=spec.type%3Da", None, 400, "BadRequest"),
    ("GET", f"{NS}/services?watch=perhaps", None, 400, "BadRequest"),
    ("GET", f"{NS}/services?watch=1&resourceVersion=x", None, 400, "BadRequest"),
    ("DELETE", f"{NS}/services/a", {"gracePeriodSeconds": "x"}, 400, "BadRequest"),
    ("DELETE", f"{NS}/services/a", {"propagationPolicy": "Zap"}, 422, "Invalid"),
    ("POST", f"{NS}/services", b" " * (3 * 1024 * 1024 + 1), 413, "RequestEntityTooLarge"),
])
def test_bad_requests_get_their_status(api, method, target, body, code, reason):
    found, status = answer(api, method, target, body)
    assert (found, status["reason"], status["kind"], status["code"]) == (code, reason, "Status", code)


def test_an_unknown_field_is_refused_or_warned_about(api):
    body = service(targtPort=80) | {"metadata": {"name": "web"}}
    _, status = answer(api, "POST", f"{NS}/services?fieldValidation=Strict", body)
    assert status["message"] == ('Service in version "v1" cannot be handled as a Service: strict decoding error: '
                                 'unknown '
                                 'field "spec.targtPort"')
    assert ask(api, "POST", f"{NS}/services", body).warnings == ('unknown field "spec.targtPort"',)


@pytest.mark.parametrize(("spec", "warning"), [
    ({"clusterIP": "None", "sessionAffinity": "ClientIP"}, "spec.SessionAffinity is ignored for headless services"),
    ({"externalName": "a.b"}, 'spec.externalName is ignored when spec.type is not "ExternalName"'),
])
def test_warnings_reach_the_client(api, spec, warning):
    assert warning in ask(api, "POST", f"{NS}/services", service(**spec)).warnings


def test_a_patch_that_changes_nothing_and_an_apply_warn_and_a_status_does_not(api):
    written = service("named", externalName="a.b") | {"apiVersion": "v1", "kind": "Service"}
    warning = ('spec.externalName is ignored when spec.type is not "ExternalName"',)
    target = f"{NS}/services/named"
    assert ask(api, "PATCH", f"{target}?fieldManager=me", written, content_type=APPLY).warnings == warning
    assert ask(api, "PATCH", target, {"spec": {}}, content_type=MERGE).warnings == warning
    assert ask(api, "PUT", target, written).warnings == warning
    assert ask(api, "PATCH", f"{target}/status", {"status": {}}, content_type=MERGE).warnings == ()


def test_every_endpoints_request_is_warned_about(api):
    assert "deprecated" in ask(api, "GET", f"{NS}/endpoints").warnings[0]


def test_a_read_only_request_may_only_look(api):
    assert ask(api, "GET", f"{NS}/services", read_only=True).code == 200
    assert isinstance(ask(api, "GET", f"{NS}/services?watch=true", read_only=True), Watch)
    for method in ("POST", "PUT", "PATCH", "DELETE"):
        assert ask(api, method, f"{NS}/services", {}, read_only=True).code == 403
        assert ask(api, method, "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", {},
                   read_only=True).code == 403


def test_scale_by_put_and_patch(api):
    api.registry.create("deployments", deployment())
    _, scale = answer(api, "GET", f"{APPS}/deployments/web/scale")
    _, scale = answer(api, "PUT", f"{APPS}/deployments/web/scale", scale | {"spec": {"replicas": 2}})
    assert scale["spec"] == {"replicas": 2}
    code, scale = answer(api, "PATCH", f"{APPS}/deployments/web/scale", {"spec": {"replicas": 3}},
                         content_type="application/merge-patch+json")
    assert (code, scale["kind"], scale["spec"]) == (200, "Scale", {"replicas": 3})


def test_apply_by_yaml(api):
    body = b"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {x: y}\n"
    headers = {"content_type": "application/apply-patch+yaml"}
    assert answer(api, "PATCH", f"{NS}/configmaps/a?fieldManager=me", body, **headers)[0] == 201
    assert answer(api, "PATCH", f"{NS}/configmaps/a?fieldManager=me", body, **headers)[0] == 200
    assert answer(api, "PATCH", f"{NS}/configmaps/a?fieldManager=me", b"a: &x [1]\nb: *x\n", **headers)[0] == 400
    assert answer(api, "PATCH", f"{NS}/configmaps/a?fieldManager=me", b"a: [", **headers)[0] == 400


def test_strict_patches_refuse_new_unknown_fields_only(api):
    api.registry.create("configmaps", {"metadata": {"name": "a", "namespace": "default"}, "spare": 1})
    headers = {"content_type": "application/merge-patch+json"}
    target = f"{NS}/configmaps/a?fieldValidation=Strict"
    assert answer(api, "PATCH", target, {"data": {"x": "y"}}, **headers)[0] == 200
    assert answer(api, "PATCH", target, {"dta": {"x": "y"}}, **headers)[0] == 422


def test_eviction_deletes_the_pod(api):
    api.registry.create("pods", pod())
    code, _ = answer(api, "POST", f"{NS}/pods/web/eviction", {"kind": "Eviction", "deleteOptions": {}})
    assert code == 201
    assert api.registry.find("pods", "web", "default") is None


def test_reviews_say_yes(api):
    code, body = answer(api, "POST", "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews",
                        {"spec": {"resourceAttributes": {"verb": "get", "resource": "pods"}}})
    assert (code, body["status"]["allowed"]) == (201, True)


def test_logs_name_their_container(api):
    r = api.registry
    r.create("pods", pod())
    _, status = answer(api, "GET", f"{NS}/pods/web/log")
    assert status["message"] == 'container "c" in pod "web" is not available'
    r.bind("default", "web", "worker")
    waiting = {"containerStatuses": [{"name": "c", "state": {"waiting": {"reason": "ContainerCreating"}}}]}
    r.patch("pods", "web", {"status": waiting}, namespace="default", subresource="status")
    code, status = answer(api, "GET", f"{NS}/pods/web/log")
    assert (code, status["message"]) == (400, 'container "c" in pod "web" is waiting to start: ContainerCreating')
    running = {"containerStatuses": [{"name": "c", "state": {"running": {}}}]}
    r.patch("pods", "web", {"status": running}, namespace="default", subresource="status")
    wanted = ask(api, "GET", f"{NS}/pods/web/log?follow=True&tailLines=5&timestamps=true")
    assert wanted == LogRequest("default", "web", "c", follow=True, tail_lines=5, timestamps=True)
    assert answer(api, "GET", f"{NS}/pods/web/log?container=x")[1]["message"] == "container x is not valid for pod web"
    assert answer(api, "GET", f"{NS}/pods/web/log?tailLines=-1")[0] == 400


def test_a_lone_surrogate_does_no_harm(api):
    body = rb'{"metadata":{"name":"a"},"data":{"x":"\ud800"}}'
    assert answer(api, "POST", f"{NS}/configmaps", body)[0] == 201


def test_a_bug_is_told_and_answered_with_500():
    told = []
    api = Api(None, on_bug=told.append)
    assert ask(api, "GET", f"{NS}/services").code == 500
    assert len(told) == 1
