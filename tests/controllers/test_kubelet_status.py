from dataclasses import replace

import pytest

from netlab.controllers.kubelet.containers import ContainerState, Ended, container_status, started_times
from netlab.controllers.kubelet.pod_status import conditions, phase, pod_status
from netlab.controllers.kubelet.probes import Probe, Verdict, port_number, probes_of, url
from netlab.controllers.kubelet.restarts import Backoff, duration, should_restart

NEW = ContainerState("c", "i")
RUNS = replace(NEW, attempt=0, running=True, passed_startup=True, ready=True, started_at=1_700_000_000.0)
UNREADY = replace(RUNS, ready=False)
OK = replace(NEW, attempt=0, ended=Ended(0, 0, 1.0, 2.0))
BAD = replace(NEW, attempt=0, ended=Ended(0, 3, 1.0, 2.0))
CRASHING = replace(BAD, retrying=True, waiting=("CrashLoopBackOff", "x"))


def states(*items):
    return {name: replace(state, name=name) for name, state in zip("abc", items, strict=False)}


@pytest.mark.parametrize(("policy", "init", "main", "expected"), [
    ("Always", (), (NEW,), "Pending"), ("Always", (), (RUNS,), "Running"), ("Always", (), (UNREADY,), "Running"),
    ("Always", (), (RUNS, NEW), "Pending"), ("Always", (), (OK,), "Running"), ("Always", (), (CRASHING,), "Running"),
    ("Never", (), (OK, OK), "Succeeded"), ("Never", (), (OK, BAD), "Failed"), ("Never", (), (BAD, RUNS), "Running"),
    ("OnFailure", (), (OK,), "Succeeded"), ("OnFailure", (), (CRASHING,), "Running"),
    ("OnFailure", (), (OK, CRASHING), "Running"),
    ("Always", (NEW,), (NEW,), "Pending"), ("Always", (RUNS,), (NEW,), "Pending"),
    ("Always", (OK,), (RUNS,), "Running"),
    ("Always", (CRASHING,), (NEW,), "Pending"), ("Never", (BAD,), (NEW,), "Failed"),
])
def test_the_phase_follows_from_the_containers(policy, init, main, expected):
    spec = {"restartPolicy": policy, "initContainers": [{"name": n} for n in "abc"[:len(init)]],
            "containers": [{"name": n} for n in "abc"[:len(main)]]}
    assert phase(spec, states(*init), states(*main)) == expected


def test_a_sidecar_that_runs_does_not_hold_the_phase():
    spec = {"initContainers": [{"name": "a", "restartPolicy": "Always"}], "containers": [{"name": "a"}]}
    assert phase(spec, states(RUNS), states(RUNS)) == "Running"


@pytest.mark.parametrize(("state", "shown", "last"), [
    (NEW, {"waiting": {"reason": "ContainerCreating"}}, {}),
    (RUNS, {"running": {"startedAt": "2023-11-14T22:13:20Z"}}, {}),
    (CRASHING, {"waiting": {"reason": "CrashLoopBackOff", "message": "x"}}, 3),
    (replace(RUNS, attempt=1, previous=Ended(0, 137, 1.0, 2.0)),
     {"running": {"startedAt": "2023-11-14T22:13:20Z"}}, 137),
])
def test_a_container_status_shows_the_present_and_the_last_run(state, shown, last):
    found = container_status(state, "uid")
    assert found["state"] == shown
    assert (found["lastState"] and found["lastState"]["terminated"]["exitCode"]) == last


@pytest.mark.parametrize(("code", "reason"), [(0, "Completed"), (1, "Error"), (137, "Error")])
def test_an_ended_container_says_how(code, reason):
    ended = container_status(replace(BAD, ended=Ended(0, code, 1.0, 2.0)), "uid")["state"]["terminated"]
    assert (ended["exitCode"], ended["reason"], ended["finishedAt"]) == (code, reason, "1970-01-01T00:00:02Z")


def test_start_times_are_read_back_from_a_status():
    status = container_status(replace(RUNS, attempt=2, previous=Ended(1, 1, 60.0, 120.0)), "uid")
    pod = {"metadata": {"uid": "uid"}, "status": {"containerStatuses": [status]}}
    assert started_times(pod) == {"c.2": 1_700_000_000.0, "c.1": 60.0}


def condition(main, kind, gates=(), stored=(), phase="Running"):
    pod = {"metadata": {}, "spec": {"containers": [{"name": n} for n in "abc"[:len(main)]],
                                    "readinessGates": [{"conditionType": g} for g in gates]},
           "status": {"conditions": list(stored)}}
    found = conditions(pod, phase=phase, sandbox=True, init={}, main=states(*main), now="NOW")
    return next(c for c in found if c["type"] == kind)


@pytest.mark.parametrize(("main", "gates", "stored", "phase", "kind", "expected"), [
    ((RUNS,), (), (), "Running", "Ready", ("True", None, None)),
    ((RUNS, UNREADY), (), (), "Running", "Ready",
     ("False", "ContainersNotReady", "containers with unready status: [b]")),
    ((OK,), (), (), "Succeeded", "Ready", ("False", "PodCompleted", None)),
    ((BAD,), (), (), "Failed", "ContainersReady", ("False", "PodFailed", None)),
    ((OK,), (), (), "Succeeded", "Initialized", ("True", "PodCompleted", None)),
    ((RUNS,), ("x/y",), (), "Running", "Ready",
     ("False", "ReadinessGatesNotReady", 'corresponding condition of pod readiness gate "x/y" does not exist.')),
    ((RUNS,), ("x/y",), ({"type": "x/y", "status": "False"},), "Running", "Ready",
     ("False", "ReadinessGatesNotReady", 'the status of pod readiness gate "x/y" is not "True", but False')),
    ((RUNS,), ("x/y",), ({"type": "x/y", "status": "True"},), "Running", "Ready", ("True", None, None)),
])
def test_conditions_say_what_is_missing(main, gates, stored, phase, kind, expected):
    found = condition(main, kind, gates, stored, phase)
    assert (found["status"], found.get("reason"), found.get("message")) == expected


def test_the_transition_time_changes_with_the_status_only():
    old = {"type": "Ready", "status": "True", "lastTransitionTime": "OLD"}
    assert condition((RUNS,), "Ready", stored=[old])["lastTransitionTime"] == "OLD"
    assert condition((UNREADY,), "Ready", stored=[old])["lastTransitionTime"] == "NOW"


def test_what_others_write_into_the_status_stays():
    pod = {"metadata": {"uid": "u"}, "spec": {"containers": [{"name": "a"}]},
           "status": {"qosClass": "BestEffort", "conditions": [{"type": "x/y", "status": "True"}]}}
    found = pod_status(pod, addresses=["10.0.0.2"], host_ips=["172.18.0.2"], sandbox=True, init=(),
                       main=states(RUNS).values(), now="NOW")
    assert found["qosClass"] == "BestEffort"
    assert [c["type"] for c in found["conditions"]][-1] == "x/y"
    assert found["podIPs"] == [{"ip": "10.0.0.2"}]


@pytest.mark.parametrize(("policy", "code", "again"), [
    ("Always", 0, True), ("Always", 1, True), ("OnFailure", 0, False), ("OnFailure", 1, True), ("Never", 1, False),
])
def test_the_restart_policy_decides(policy, code, again):
    assert should_restart(policy, code) is again


def test_the_back_off_doubles_from_10_s_to_5_minutes_after_one_free_restart():
    backoff, now, waits = Backoff(), 1000.0, []
    for _ in range(8):
        waits.append(backoff.wait(now, now))  # it crashed just now
        now += waits[-1]
        backoff = backoff.next(now, now)
    assert waits == [0, 10, 20, 40, 80, 160, 300, 300]


def test_the_back_off_begins_anew_after_ten_minutes_without_a_crash():
    backoff = Backoff(160.0, 1000.0)
    assert backoff.wait(1000 + 599, 1000 + 599) == 160
    assert backoff.wait(1000 + 601, 1000 + 601) == 0
    assert backoff.next(1000 + 601, 1000 + 601) == Backoff(10.0, 1601.0)


@pytest.mark.parametrize(("seconds", "text"), [(10, "10s"), (80, "1m20s"), (300, "5m0s")])
def test_durations_are_printed_as_go_does(seconds, text):
    assert duration(seconds) == text


@pytest.mark.parametrize(("results", "success", "failure", "healthy"), [
    ("", 1, 3, None), ("+", 1, 3, True), ("--", 1, 3, None), ("---", 1, 3, False), ("+--", 1, 3, True),
    ("+---", 1, 3, False), ("+--+--", 1, 3, True), ("---+", 2, 3, False), ("---++", 2, 3, True),
])
def test_probe_results_add_up_to_a_verdict(results, success, failure, healthy):
    probe = Probe("readiness", "exec", {}, success_threshold=success, failure_threshold=failure)
    verdict = Verdict()
    for result in results:
        verdict = verdict.after(result == "+", probe)
    assert verdict.healthy is healthy


def test_probes_have_upstreams_defaults():
    (found,) = probes_of({"readinessProbe": {"httpGet": {"port": 80}}}).values()
    assert (found.initial_delay, found.period, found.timeout, found.success_threshold, found.failure_threshold) == \
        (0, 10, 1, 1, 3)


@pytest.mark.parametrize(("target", "text"), [
    ({}, "http://10.0.0.2:80/"), ({"path": "/x?a=1"}, "http://10.0.0.2:80/x?a=1"), ({"path": "x"}, "http://10.0.0.2:80/x"),
    ({"host": "h", "scheme": "HTTPS"}, "https://h:80/"), ({"host": "fd00::1"}, "http://[fd00::1]:80/"),
])
def test_the_url_of_an_http_probe(target, text):
    assert url(target, address="10.0.0.2", port=80) == text


def test_a_probes_port_may_be_a_name():
    ports = [{"name": "web", "containerPort": 8080}]
    assert (port_number("web", ports), port_number(80, ports), port_number("81", ports)) == (8080, 80, 81)
    with pytest.raises(ValueError, match="couldn't find port"):
        port_number("none", ports)
