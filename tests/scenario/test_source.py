import pytest

from netlab.scenario.problems import BadFile
from netlab.scenario.source import field_of, parse, show


@pytest.mark.parametrize(("text", "value"), [
    ("a: 1", {"a": 1}),
    ("a: 2024-01-02", {"a": "2024-01-02"}),
    ("a: 12:30:00", {"a": "12:30:00"}),
    ("a: 80:80", {"a": "80:80"}),
    ("a: 0o17", {"a": "0o17"}),
    ("a: 0644", {"a": 0o644}),
    ("a: 0x10", {"a": 16}),
    ("a: 1_000", {"a": 1000}),
    ("a: -7", {"a": -7}),
    ("a: 1.5", {"a": 1.5}),
    ("a: 1e3", {"a": 1000.0}),
    ("a: '1e3'", {"a": "1e3"}),
    ('a: "1"', {"a": "1"}),
    ("a: yes", {"a": True}),
    ("a: ~", {"a": None}),
    ("a:", {"a": None}),
    ("1: true\ntrue: 2", {"1": True, "true": 2}),
    ("x: &x {a: 1, b: 2}\ny: {<<: *x, b: 3}", {"x": {"a": 1, "b": 2}, "y": {"a": 1, "b": 3}}),
    ("y: {b: 3, <<: [{a: 1, b: 9}, {a: 2}]}", {"y": {"a": 1, "b": 3}}),
    ("[a, {b: c}]", ["a", {"b": "c"}]),
])
def test_yaml_is_read_as_kubernetes_reads_it(text, value):
    assert parse(text, "f")[0].value == value


def test_empty_documents_are_left_out():
    assert [document.value for document in parse("---\na: 1\n---\n---\n# nothing\n---\nb: 2\n", "f")] == [
        {"a": 1}, {"b": 2}]


@pytest.mark.parametrize(("text", "message"), [
    ("a: [1,", "f:2:1: YAML: while parsing a flow node; did not find expected node content"),
    ("a: 1\n b: 2", "f:2:3: YAML: mapping values are not allowed in this context"),
    ("a: 1\nb:\n  c: 1\n  c: 2", 'f:4:3: b.c: the key "c" is there already (line 3)'),
    ("a: &a [*a]", "f:1:4: a[0]: the document refers to itself"),
    ("a: !!python/name:os.system x",
     "f:1:4: a: 'x' (tag:yaml.org,2002:python/name:os.system) cannot be written as JSON"),
    ("a: .inf", "f:1:4: a: '.inf' (tag:yaml.org,2002:float) cannot be written as JSON"),
    ("? [a]\n: 1", "f:1:3: a key must be text"),
    (b"a: \xff", "f: the file is not UTF-8 text: invalid start byte at byte 3"),
    ("a: *b", "f:1:4: YAML: found undefined alias"),
    ("a: \x01", "f: YAML:"),
])
def test_what_is_no_json_has_its_place(text, message):
    with pytest.raises(BadFile) as caught:
        parse(text, "f")
    assert str(caught.value).startswith(message)
    assert caught.value.exit_code == 2


def test_an_alias_bomb_is_refused_quickly():
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 9)]
    with pytest.raises(BadFile, match="aliases count each time"):
        parse("\n".join(lines), "bomb.yaml")


def test_a_huge_file_is_refused(tmp_path):
    with pytest.raises(BadFile, match="larger than 4 MiB"):
        parse(b" " * (5 << 20), "huge.yaml")


def test_deep_nesting_is_refused():
    with pytest.raises(BadFile, match=r"too deep|YAML"):
        parse("[" * 150 + "]" * 150, "deep.yaml")


def test_each_field_knows_its_place():
    document = parse("a:\n  - b: 1\n    c:\n      d: 2\n", "f")[0]
    assert [str(document.place(field)) for field in (("a",), ("a", 0), ("a", 0, "c", "d"), ("a", 0, "absent"))] == [
        "f:1:1", "f:2:5", "f:4:7", "f:2:5"]


@pytest.mark.parametrize("path", ["spec.nodes[0]", "a", "steps[2].expect.stdout[1]"])
def test_paths_are_written_and_read(path):
    assert show(field_of(path)) == path
