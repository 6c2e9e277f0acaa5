"""Kubernetes manifests from files, directories and the standard input."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from netlab.model.meta import Manifest
from netlab.scenario.problems import BadFile, Place, Problem
from netlab.scenario.source import Document, Field, field_of, read

SUFFIXES = (".yaml", ".yml", ".json")


@dataclass(frozen=True)
class Located:
    """A manifest and where it stands."""

    manifest: Manifest
    place: Place
    document: Document
    field: Field = ()  # where the manifest stands in its document

    def at(self, path: str) -> Place:
        """Where a field such as `spec.ports[0].port` stands; the indexes may be left out, as Go's messages do."""
        wanted = field_of(path)
        exact = (*self.field, *wanted)
        if exact not in self.document.places:
            names = tuple(part for part in wanted if isinstance(part, str))
            for known in self.document.places:
                below = known[len(self.field):]
                if known[:len(self.field)] == self.field and tuple(p for p in below if isinstance(p, str)) == names:
                    return self.document.place(known)
        return self.document.place(exact)


def load(names: Iterable[str]) -> list[Located]:
    """All manifests of these files, in order; a directory gives its .yaml, .yml and .json files, sorted.

    BadFile has the problems of all files: syntax, and documents that are no manifests.
    """
    found: list[Located] = []
    problems: list[Problem] = []
    for name in names:
        try:
            for path in _files(name):
                for document in read(path):
                    found += from_value(document, (), problems)
        except BadFile as error:
            problems += error.problems
    if problems:
        raise BadFile(problems)
    return found


def _files(name: str) -> list[str]:
    path = Path(name)
    if name == "-" or not path.is_dir():
        return [name]
    files = sorted(str(file) for file in path.iterdir() if file.suffix in SUFFIXES and file.is_file())
    if not files:
        raise BadFile([Problem(Place(name), "", f"the directory has no file ending in {', '.join(SUFFIXES)}")])
    return files


def from_value(document: Document, field: Field, problems: list[Problem]) -> Iterator[Located]:
    """The manifests at `field` of a document: one, the items of a List, or a YAML list of them."""
    value: Any = document.value
    for part in field:
        value = value[part]
    if isinstance(value, list):
        for index in range(len(value)):
            yield from from_value(document, (*field, index), problems)
        return
    if not isinstance(value, dict):
        problems.append(document.problem(field, "a manifest is a mapping with apiVersion, kind and metadata"))
        return
    missing = [f"{key} not set" for key in ("apiVersion", "kind") if not isinstance(value.get(key), str)]
    if missing:
        problems.append(document.problem(field, f"error validating data: {_list(missing)}"))
        return
    if value["kind"].endswith("List") and isinstance(value.get("items"), list):
        for index in range(len(value["items"])):
            yield from from_value(document, (*field, "items", index), problems)
        return
    metadata = value.get("metadata")
    if not isinstance(metadata, dict) or not isinstance(metadata.get("name"), str) or not metadata["name"]:
        generated = isinstance(metadata, dict) and metadata.get("generateName")
        text = f"from {generated}: cannot use generate name with apply" if generated else \
            "metadata.name: Required value: name or generateName is required"
        problems.append(document.problem(field, text))
        return
    wrong = [key for key in ("namespace",) if not isinstance(metadata.get(key, ""), str)]
    wrong += [key for key in ("labels", "annotations") if not isinstance(metadata.get(key) or {}, dict)]
    for key in wrong:
        problems.append(document.problem((*field, "metadata", key), "has the wrong type"))
    if not wrong:
        yield Located(value, document.place(field), document, field)


def _list(texts: list[str]) -> str:
    return texts[0] if len(texts) == 1 else f"[{', '.join(texts)}]"
