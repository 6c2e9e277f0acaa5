import pytest

from netlab.scenario.lookup import MISSING, look, parts
from netlab.scenario.variables import fill, names

SERVICE = {"spec": {"ports": [{"port": 80}, {"port": 443, "nodePort": 30443}]},
           "metadata": {"labels": {"kubernetes.io/metadata.name": "x"}}}


@pytest.mark.parametrize(("path", "value"), [
    (".spec.ports[0].port", 80),
    ("{.spec.ports[0].port}", 80),
    (".spec.ports[-1].port", 443),
    (".spec.ports[*].port", [80, 443]),
    (".spec.ports[*].nodePort", [30443]),
    (".spec.ports[2].port", MISSING),
    (".spec.type", MISSING),
    (".metadata.labels['kubernetes.io/metadata.name']", "x"),
    (r".metadata.labels.kubernetes\.io/metadata\.name", "x"),
])
def test_paths_lead_to_values(path, value):
    assert look(SERVICE, path) == value


@pytest.mark.parametrize("path", [".a[", ".a[b]", ".a b", ".a[?(@.b)]"])
def test_a_path_that_cannot_be_followed_is_no_path(path):
    assert parts(path) is None


@pytest.mark.parametrize(("text", "filled"), [
    ("${ip}", "10.0.0.1"), ("${port}", 80), ("http://${ip}:${port}/", "http://10.0.0.1:80/"),
    ("$${ip} $ip", "${ip} $ip"), (["${port}"], [80]), ({"${ip}": ("${ip}",)}, {"10.0.0.1": ("10.0.0.1",)}), (3, 3)])
def test_variables_are_filled_in(text, filled):
    assert fill(text, {"ip": "10.0.0.1", "port": 80}) == filled


def test_references_are_found_anywhere():
    assert list(names({"a": ["${x}", {"b": "$${y} ${z}"}]})) == ["x", "z"]
