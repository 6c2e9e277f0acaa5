from importlib import import_module

import pytest

from netlab.scenario import library
from netlab.scenario.problems import BadFile
from netlab.scenario.scenario import load

GOOD = """
apiVersion: netlab/v1
kind: Scenario
metadata: {name: good}
lab: {nodes: 2}
steps:
- apply: {apiVersion: v1, kind: Service, metadata: {name: a}}
  save: {ip: service/a .spec.clusterIP}
- http: {from: client, url: "http://${ip}/"}
  within: 500ms
  expect: {status: 200}
"""


def _load(tmp_path, text):
    file = tmp_path / "s.yaml"
    file.write_text(text)
    return load(str(file))


def test_a_scenario_is_read(tmp_path):
    scenario = _load(tmp_path, GOOD)
    assert scenario.spec("other").name == "other"
    assert scenario.spec("other").nodes == ("control-plane", "worker")
    assert [step.action.name for step in scenario.steps] == ["apply", "http"]
    assert scenario.steps[1].within == 0.5
    assert scenario.steps[1].expect == {"status": (200,)}


@pytest.mark.parametrize(("old", "new", "problem"), [
    ("kind: Scenario", "kind: Scenari", '3:1: kind: "Scenari" is not one of the choices (did you mean "Scenario"?)'),
    ("name: good", "name: Good", '4:12: metadata.name: must be at most 32 of a-z, 0-9 and -, not "Good"'),
    ("nodes: 2", "nodes: none", '5:7: lab.nodes: Invalid value: "none": must be a number or a list of names'),
    ("nodes: 2", "node: 2", '5:7: lab.node: unknown field "node", did you mean "nodes"?'),
    ("kind: Service, ", "", "7:3: steps[0].apply: error validating data: kind not set"),
    ("service/a .spec", "service/a spec",
     '8:10: steps[0].save.ip: must be `KIND/NAME .path`, `stdout` or `body`, not the text "service/a spec'),
    ("${ip}", "${port}", "9:3: steps[1].http: no earlier step saves ${port} (saved: ip)"),
    ("from: client", "form: client", '9:10: steps[1].http.form: unknown key "form" (did you mean "from"?)'),
    ("500ms", "500", "10:3: steps[1].within: must be a time span with its unit, such as 500ms or 10s"),
    ("status: 200", "staus: 200", '11:12: steps[1].expect.staus: unknown key "staus" (did you mean "status"?)'),
    ("http: {", "run: {}\n  http: {", "9:3: steps[1]: needs exactly one of"),
    ("steps:", "stepz:", '2:1: the key "steps" is missing'),
])
def test_a_mistake_has_its_place_and_field(tmp_path, old, new, problem):
    with pytest.raises(BadFile) as caught:
        _load(tmp_path, GOOD.replace(old, new))
    found = [str(found).removeprefix(f"{tmp_path}/s.yaml:") for found in caught.value.problems]
    assert any(text.startswith(problem) for text in found), found


def test_all_mistakes_are_reported_at_once(tmp_path):
    with pytest.raises(BadFile) as caught:
        _load(tmp_path, GOOD.replace("nodes", "nods").replace("500ms", "9").replace("${ip}", "${x}"))
    assert [problem.place.line for problem in caught.value.problems] == [5, 9, 10]


def test_manifests_come_from_a_file_beside_the_scenario(tmp_path):
    (tmp_path / "web.yaml").write_text("apiVersion: v1\nkind: Service\nmetadata: {name: web}\n---\n"
                                       "apiVersion: v1\nkind: Pod\nmetadata: {name: web}\n")
    text = GOOD.replace("apply: {apiVersion: v1, kind: Service, metadata: {name: a}}", "apply: web.yaml")
    assert [item.manifest["kind"] for item in _load(tmp_path, text).steps[0].said] == ["Service", "Pod"]
    (tmp_path / "web.yaml").write_text("kind: Service\n")
    with pytest.raises(BadFile) as caught:
        _load(tmp_path, text)
    assert [problem.place.file.rpartition("/")[2] for problem in caught.value.problems] == ["s.yaml", "web.yaml"]


@pytest.mark.parametrize("name", library.shipped())
def test_every_shipped_scenario_is_well_formed_and_tells_a_story(name):
    scenario = library.load(name)
    assert scenario.name == name
    assert scenario.title != name
    assert scenario.description
    assert all(step.name for step in scenario.steps)
    looking = [step for step in scenario.steps if step.action.looks]
    assert len(looking) >= len(scenario.steps) / 2


@pytest.mark.parametrize(("read", "text", "message"), [
    ("netlab.scenario.lab_file", "apiVersion: netlab/v1\nkind: Scenario\n",
     "x.yaml:2:1: kind: a Lab is wanted here, and this is a Scenario: netlab run x.yaml"),
    ("netlab.scenario.scenario", "apiVersion: netlab/v1\nkind: Lab\n",
     "x.yaml:2:1: kind: a Scenario is wanted here, and this is a Lab: netlab up x.yaml"),
    ("netlab.scenario.lab_file", "apiVersion: apps/v1\nkind: Deployment\n",
     "x.yaml:2:1: kind: a Lab is wanted here, and this is a Deployment: netlab apply -f x.yaml"),
    ("netlab.scenario.lab_file", "apiVersion: v1\nkind: Pod\n---\napiVersion: v1\nkind: Service\n",
     "x.yaml:2:1: kind: a Lab is wanted here, and this is a Pod: netlab apply -f x.yaml"),
    ("netlab.scenario.scenario", "apiVersion: v1\nkind: Pod\n",
     "x.yaml:2:1: kind: a Scenario is wanted here, and this is a Pod: netlab apply -f x.yaml"),
])
def test_a_file_of_another_kind_names_its_command(tmp_path, monkeypatch, read, text, message):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "x.yaml").write_text(text)
    with pytest.raises(BadFile) as caught:
        import_module(read).load("x.yaml")
    assert str(caught.value) == message
