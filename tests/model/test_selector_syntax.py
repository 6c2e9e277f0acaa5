"""Label and field selectors: what they choose, and how upstream words what it cannot read."""

import pytest

from netlab.model.errors import ApiError
from netlab.model.selector_syntax import parse
from netlab.model.selectors import parse_fields

LABELS = {"app": "web", "tier": "front", "empty": "", "size": "10", "in": "notin"}
NAME_PART = ("name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an "
             "alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is "
             "'([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')")


@pytest.mark.parametrize(("text", "chosen"), [
    ("", True), ("app=web", True), ("app==web", True), ("app = web , tier != back", True), ("app!=web", False),
    ("nosuch!=x", True), ("app", True), ("!app", False), ("! nosuch", True), ("app in (db, web)", True),
    ("app in(db)", False), ("app notin (db)", True), ("nosuch notin (db)", True), ("empty=", True), ("empty", True),
    ("empty in (,x)", True), ("empty in ()", True), ("app in (web),tier notin (back),!x", True), ("app=web,", None),
    ("size>9", True), ("size>10", False), ("size<11", True), ("app>1", False), ("nosuch<1", False), ("in=notin", True),
    ("in in (notin,in)", True),
])
def test_a_label_selector(text, chosen):
    if chosen is None:
        with pytest.raises(ApiError):
            parse(text)
    else:
        assert parse(text).matches(LABELS) == chosen


@pytest.mark.parametrize(("text", "message"), [
    ("a in (b", "unable to parse requirement: found '', expected: ',' or ')'"),
    ("a in b", "unable to parse requirement: found 'b' expected: '('"),
    ("a in (=)", "unable to parse requirement: found '=', expected: ',', ')' or identifier"),
    ("a=b=c", "found '=', expected: ',' or 'end of string'"),
    ("a b", "unable to parse requirement: found 'b', expected: in, notin, =, ==, !=, gt, lt"),
    ("a=(b)", "unable to parse requirement: found '(', expected: identifier"),
    ("=a", "found '=', expected: !, identifier, or 'end of string'"),
    ("a,,b", "found ',', expected: identifier after ','"),
    ("!", "unable to parse requirement: found '', expected: identifier"),
    ("-a", f'unable to parse requirement: <nil>: Invalid value: "-a": {NAME_PART}'),
    ("a>b", 'unable to parse requirement: values[0]: Invalid value: "b": for \'Gt\', \'Lt\' operators, the value must '
            "be an integer"),
])
def test_a_label_selector_that_cannot_be_read(text, message):
    with pytest.raises(ApiError) as caught:
        parse(text)
    assert (caught.value.code, caught.value.message) == (400, message)


@pytest.mark.parametrize(("text", "chosen"), [
    ("metadata.name=a", True), ("metadata.name!=a", False), ("spec.text=x\\,y\\=z", True),
    ("metadata.name=a,spec.on=true", True), ("spec.nosuch=", True), ("spec.nosuch!=", False), ("", True),
])
def test_a_field_selector(text, chosen):
    manifest = {"metadata": {"name": "a"}, "spec": {"text": "x,y=z", "on": True}}
    assert parse_fields(text).matches(manifest) == chosen


def test_a_field_selector_that_cannot_be_read():
    with pytest.raises(ApiError, match=r"^invalid selector: 'a=b,c'; can't understand 'c'$"):
        parse_fields("a=b,c")
