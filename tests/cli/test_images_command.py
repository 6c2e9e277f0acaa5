"""`netlab images`: the catalogue, and what runs for a name."""

import pytest

from netlab.cli.images import runs
from netlab.cli.main import main
from netlab.model.images import Image


def test_the_catalogue_is_a_table(capsys):
    assert main(["images", "--name", "nosuchlab"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["IMAGE", "PORTS", "RUNS"]
    assert ["agnhost", "-", "built-in", "agnhost"] in [line.split() for line in lines]


def test_names_are_looked_up(capsys):
    assert main(["images", "gcr.io/google-samples/hello-app:2.0", "me/demo-coffee", "--name", "nosuchlab"]) == 0
    assert [line.split(None, 2)[1:] for line in capsys.readouterr().out.splitlines()[1:]] == [
        ["8080", "built-in greeters (hello app)"], ["9090+", "built-in echo"]]


def test_an_unknown_name_is_not_found_and_told_how_to_add(capsys):
    assert main(["images", "example.com/foo", "--name", "nosuchlab"]) == 4
    assert "images: [{name: example.com/foo" in capsys.readouterr().err


@pytest.mark.parametrize(("image", "text"), [
    (Image("a", ("sh", "-c", "long script", "a"), ("redis-server",)), "the machine's a redis-server"),
    (Image("busybox", (), ("sh",)), "the machine's sh"), (Image("x", ("x",), entry="m.y:main"), "built-in y"),
])
def test_what_runs_is_told_in_a_line(image, text):
    assert runs(image) == text
