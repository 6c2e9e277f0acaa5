"""Plays scenarios: a lab up, the steps, the lab down, whatever happens in between."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress

from netlab.lab import signals
from netlab.lab.lab import Lab
from netlab.model.lab_spec import DEFAULT_NAME, LabSpec
from netlab.scenario import evidence
from netlab.scenario.actions import Observation
from netlab.scenario.performance import CheckFailed, perform
from netlab.scenario.report import Report, Result
from netlab.scenario.scenario import Scenario
from netlab.scenario.stage import Stage
from netlab.scenario.step import Step


def play_all(scenarios: Sequence[Scenario], *, lab_name: str, report: Report, keep: bool = False,
             up: Callable[[LabSpec], Lab] | None = None) -> int:
    """Plays them one after the other; gives the program's exit code: 0, 1 after a failed check, 128+n by a signal."""
    try:
        with signals.raised():
            for scenario in scenarios:
                report.end(play(scenario, lab_name=lab_name, report=report, keep=keep, up=up))
    except signals.Interrupted as error:
        with suppress(OSError):  # the terminal may be gone, or the reader
            report.say(f"stopped by {error}")
        return error.exit_code
    report.summary()
    return int(any(result.failure for result in report.results))


def play(scenario: Scenario, *, lab_name: str, report: Report, keep: bool = False,
         up: Callable[[LabSpec], Lab] | None = None) -> Result:
    """Plays one scenario in a lab of that name. LabError when a lab of that name is there already, or cannot start."""
    report.begin(scenario, lab_name)
    started = time.monotonic()
    with _lab(scenario.spec(lab_name), report, keep=keep, up=up or (_up_to_keep if keep else _up_new)) as lab:
        report.lab_up(lab_name, lab.spec.nodes, time.monotonic() - started)
        stage = Stage.of(lab)
        failure = ""
        try:
            failure = _steps(scenario.steps, stage, report)
            if failure and scenario.catch:
                report.note("What the scenario looks at after a failure:")
                _steps(scenario.catch, stage, report, all_of_them=True)
        finally:
            if scenario.always:
                report.note("What the scenario does in any case:")
                late = _steps(scenario.always, stage, report, all_of_them=True)
                failure = failure or late
    return Result(scenario.name, time.monotonic() - started, len(scenario.steps), failure)


def _up_new(spec: LabSpec) -> Lab:
    """A new lab: a scenario must not act in, and then remove, one that somebody works with."""
    return Lab.up(spec, new=True, temporary=True)


def _up_to_keep(spec: LabSpec) -> Lab:
    return Lab.up(spec, new=True)


@contextmanager
def _lab(spec: LabSpec, report: Report, *, keep: bool, up: Callable[[LabSpec], Lab]) -> Iterator[Lab]:
    lab = up(spec)
    try:
        yield lab
    except BaseException:
        with signals.held():
            lab.down()
        raise
    if not keep:
        with signals.held():
            lab.down()
        return
    named = "" if spec.name == DEFAULT_NAME else f" --name {spec.name}"
    report.say(f"lab {spec.name} is left up: netlab{named} get all; netlab{named} exec client -- sh; "
               f"netlab down{named}")


def _steps(steps: Sequence[Step], stage: Stage, report: Report, *, all_of_them: bool = False) -> str:
    """Performs steps until one fails; gives what failed, "" when all held."""
    failure = ""
    for number, step in enumerate(steps, 1):
        report.step(number, step)
        began = time.monotonic()
        try:
            seen: Observation = perform(step, stage)
        except CheckFailed as error:
            failure = failure or f'step {number} "{step.title}" failed: {error.problems[0].splitlines()[0]}'
            report.failed(step, error.problems, error.seen, tries=error.tries, seconds=error.seconds,
                          evidence=evidence.collect(step, stage))
            if not all_of_them:
                return failure
        else:
            report.done(step, seen, time.monotonic() - began)
    return failure
