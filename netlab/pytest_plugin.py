"""pytest: the fixtures `lab`, `lab_module` and `kubectl`, and files named `*.netlab.yaml` as tests.

    @pytest.mark.netlab(nodes=["a", "b"])       # what a lab file's `spec` may say
    def test_web(lab):
        assert lab.run("client", ["curl", "-s", "http://172.18.0.2:30080/"])[0] == 0

Without root these tests are skipped. `--netlab-keep` leaves the labs of failed scenarios up.
"""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from netlab.lab.lab import Lab
    from netlab.scenario.scenario import Scenario

SUFFIX = ".netlab.yaml"


def pytest_configure(config: pytest.Config) -> None:
    """Declares the marker."""
    config.addinivalue_line("markers", "netlab(**spec): the settings of the fixture `lab`, as in a lab file's `spec`")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Declares the options."""
    parser.getgroup("netlab").addoption("--netlab-keep", action="store_true",
                                        help="leave the labs of scenario files up, and say how to reach them")


def lab_name(purpose: str = "") -> str:
    """A lab name that no other pytest process on this machine uses at the same time."""
    worker = os.environ.get("PYTEST_XDIST_WORKER", "")
    return f"t{os.getpid()}{worker}{f'-{purpose}' if purpose else ''}"[:32].rstrip("-")


def _skip_without_root() -> None:
    if os.geteuid() != 0:
        pytest.skip("a lab needs root")


def _lab(request: pytest.FixtureRequest, purpose: str) -> Iterator[Lab]:
    _skip_without_root()
    from netlab.lab.lab import Lab
    from netlab.model.errors import LabError
    from netlab.model.lab_settings import parse

    marker = request.node.get_closest_marker("netlab")
    try:
        lab = Lab.up(parse(dict(marker.kwargs) if marker else {}, name=lab_name(purpose)))
    except LabError as error:
        if error.exit_code == 3:
            pytest.skip(f"this machine cannot run a lab: {error.message}")
        raise
    try:
        yield lab
    finally:
        lab.down()


@pytest.fixture
def lab(request: pytest.FixtureRequest) -> Iterator[Lab]:
    """A lab of the test's own, taken down after it."""
    yield from _lab(request, "")


@pytest.fixture(scope="module")
def lab_module(request: pytest.FixtureRequest) -> Iterator[Lab]:
    """One lab for all tests of a module."""
    yield from _lab(request, "m")


@pytest.fixture
def kubectl(request: pytest.FixtureRequest) -> Callable[..., str]:
    """The real kubectl on the test's lab: `kubectl("apply", "-f", "-", input=MANIFEST)` gives what it printed.

    The test fails with kubectl's words when it does not end with 0. The lab is `lab_module` for a test that has it.
    """
    import shutil

    program = shutil.which("kubectl")
    if program is None:
        pytest.skip("kubectl is not installed")
    lab: Lab = request.getfixturevalue("lab_module" if "lab_module" in request.fixturenames else "lab")

    def run(*words: str, input: str = "") -> str:
        import subprocess

        from netlab.topology import names

        done = subprocess.run([program, *words], input=input, capture_output=True, text=True, check=False,
                              env=os.environ | {"KUBECONFIG": str(names.kubeconfig(lab.name))})
        if done.returncode:
            pytest.fail(f"kubectl {' '.join(words)} ended with {done.returncode}:\n{done.stdout}{done.stderr}",
                        pytrace=False)
        return done.stdout

    return run


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    """Scenario files are tests."""
    return ScenarioFile.from_parent(parent, path=file_path) if file_path.name.endswith(SUFFIX) else None


class ScenarioFile(pytest.File):
    """A file with one scenario; mistakes in it are a collection error with their places."""

    def collect(self) -> Iterator[pytest.Item]:
        """The scenario as a test."""
        from netlab.scenario.problems import BadFile
        from netlab.scenario.scenario import load

        try:
            scenario = load(str(self.path))
        except BadFile as error:
            raise self.CollectError(str(error)) from None
        yield ScenarioItem.from_parent(self, name=scenario.name, scenario=scenario)


class ScenarioFailed(Exception):
    """A check failed; the text is the whole report."""


class ScenarioItem(pytest.Item):
    """A scenario, played in a lab of its own."""

    def __init__(self, *, scenario: Scenario, **words: Any) -> None:
        super().__init__(**words)
        self.scenario = scenario

    def runtest(self) -> None:
        """Plays it; the report is shown when a check failed."""
        _skip_without_root()
        from netlab.scenario.report import Report
        from netlab.scenario.runner import play

        out = io.StringIO()
        result = play(self.scenario, lab_name=lab_name(self.scenario.name), report=Report(out),
                      keep=self.config.getoption("--netlab-keep"))
        if result.failure:
            raise ScenarioFailed(f"{result.failure}\n\n{out.getvalue()}")

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        """The report instead of a traceback."""
        return str(excinfo.value) if isinstance(excinfo.value, ScenarioFailed) else super().repr_failure(excinfo)

    def reportinfo(self) -> tuple[Path, int | None, str]:
        """Where it stands."""
        return self.path, 0, f"scenario: {self.scenario.name}"
