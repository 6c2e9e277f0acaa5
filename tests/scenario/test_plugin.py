"""The pytest plugin, in pytest runs of their own."""

import os
import subprocess
import sys

import pytest

pytestmark = pytest.mark.slow
GOOD = "apiVersion: netlab/v1\nkind: Scenario\nmetadata: {name: web}\nsteps:\n- wait: settled\n"


def _pytest(tmp_path, *words):
    return subprocess.run([sys.executable, "-m", "pytest", "-p", "netlab.pytest_plugin", "-p", "no:cacheprovider", "-q",
                           *words, str(tmp_path)], capture_output=True, text=True, timeout=60, cwd=tmp_path,
                          env=os.environ | {"PYTHONPATH": os.getcwd()})


def test_scenario_files_are_tests_and_their_mistakes_have_places(tmp_path):
    (tmp_path / "a.netlab.yaml").write_text(GOOD)
    (tmp_path / "b.netlab.yaml").write_text(GOOD.replace("wait:", "wiat:"))
    (tmp_path / "c.yaml").write_text("not a test")
    done = _pytest(tmp_path, "--collect-only", "--strict-markers")
    assert "a.netlab.yaml::web" in done.stdout
    assert 'b.netlab.yaml:5:3: steps[0].wiat: unknown key "wiat" (did you mean "wait"?)' in done.stdout
    assert "c.yaml" not in done.stdout


def test_lab_names_are_short_and_of_this_process():
    from netlab.pytest_plugin import lab_name

    assert str(os.getpid()) in lab_name()
    assert len(lab_name("a-very-long-name-of-a-scenario-indeed")) <= 32


@pytest.mark.parametrize("name", ["lab", "lab_module"])
def test_the_fixtures_are_offered(tmp_path, name):
    (tmp_path / "test_x.py").write_text("")
    assert f"\n{name}" in _pytest(tmp_path, "--fixtures").stdout
