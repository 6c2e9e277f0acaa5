"""How one step is performed: act, look, compare, and look again until it holds or its time is over."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from netlab.model.errors import ApiError, LabError
from netlab.scenario.actions import NotYet, Observation
from netlab.scenario.checks import CHECKS
from netlab.scenario.lookup import MISSING, look
from netlab.scenario.stage import Stage
from netlab.scenario.step import SAVED, Step
from netlab.scenario.variables import fill

FIRST_PAUSE, LONGEST_PAUSE = 0.03, 0.3


@dataclass
class CheckFailed(Exception):
    """What was expected did not come: the differences, and the last that was seen."""

    problems: list[str]
    seen: Observation | None
    tries: int
    seconds: float

    def __str__(self) -> str:
        return "\n".join(self.problems)


def perform(step: Step, stage: Stage) -> Observation:
    """Does the step, gives what was seen when all its checks held, and saves its variables on the stage."""
    stage = stage.within(str(fill(step.namespace, stage.variables))) if step.namespace else stage
    said = step.said if step.action.name == "apply" else fill(step.said, stage.variables)
    expect = expectations(step, stage.variables)
    seen = _until(step, stage, said, expect)
    if step.stays_for:
        _hold(step, stage, said, expect)
    for name, source in step.save.items():
        stage.variables[name] = _saved(step, stage, str(fill(source, stage.variables)), seen)
    return seen


def expectations(step: Step, variables: Mapping[str, Any]) -> dict[str, Any]:
    """What the step expects, with what its action expects when nothing else is said."""
    expect = {check: fill(value, variables) for check, value in step.expect.items()}
    for check, value, unless in step.action.defaults:
        if not any(other in expect for other in unless):
            expect[check] = value
    return expect


def _attempt(step: Step, stage: Stage, said: Any, expect: Mapping[str, Any]) -> tuple[Observation | None, list[str]]:
    """One try: (what was seen, what is wrong with it)."""
    try:
        seen = step.action.run(stage, said)
    except NotYet as error:
        return None, [str(error)]
    except ApiError as error:
        return None, [f"the API server says: {error.message}"]
    except LabError as error:
        if error.exit_code not in (2, 4, 124):
            raise
        return None, [error.message]
    return seen, [problem for check, value in expect.items() if (problem := CHECKS[check].test(value, seen))]


def _until(step: Step, stage: Stage, said: Any, expect: Mapping[str, Any]) -> Observation:
    started = time.monotonic()
    pause, tries = FIRST_PAUSE, 0
    while True:
        tries += 1
        seen, problems = _attempt(step, stage, said, expect)
        if seen is not None and not problems:
            return seen
        passed = time.monotonic() - started
        if not step.action.looks or passed + pause > step.within:
            raise CheckFailed(problems, seen, tries, passed)
        time.sleep(pause)
        pause = min(LONGEST_PAUSE, pause * 1.5)


def _hold(step: Step, stage: Stage, said: Any, expect: Mapping[str, Any]) -> None:
    """Looks again and again for `staysFor`: all must hold each time."""
    started, tries = time.monotonic(), 0
    while (passed := time.monotonic() - started) < step.stays_for:
        time.sleep(min(LONGEST_PAUSE, step.stays_for / 5))
        tries += 1
        seen, problems = _attempt(step, stage, said, expect)
        if problems:
            raise CheckFailed([f"it held first, but not for {step.stays_for:g} s:", *problems], seen, tries, passed)


def _saved(step: Step, stage: Stage, source: str, seen: Observation) -> Any:
    match = SAVED.fullmatch(source)
    assert match is not None  # the file was checked
    if match["text"]:
        return seen.stdout.strip()
    end = time.monotonic() + step.within
    while True:
        try:
            value = look(stage.object(match["object"]), match["path"])
        except ApiError as error:
            value, why = MISSING, error.message
        else:
            why = f"{match['object']} has no {match['path']}"
        if value is not MISSING and value not in ("", None):
            return value
        if time.monotonic() > end:
            raise CheckFailed([f"there is nothing to save: {why}"], seen, 1, step.within)
        time.sleep(FIRST_PAUSE)
