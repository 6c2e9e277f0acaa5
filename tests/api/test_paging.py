import base64
import json

import pytest

from netlab.api.handlers import Api
from netlab.api.registry import Registry
from netlab.api.request import Request
from netlab.model.lab_spec import LabSpec
from netlab.store import Store
from tests.api.objects import pod, registry, service

MAPS = "/api/v1/namespaces/default/configmaps"
TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json"
MERGE = {"content-type": "application/merge-patch+json"}


@pytest.fixture
def api():
    made = Api(registry())
    for number in range(5):
        ask(made, "POST", MAPS, {"metadata": {"name": f"m{number}", "labels": {"odd": str(number % 2)}}})
    return made


def ask(api, method, target, body=None, **headers):
    response = api.handle(Request.from_target(method, target, headers, json.dumps(body).encode() if body else b""))
    return response.code, json.loads(response.body)


def names(found):
    return [item["metadata"]["name"] for item in found["items"]]


def token(**fields):
    return base64.urlsafe_b64encode(json.dumps(fields).encode()).decode().rstrip("=")


def test_a_list_comes_in_pages(api):
    _, first = ask(api, "GET", f"{MAPS}?limit=2")
    assert (names(first), first["metadata"]["remainingItemCount"]) == (["m0", "m1"], 3)
    _, second = ask(api, "GET", f"{MAPS}?limit=2&continue={first['metadata']['continue']}")
    assert (names(second), second["metadata"]["remainingItemCount"]) == (["m2", "m3"], 1)
    _, third = ask(api, "GET", f"{MAPS}?limit=2&continue={second['metadata']['continue']}")
    assert (names(third), third["metadata"]) == (["m4"], {"resourceVersion": first["metadata"]["resourceVersion"]})


@pytest.mark.parametrize(("query", "found", "remaining"), [
    ("limit=5", ["m0", "m1", "m2", "m3", "m4"], None),
    ("limit=0", ["m0", "m1", "m2", "m3", "m4"], None),
    ("limit=2&resourceVersion=0", ["m0", "m1", "m2", "m3", "m4"], None),
    ("limit=1&labelSelector=odd%3D1", ["m1"], None),  # how many follow is not told of a selection
    ("limit=4", ["m0", "m1", "m2", "m3"], 1),
])
def test_what_fits_a_page(api, query, found, remaining):
    _, page = ask(api, "GET", f"{MAPS}?{query}")
    assert (names(page), page["metadata"].get("remainingItemCount")) == (found, remaining)
    assert ("continue" in page["metadata"]) == (len(found) in (1, 4))


def test_later_pages_are_of_the_firsts_revision(api):
    _, first = ask(api, "GET", f"{MAPS}?limit=2")
    ask(api, "DELETE", f"{MAPS}/m3")
    ask(api, "POST", MAPS, {"metadata": {"name": "m25"}})
    ask(api, "PATCH", f"{MAPS}/m4", {"data": {"new": "1"}}, **MERGE)
    _, rest = ask(api, "GET", f"{MAPS}?continue={first['metadata']['continue']}")
    assert names(rest) == ["m2", "m3", "m4"]
    assert "data" not in rest["items"][2]
    assert names(ask(api, "GET", MAPS)[1]) == ["m0", "m1", "m2", "m25", "m4"]
    revision = first["metadata"]["resourceVersion"]
    _, then = ask(api, "GET", f"{MAPS}?resourceVersion={revision}&resourceVersionMatch=Exact")
    assert (names(then), then["metadata"]["resourceVersion"]) == (["m0", "m1", "m2", "m3", "m4"], revision)


def test_tables_come_in_pages_too(api):
    _, table = ask(api, "GET", f"{MAPS}?limit=3", accept=TABLE)
    assert [row["cells"][0] for row in table["rows"]] == ["m0", "m1", "m2"]
    assert table["metadata"]["remainingItemCount"] == 2


def test_pages_go_through_every_namespace(api):
    ask(api, "POST", "/api/v1/namespaces", {"metadata": {"name": "a"}})
    ask(api, "POST", "/api/v1/namespaces/a/configmaps", {"metadata": {"name": "z"}})
    _, first = ask(api, "GET", "/api/v1/configmaps?limit=1")
    assert names(first) == ["z"]
    _, rest = ask(api, "GET", f"/api/v1/configmaps?continue={first['metadata']['continue']}")
    assert names(rest)[:2] == ["m0", "m1"]


@pytest.mark.parametrize(("query", "code", "text"), [
    ("continue=%%%", 400, "continue key is not valid"),
    ("continue=YWJj", 400, "continue key is not valid"),
    ("continue=" + token(v="meta.k8s.io/v1", rv="7", start="x"), 400, "continue key is not valid: unknown form"),
    ("continue=" + token(v="meta.k8s.io/v1", rv=3, start="default/m1\0") + "&resourceVersion=3", 400,
     "specifying resource version is not allowed when using continue"),
    ("limit=-1", 400, "limit"),
    ("resourceVersion=x", 400, "invalid resource version"),
    ("resourceVersionMatch=Exact", 400, "forbidden unless resourceVersion is provided"),
    ("resourceVersion=0&resourceVersionMatch=Exact", 400, 'forbidden for resourceVersion "0"'),
    ("resourceVersion=1&resourceVersionMatch=Newer", 400, "Unsupported value"),
    ("resourceVersion=99999", 504, "Timeout: Too large resource version: 99999, current: "),
])
def test_what_a_list_cannot_be_asked(api, query, code, text):
    got, status = ask(api, "GET", f"{MAPS}?{query}")
    assert got == code
    assert text in status["message"]


def test_a_list_that_took_too_long_may_go_on_with_what_is_there_now():
    api = Api(Registry(Store(history=2), LabSpec()))
    ask(api, "POST", "/api/v1/namespaces", {"metadata": {"name": "default"}})
    for number in range(4):
        ask(api, "POST", MAPS, {"metadata": {"name": f"m{number}"}})
    _, first = ask(api, "GET", f"{MAPS}?limit=2")
    for number in range(8):
        ask(api, "PATCH", f"{MAPS}/m3", {"data": {"n": str(number)}}, **MERGE)
    code, status = ask(api, "GET", f"{MAPS}?limit=2&continue={first['metadata']['continue']}")
    assert (code, status["reason"]) == (410, "Expired")
    _, rest = ask(api, "GET", f"{MAPS}?limit=2&continue={status['metadata']['continue']}")
    assert (names(rest), rest["items"][1]["data"]) == (["m2", "m3"], {"n": "7"})


@pytest.mark.parametrize(("plural", "manifest", "kind"), [
    ("pods", pod(), "Pod"), ("services", service(), "Service"), ("serviceaccounts", {"metadata": {"name": "a"}},
                                                                 "ServiceAccount"),
    ("configmaps", {"metadata": {"name": "a"}}, "Status"), ("secrets", {"metadata": {"name": "a"}}, "Status"),
])
def test_what_was_deleted_is_given_for_some_kinds(api, plural, manifest, kind):
    path = f"/api/v1/namespaces/default/{plural}"
    code, made = ask(api, "POST", path, manifest)
    assert code == 201, made
    code, gone = ask(api, "DELETE", f"{path}/{made['metadata']['name']}")
    assert (code, gone["kind"]) == (200, kind)
