"""Scenarios by name (those that netlab ships) or by path."""

from __future__ import annotations

import os
from pathlib import Path

from netlab.model.errors import LabError
from netlab.scenario.problems import near
from netlab.scenario.scenario import Scenario
from netlab.scenario.scenario import load as load_file

LABS = Path(__file__).resolve().parent.parent / "labs"


def shipped() -> list[str]:
    """The names of the shipped scenarios, sorted."""
    return sorted(file.stem for file in LABS.glob("*.yaml"))


def load(word: str) -> Scenario:
    """The scenario of that name or path. BadFile has its mistakes; LabError (exit code 4) when there is none."""
    names = shipped()
    if word in names:
        return load_file(str(LABS / f"{word}.yaml"))
    if os.sep in word or word.endswith((".yaml", ".yml")) or Path(word).is_file():
        return load_file(word)
    raise LabError(f'there is no scenario "{word}"{near(word, names)}',
                   hint="netlab run (shows the names), or netlab run FILE", exit_code=4)
