"""A scenario as a value, and how it is read from its file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from netlab.model.lab_spec import LabSpec
from netlab.scenario.lab_file import API_VERSION, NAME, Settings, refuse_other_kind, spec_of
from netlab.scenario.problems import BadFile, Place, Problem
from netlab.scenario.schema import Anything, Many, Notes, Record, Text, check
from netlab.scenario.source import Document, read
from netlab.scenario.step import Step, StepShape, check_variables

STEPS = Many(StepShape())
SHAPE = Record({
    "apiVersion": Text(choices=(API_VERSION,)),
    "kind": Text(choices=("Scenario",)),
    "metadata": Record({"name": NAME, "labels": Anything(), "annotations": Anything()}, required=("name",)),
    "title": Text(),
    "description": Text(),
    "lab": Anything(),
    "steps": STEPS,
    "catch": STEPS,
    "always": STEPS,
}, required=("apiVersion", "kind", "metadata", "steps"))


@dataclass(frozen=True)
class Scenario:
    """A lesson: the lab that it needs, its steps; `catch` runs after a failed step, `always` at the end."""

    name: str
    title: str
    description: str
    file: str
    settings: Settings
    steps: tuple[Step, ...]
    catch: tuple[Step, ...] = ()
    always: tuple[Step, ...] = ()

    def spec(self, lab_name: str) -> LabSpec:
        """The settings of the lab that it plays in."""
        return spec_of(self.settings, name=lab_name)


def load(path: str) -> Scenario:
    """The scenario of a file. BadFile has all its mistakes, each with its place."""
    documents = read(path)
    if len(documents) != 1:
        place = documents[1].place() if documents else Place(path)
        raise BadFile([Problem(place, "", f"a scenario file has one document, this one has {len(documents)}")])
    return from_document(documents[0])


def from_document(document: Document) -> Scenario:
    """The scenario of a YAML document."""
    refuse_other_kind(document, "Scenario")
    problems: list[Problem] = []
    said = check(SHAPE, document, problems)
    settings = Settings(str((said.get("metadata") or {}).get("name") or ""), _mapping(document.value, "lab"), document,
                        ("lab",))
    known: set[str] = set()
    for part in ("steps", "catch", "always"):
        raw = document.value.get(part) if isinstance(document.value, Mapping) else None
        if isinstance(raw, list):
            check_variables(raw, (part,), known, Notes(document, problems))
    try:
        spec_of(settings, name="netlab")
    except BadFile as error:
        problems += error.problems
    if problems:
        raise BadFile(problems)
    return Scenario(settings.name, said.get("title", settings.name), said.get("description", ""), document.file,
                    settings, said["steps"], said.get("catch", ()), said.get("always", ()))


def _mapping(value: Any, key: str) -> Any:
    return (value.get(key) if isinstance(value, Mapping) else None) or {}
