import pytest

from netlab.scenario.schema import Boolean, Duration, Many, OneOrMany, Record, Short, Table, Text, Whole, check
from netlab.scenario.source import parse

RECORD = Record({"name": Text(), "count": Whole(1, 5), "kind": Text(choices=("Lab", "Scenario")), "in": Duration(),
                 "on_": Boolean(), "items": Many(Text()), "labels": Table(Text()),
                 "some": OneOrMany(Whole()), "short": Short("x", Record({"x": Text(), "y": Text()}))},
                required=("name",))


def _check(text):
    problems = []
    return check(RECORD, parse(text, "f")[0], problems), [str(problem) for problem in problems]


@pytest.mark.parametrize(("text", "key", "value"), [
    ("name: 3", "name", "3"),
    ("{name: a, count: 5}", "count", 5),
    ("{name: a, in: 500ms}", "in", 0.5),
    ("{name: a, in: 1.5s}", "in", 1.5),
    ("{name: a, in: 2m}", "in", 120.0),
    ("{name: a, some: 3}", "some", (3,)),
    ("{name: a, some: [3, 4]}", "some", (3, 4)),
    ("{name: a, short: b}", "short", {"x": "b"}),
    ("{name: a, short: {y: b}}", "short", {"y": "b"}),
])
def test_values_are_read(text, key, value):
    got, problems = _check(text)
    assert (got[key], problems) == (value, [])


@pytest.mark.parametrize(("text", "problems"), [
    ("count: 1", ['f:1:1: the key "name" is missing']),
    ("{name: a, cuont: 1}", ['f:1:11: cuont: unknown key "cuont" (did you mean "count"?)']),
    ("{name: a, count: 6}", ["f:1:11: count: must be from 1 to 5, not 6"]),
    ("{name: a, count: '6'}", ['f:1:11: count: must be a whole number, not the text "6"']),
    ("{name: a, count: true}", ["f:1:11: count: must be a whole number, not true"]),
    ("{name: a, in: 10}", ["f:1:11: in: must be a time span with its unit, such as 500ms or 10s, not the number 10"]),
    ("{name: a, items: []}", ["f:1:11: items: must be a list, not empty"]),
    ("{name: a, items: [x, {}]}", ["f:1:22: items[1]: must be text, not a mapping"]),
    ("{name: [], kind: lab}", ["f:1:2: name: must be text, not a list",
                               'f:1:12: kind: "lab" is not one of the choices (did you mean "Lab"?)']),
])
def test_every_mistake_is_reported_with_its_place(text, problems):
    assert _check(text)[1] == problems
