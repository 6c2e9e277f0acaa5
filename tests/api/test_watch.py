import json

from netlab.api.handlers import Api
from netlab.api.request import Request
from netlab.api.resources import RESOURCES
from netlab.api.table import TableView
from netlab.api.watch import View, Watch
from netlab.model.selector_syntax import parse
from netlab.model.selectors import parse_fields
from netlab.store import Store
from tests.api.objects import NOW, registry

CONFIGMAPS = RESOURCES["configmaps"]


def put(r, name, app="x", **data):
    body = {"metadata": {"name": name, "namespace": "default", "labels": {"app": app}}, "data": data}
    return r.update("configmaps", body) if r.find("configmaps", name, "default") else r.create("configmaps", body)


def seen(watch):
    events = [json.loads(line) for line in watch.take()]
    return [(event["type"], event["object"]["metadata"].get("name", event["object"]["kind"])) for event in events]


def watch(r, *, since=None, labels="", fields="", **options):
    view = View(CONFIGMAPS, "default", parse(labels), parse_fields(fields))
    return Watch(r.store, view, since=since, **options)


def test_without_a_revision_the_present_comes_first():
    r = registry()
    put(r, "a")
    w = watch(r)
    put(r, "b")
    assert seen(w) == [("ADDED", "a"), ("ADDED", "b")]
    put(r, "a", z="1")
    r.delete("configmaps", "b", namespace="default")
    assert w.backlog
    assert seen(w) == [("MODIFIED", "a"), ("DELETED", "b")]
    assert not w.backlog
    assert seen(w) == []


def test_with_a_revision_only_later_changes_come():
    r = registry()
    put(r, "a")
    w = watch(r, since=r.store.revision)
    assert seen(w) == []
    put(r, "b")
    assert seen(w) == [("ADDED", "b")]


def test_a_selector_turns_changes_into_coming_and_going():
    r = registry()
    w = watch(r, labels="app=x")
    put(r, "a", app="y")
    assert seen(w) == []
    put(r, "a", app="x")
    assert seen(w) == [("ADDED", "a")]
    put(r, "a", app="x", z="1")
    assert seen(w) == [("MODIFIED", "a")]
    put(r, "a", app="y")
    assert seen(w) == [("DELETED", "a")]
    r.delete("configmaps", "a", namespace="default")
    assert seen(w) == []


def test_a_field_selector_picks_one_object():
    r = registry()
    w = watch(r, fields="metadata.name=b")
    put(r, "a")
    put(r, "b")
    assert seen(w) == [("ADDED", "b")]


def test_other_namespaces_are_not_seen():
    r = registry()
    w = watch(r)
    r.create("configmaps", {"metadata": {"name": "a", "namespace": "kube-system"}})
    assert seen(w) == []


def test_a_revision_before_the_history_is_an_error_event_and_the_end():
    r = registry()
    r.store = Store(history=5)
    r.__init__(r.store, r.spec, r.clock)
    for number in range(20):
        put(r, "a", n=str(number))
    w = watch(r, since=1)
    event = json.loads(w.take()[0])
    assert (event["type"], event["object"]["code"], event["object"]["reason"]) == ("ERROR", 410, "Expired")
    assert w.ended


def test_a_watcher_from_before_a_restart_is_told_to_list_again(tmp_path):
    r = registry()
    r.__init__(Store(tmp_path / "db"), r.spec, r.clock)
    put(r, "a")
    since = r.store.revision
    r.delete("configmaps", "a", namespace="default")
    r.store.close()
    r.__init__(Store(tmp_path / "db"), r.spec, r.clock)
    w = watch(r, since=since)
    assert json.loads(w.take()[0])["object"]["code"] == 410


def test_long_backlogs_come_in_pieces():
    r = registry()
    for number in range(25):
        put(r, f"a{number:02}")
    w = watch(r)
    put(r, "b")
    pieces = []
    while w.backlog:
        pieces.append(w.take(10))
    assert [len(piece) for piece in pieces] == [10, 10, 6]


def test_table_watches_have_one_row_per_event():
    r = registry()
    w = watch(r, table=TableView(CONFIGMAPS, lambda: NOW))
    put(r, "a", x="1")
    event = json.loads(w.take()[0])
    assert (event["object"]["kind"], event["object"]["rows"][0]["cells"]) == ("Table", ["a", 1, "0s"])
    assert event["object"]["metadata"]["resourceVersion"] == str(r.store.revision)


def test_initial_events_end_with_a_marked_bookmark():
    r = registry()
    put(r, "a")
    events = [json.loads(line) for line in watch(r, send_initial=True, bookmarks=True).take()]
    assert [event["type"] for event in events] == ["ADDED", "BOOKMARK"]
    assert events[1]["object"]["metadata"]["annotations"] == {"k8s.io/initial-events-end": "true"}


def lists(api, query=""):
    request = Request.from_target("GET", f"/api/v1/namespaces/default/configmaps?{query}", {})
    body = json.loads(api.handle(request).body)
    return [item["metadata"]["name"] for item in body["items"]], int(body["metadata"]["resourceVersion"])


def test_a_list_is_always_of_the_present_and_never_older_than_asked():
    r = registry()
    api = Api(r)
    assert lists(api)[0] == []
    put(r, "a")
    assert lists(api) == (["a"], r.store.revision)
    assert lists(api) == (["a"], r.store.revision)
    r.create("services", {"metadata": {"name": "s"}, "spec": {"ports": [{"port": 80}]}}, namespace="default")
    assert lists(api, f"resourceVersion={r.store.revision}") == (["a"], r.store.revision)
    put(r, "a", app="y")
    put(r, "b")
    assert lists(api)[0] == ["a", "b"]
    assert lists(api, "labelSelector=app=y")[0] == ["a"]
    r.delete("configmaps", "a", namespace="default")
    names, revision = lists(api)
    w = watch(r, since=revision)
    put(r, "c")
    assert (names, seen(w)) == (["b"], [("ADDED", "c")])
