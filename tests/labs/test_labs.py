"""Every shipped scenario is a test: it is played in a lab of its own, and every check must hold."""

import io
import os

import pytest

from netlab.scenario import library
from netlab.scenario.report import Report
from netlab.scenario.runner import play_all

pytestmark = [pytest.mark.lab, pytest.mark.skipif(os.geteuid() != 0, reason="a lab needs root")]


@pytest.mark.parametrize("name", library.shipped())
def test_every_check_of_the_shipped_scenario_holds(name):
    from netlab.kernel import sweep

    out = io.StringIO()
    lab = f"l{os.getpid()}-{name}"
    code = play_all([library.load(name)], lab_name=lab, report=Report(out, verbose=True))
    assert code == 0, out.getvalue()
    assert sweep.leftovers(lab) == []
