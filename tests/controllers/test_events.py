import re

from netlab.controllers import events
from netlab.controllers.events import EventRecorder


def test_an_event_tells_what_happened_to_whom_and_who_says_so(cluster):
    pod = cluster.pod("web")
    EventRecorder(cluster.registry, "kubelet", "worker").event(pod, "Warning", "BackOff", "Back-off restarting")
    (event,) = cluster.list("events")
    assert re.fullmatch("web\\.[0-9a-f]{16}", event["metadata"]["name"])
    assert event["involvedObject"] == {
        "kind": "Pod", "namespace": "default", "name": "web", "uid": pod["metadata"]["uid"], "apiVersion": "v1",
        "resourceVersion": pod["metadata"]["resourceVersion"]}
    assert event["source"] == {"component": "kubelet", "host": "worker"}
    assert (event["type"], event["reason"], event["message"], event["count"]) == \
        ("Warning", "BackOff", "Back-off restarting", 1)


def test_the_same_again_is_counted(cluster):
    pod, recorder = cluster.pod("web"), EventRecorder(cluster.registry, "kubelet")
    recorder.event(pod, "Warning", "BackOff", "again")
    cluster.wait(seconds=5)
    recorder.event(pod, "Warning", "BackOff", "again")
    recorder.event(pod, "Warning", "BackOff", "something else")
    first = next(e for e in cluster.list("events") if e["message"] == "again")
    assert (first["count"], first["firstTimestamp"], first["lastTimestamp"]) == \
        (2, "2024-05-01T12:00:00Z", "2024-05-01T12:00:05Z")
    assert len(cluster.list("events")) == 2


def test_from_the_tenth_on_events_that_differ_in_their_message_only_are_combined(cluster):
    pod, recorder = cluster.pod("web"), EventRecorder(cluster.registry, "replicaset-controller")
    for number in range(12):
        recorder.event(pod, "Normal", "SuccessfulCreate", f"Created pod: {number}")
    recorder.event(pod, "Normal", "SuccessfulDelete", "Deleted pod: 1")
    told = [(event["message"], event["count"]) for event in cluster.list("events")]
    assert sorted(told) == sorted([
        *((f"Created pod: {number}", 1) for number in range(9)),
        ("(combined from similar events): Created pod: 11", 3), ("Deleted pod: 1", 1)])
    cluster.wait(seconds=601)
    recorder.event(pod, "Normal", "SuccessfulCreate", "Created pod: 12")
    assert "Created pod: 12" in [event["message"] for event in cluster.list("events")]


def test_an_event_of_an_object_without_namespace_is_in_default(cluster):
    EventRecorder(cluster.registry, "kubelet").event(cluster.node("worker"), "Normal", "NodeReady", "ready")
    assert cluster.events("default") == [("NodeReady", "ready")]


def test_the_oldest_are_dropped(cluster, monkeypatch):
    monkeypatch.setattr(events, "LIMIT", 20)
    pod, recorder = cluster.pod("web"), EventRecorder(cluster.registry, "kubelet")
    for number in range(50):
        recorder.event(pod, "Normal", f"Tick{number}", str(number))
        assert len(cluster.list("events")) <= 20
    kept = {int(message) for _, message in cluster.events()}
    assert kept == set(range(50 - len(kept), 50))
