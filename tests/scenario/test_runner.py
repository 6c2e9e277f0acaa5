"""The runner against an API that stores objects, and programs whose output the test gives."""

import io
import os
import signal

import pytest

from netlab.model.errors import ApiError, LabError
from netlab.scenario.report import Report
from netlab.scenario.runner import play_all
from netlab.scenario.scenario import load
from tests.cli.api_server import ApiServer

HEAD = "apiVersion: netlab/v1\nkind: Scenario\nmetadata: {name: try}\n"
APPLY = "- apply: {apiVersion: v1, kind: Service, metadata: {name: web}, spec: {clusterIP: 10.96.0.9}}\n"


class Api(ApiServer):
    """The stand-in without its socket."""

    def __init__(self):
        self.objects, self.requests, self.refuse, self.log = {}, [], lambda manifest: "", b""

    def get(self, path):
        return self.json("GET", path)

    def json(self, method, path, body=None, *, accept="", content_type=""):
        code, answer = self.answer(method, path, body, accept)
        if code >= 400:
            raise ApiError(code, answer["reason"], answer["message"])
        return answer


class RecordingLab:
    """A lab that remembers what it was asked for; `outputs` are the results of programs, the last one stays."""

    def __init__(self, spec):
        self.spec, self.name, self.api = spec, spec.name, Api()
        self.ran, self.downs, self.outputs = [], 0, [(0, b"hello\n", b"")]

    def run(self, target, argv, *, limit=None, container=""):
        self.ran.append((target, list(argv)))
        result = self.outputs.pop(0) if len(self.outputs) > 1 else self.outputs[0]
        return result() if callable(result) else result

    def rules(self, node):
        return '-A KUBE-SERVICES -m comment --comment "default/web cluster IP" -j KUBE-SVC-X\n'

    def status(self):
        return {"controllers": {"kubelet/worker": {"error": "boom"}}}

    def down(self):
        self.downs += 1


@pytest.fixture
def play(tmp_path):
    """Plays the steps; gives (exit code, what was printed, the lab)."""

    def run(steps, *outputs, keep=False, quiet=False, head=HEAD):
        file = tmp_path / "try.yaml"
        file.write_text(f"{head}steps:\n{steps}")
        labs, out = [], io.StringIO()

        def up(spec):
            labs.append(RecordingLab(spec))
            labs[-1].outputs = list(outputs) or labs[-1].outputs
            return labs[-1]

        code = play_all([load(str(file))], lab_name="mine", report=Report(out, quiet=quiet), keep=keep, up=up)
        return code, out.getvalue(), labs[0]

    return run


def test_a_scenario_that_holds_is_0_and_takes_the_lab_down(play):
    code, text, lab = play(APPLY + "- run: {in: worker, command: echo hello}\n  expect: {stdout: hello}\n")
    assert (code, lab.downs, lab.name) == (0, 1, "mine")
    assert "service/web created" in text
    assert "try: 2 steps, every check held" in text
    assert lab.ran == [("worker", ["sh", "-c", "echo hello"])]


def test_a_failed_check_is_1_and_shows_what_explains_it(play):
    code, text, lab = play(APPLY + "- name: Say hello\n  run: {in: worker, command: echo}\n  within: 100ms\n"
                                   "  expect: {stdout: bye}\n- run: {in: worker, command: never}\n")
    assert (code, lab.downs) == (1, 1)
    assert 'stdout should contain "bye", and is: "hello"' in text
    assert "try.yaml:6:3" in text
    assert 'service web:\n      None 10.96.0.9; no ports' in text
    assert 'rules of web on worker:\n      -A KUBE-SERVICES' in text
    assert "kubelet/worker: boom" in text
    assert 'try: step 2 "Say hello" failed: stdout should contain' in text
    assert all(argv[-1] != "never" for _, argv in lab.ran)


def test_a_check_is_repeated_until_it_holds(play):
    code, _, lab = play("- run: {in: worker, command: x}\n  expect: {stdout: ready}\n",
                        (1, b"", b"no"), (0, b"wait", b""), (0, b"ready", b""))
    assert (code, len(lab.ran)) == (0, 3)


def test_what_must_stay_is_looked_at_again(play):
    code, text, lab = play("- run: {in: worker, command: x}\n  staysFor: 300ms\n  expect: {stdout: up}\n",
                           (0, b"up", b""), (0, b"up", b""), (0, b"down", b""))
    assert code == 1
    assert "it held first, but not for 0.3 s:" in text
    assert len(lab.ran) == 3


def test_a_saved_value_is_used_later(play):
    save = "  save: {ip: service/web .spec.clusterIP}\n"
    code, _, lab = play(APPLY + save + "- run: {in: worker, command: 'ping ${ip}'}\n")
    assert code == 0
    assert lab.ran[-1] == ("worker", ["sh", "-c", "ping 10.96.0.9"])


def test_a_pod_is_looked_for_in_the_namespace_of_the_step(play):
    _, _, lab = play("- run: {in: web, command: a}\n  namespace: prod\n- run: {in: client, command: b}\n")
    assert [target for target, _ in lab.ran] == ["prod/web", "client"]


def test_catch_runs_after_a_failure_only_and_always_runs_always(play):
    tail = "catch:\n- run: {in: client, command: caught}\nalways:\n- run: {in: client, command: last}\n"
    good = play("- run: {in: client, command: a}\n" + tail)
    assert [argv[-1] for _, argv in good[2].ran] == ["a", "last"]
    bad = play("- delete: pod/absent\n" + tail)
    assert bad[0] == 1
    assert 'pods "absent" not found' in bad[1]
    assert [argv[-1] for _, argv in bad[2].ran] == ["caught", "last"]


def test_a_refusal_can_be_what_is_expected(play):
    assert play("- delete: pod/absent\n  expect: {rejected: not found}\n")[0] == 0
    code, text, _ = play(APPLY + "- delete: service/web\n  expect: {rejected: not found}\n")
    assert code == 1
    assert "the API server should refuse it" in text


def test_keep_leaves_the_lab_up_and_says_how_to_reach_it(play):
    code, text, lab = play("- run: {in: client, command: a}\n", keep=True)
    assert (code, lab.downs) == (0, 0)
    assert "lab mine is left up: netlab --name mine get all" in text


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_a_signal_takes_the_lab_down_first(play, number, code):
    def interrupt():
        os.kill(os.getpid(), number)
        return (0, b"", b"")

    before = signal.getsignal(number)
    got, text, lab = play("- run: {in: client, command: a}\n", interrupt)
    assert (got, lab.downs) == (code, 1)
    assert f"stopped by {signal.Signals(number).name}" in text
    assert signal.getsignal(number) is before


def test_a_lab_that_breaks_is_taken_down_too(play):
    labs = []

    def broken():
        raise LabError("the daemon died", exit_code=5)

    with pytest.raises(LabError, match="the daemon died"):
        labs.append(play("- run: {in: client, command: a}\n", broken))


def test_quiet_prints_one_line(play):
    _, text, _ = play("- run: {in: client, command: a}\n", quiet=True)
    assert text.count("\n") == 1


def test_what_runs_in_any_case_is_announced(play):
    code, text, _ = play("- run: {in: worker, command: x}\n", head=HEAD + "always:\n- run: {in: worker, command: y}\n")
    assert code == 0
    assert "What the scenario does in any case:" in text


def test_a_service_whose_selector_finds_nobody_is_told_so(play):
    given = APPLY.replace("clusterIP: 10.96.0.9", "selector: {app: nobody}")
    code, text, _ = play(given + "- run: {in: worker, command: echo}\n  within: 50ms\n  expect: {stdout: bye}\n")
    assert code == 1
    assert "endpoints of web:\n      none: no pod in default has the labels app=nobody\n" in text
