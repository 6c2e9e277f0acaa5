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


USED_BY = {"Lab": "netlab up", "Scenario": "netlab run"}
"""The kinds of our own files, and the command that takes each."""


def refuse_other_kind(document: Document, wanted: str) -> None:
    """BadFile when it is another kind of file than the one `wanted`; it says which command takes such a file."""
    value = document.value if isinstance(document.value, Mapping) else {}
    version, kind = value.get("apiVersion"), value.get("kind")
    if version == API_VERSION and kind in USED_BY and kind != wanted:
        command = f"{USED_BY[kind]} {document.file}"
    elif isinstance(version, str) and isinstance(kind, str) and not version.startswith("netlab/"):
        command = f"netlab apply -f {document.file}"
    else:
        return
    message = f"a {wanted} is wanted here, and this is a {kind}: {command}"
    raise BadFile([document.problem(("kind",), message)])


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
    for document in documents[:1]:
        refuse_other_kind(document, "Lab")
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
