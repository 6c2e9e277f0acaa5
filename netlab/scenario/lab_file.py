"""Lab files: `kind: Lab`, a name and the lab's settings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from netlab.model.errors import FieldError
from netlab.model.lab_spec import DEFAULT_NAME, LabSpec
from netlab.scenario.problems import BadFile, Problem
from netlab.scenario.schema import Anything, Record, Text, check
from netlab.scenario.source import Document, Field, field_of, read

API_VERSION = "netlab/v1"
NAME = Text(pattern=r"[a-z0-9]([-a-z0-9]{0,30}[a-z0-9])?", described="at most 32 of a-z, 0-9 and -")

LAB = Record({
    "apiVersion": Text(choices=(API_VERSION,)),
    "kind": Text(choices=("Lab",)),
    "metadata": Record({"name": NAME, "labels": Anything(), "annotations": Anything()}, required=("name",)),
    "spec": Anything(),
}, required=("apiVersion", "kind", "metadata"))


@dataclass(frozen=True)
class Settings:
    """A lab's settings as a file has them, with the place to blame for mistakes."""

    name: str
    spec: Mapping[str, Any]
    document: Document
    field: Field


def load(path: str) -> Settings:
    """The lab of a file. BadFile has all its mistakes."""
    documents = read(path)
    if len(documents) != 1:
        where = documents[1].place() if documents else Document(None, path, {}).place()
        raise BadFile([Problem(where, "", f"a lab file has one document, this one has {len(documents)}")])
    document = documents[0]
    problems: list[Problem] = []
    value = check(LAB, document, problems)
    if problems:
        raise BadFile(problems)
    settings = Settings(value["metadata"]["name"], value.get("spec") or {}, document, ("spec",))
    spec_of(settings, name=settings.name)
    return settings


def spec_of(settings: Settings | None, *, name: str = DEFAULT_NAME) -> LabSpec:
    """The settings as a value, under that name; without any, the defaults. BadFile says what is wrong where."""
    from netlab.model.lab_settings import SpecError, parse

    try:
        return parse(settings.spec if settings else {}, name=name)
    except SpecError as error:
        if settings is None:
            raise
        raise BadFile(_problem(settings, cause) for cause in error.errors) from None


def _problem(settings: Settings, cause: FieldError) -> Problem:
    """The cause's path starts with `spec`, wherever in the file the settings are."""
    head, *rest = field_of(cause.field)
    field = (*settings.field, *rest) if head == "spec" else (head, *rest)
    return settings.document.problem(field, cause.message)
