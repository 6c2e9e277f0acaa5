
import random

import pytest

from netlab.model.meta import ObjectKey
from netlab.store import Expired, Store

KEY = ObjectKey("services", "default", "web")


def service(port=80):
    return {"metadata": {"name": "web", "namespace": "default"}, "spec": {"port": port}}


def test_put_gives_the_next_revision_to_the_object():
    store = Store()
    assert store.put(KEY, service())["metadata"]["resourceVersion"] == "1"
    assert store.put(KEY, service(81))["metadata"]["resourceVersion"] == "2"
    assert [c.type for c in store.changes("services", 0)] == ["ADDED", "MODIFIED"]


def test_delete_carries_the_last_state_under_a_new_revision():
    store = Store()
    store.put(KEY, service())
    assert store.delete(KEY)["metadata"]["resourceVersion"] == "2"
    assert store.delete(KEY) is None
    assert [c.type for c in store.changes("services", 1)] == ["DELETED"]


def test_what_was_acknowledged_is_there_after_reopening(tmp_path):
    store = Store(tmp_path / "db")
    store.put(KEY, service())
    store.put(KEY._replace(name="other"), service())
    store.delete(KEY)
    again = Store(tmp_path / "db")  # the first one is never closed, as after kill -9
    assert [entry.key.name for entry in again.entries("services")] == ["other"]
    assert again.revision == 3
    with pytest.raises(Expired):
        again.changes("services", 1)


def test_a_damaged_file_is_set_aside_and_said(tmp_path):
    (tmp_path / "db").write_bytes(b"this is not a database" * 100)
    store = Store(tmp_path / "db")
    assert "set aside" in store.warning
    assert (tmp_path / "db.corrupt-1").exists()
    assert store.put(KEY, service())


def test_history_is_bounded_and_says_when_it_is_too_short():
    store = Store(history=10)
    for port in range(50):
        store.put(KEY, service(port))
    with pytest.raises(Expired):
        store.changes("services", 1)
    assert len(store.changes("services", 45)) == 5


def test_a_subscriber_is_woken_for_the_named_resources_only():
    store, woken = Store(), []
    end = store.subscribe(["services"], lambda: woken.append(store.revision))
    store.put(ObjectKey("pods", "default", "p"), service())
    store.put(KEY, service())
    assert woken == [2]
    end()
    store.put(KEY, service(81))
    assert woken == [2]


def test_the_history_of_large_objects_is_shorter_and_never_empty():
    store = Store()
    key = ObjectKey("configmaps", "default", "a")
    big = {"metadata": {"name": "a"}, "data": {"x": "y" * 200_000}}
    for _ in range(300):
        store.put(key, big)
    kept = store.changes("configmaps", store.revision - 100)
    assert len(kept) == 100
    assert len(store._changes["configmaps"]) <= 201
    with pytest.raises(Expired):
        store.changes("configmaps", 1)


def test_entries_stay_sorted_through_writes_and_a_list_that_was_handed_out_stays_as_it_is():
    store, chosen = Store(), random.Random(1)
    for _ in range(300):
        before = store.entries("pods")
        seen = list(before)
        key = ObjectKey("pods", "default", f"p{chosen.randrange(40)}")
        if chosen.random() < 0.3:
            store.delete(key)
        else:
            store.put(key, {"metadata": {"name": key.name}})
        assert before == seen
        assert store.entries("pods") == sorted(store._objects["pods"].values(), key=lambda entry: entry.key)


def test_who_subscribed_first_is_told_first():
    store, told = Store(), []
    ends = [store.subscribe(["pods"], lambda number=number: told.append(number)) for number in range(5)]
    ends[1]()
    store.put(ObjectKey("pods", "default", "a"), {"metadata": {"name": "a"}})
    assert told == [0, 2, 3, 4]
