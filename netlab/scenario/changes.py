"""Steps that change objects: apply, delete, scale, label."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from netlab.model import meta
from netlab.model.errors import ApiError, LabError
from netlab.scenario.actions import Observation, action
from netlab.scenario.manifests import Located, from_value, load
from netlab.scenario.problems import BadFile
from netlab.scenario.schema import Notes, OneOrMany, Record, Short, Text, Whole, describe
from netlab.scenario.source import Field
from netlab.scenario.stage import Stage
from netlab.scenario.variables import fill
from netlab.server import verbs

OBJECT = Text(pattern=r"[A-Za-z.]+/\S+", described="KIND/NAME, such as service/web", called="KIND/NAME")
NOT_REJECTED = (("rejected", None, ("rejected",)),)


@dataclass(frozen=True)
class Manifests:
    """Manifests in the step itself (one, or a list), or the name of a file beside the scenario."""

    called: str = "a manifest, a list of manifests, or the name of a file"

    def read(self, value: Any, where: Field, notes: Notes) -> tuple[Located, ...]:
        """The manifests with their places."""
        if isinstance(value, str):
            try:
                return tuple(load([str(Path(notes.document.file).parent / value)]))
            except BadFile as error:
                notes.wrong(where, f'the file "{value}" cannot be applied')
                notes.problems += error.problems
                return ()
        if not isinstance(value, list | dict):
            notes.wrong(where, f"must be {self.called}, not {describe(value)}")
            return ()
        return tuple(from_value(notes.document, where, notes.problems))


@dataclass(frozen=True)
class LabelValue:
    """A label's text, or nothing to remove the label."""

    called: str = "text, or null to remove the label"

    def read(self, value: Any, where: Field, notes: Notes) -> str | None:
        """The text or None."""
        return None if value is None else Text(called=self.called).read(value, where, notes)


@dataclass(frozen=True)
class Labels:
    """New labels by key."""

    called: str = "a mapping of labels"

    def read(self, value: Any, where: Field, notes: Notes) -> dict[str, str | None]:
        """The labels."""
        if not isinstance(value, dict) or not value:
            notes.wrong(where, f"must be {self.called}, not {describe(value)}")
            return {}
        return {key: LabelValue().read(item, (*where, key), notes) for key, item in value.items()}


def _collect(did: str, changes: Iterable[str]) -> Observation:
    """The lines of changes that are made one by one; the API's refusal ends them and is a result too."""
    lines: list[str] = []
    try:
        for line in changes:
            lines.append(line)
    except ApiError as error:
        return Observation(did, tuple(lines), rejected=error.message)
    return Observation(did, tuple(lines))


@action("apply", Manifests(), looks=False, checks=("rejected",), defaults=NOT_REJECTED)
def apply(stage: Stage, manifests: tuple[Located, ...]) -> Observation:
    """Creates the objects or changes them, like `kubectl apply`."""

    def work() -> Iterator[str]:
        for located in manifests:
            manifest = fill(located.manifest, stage.variables)
            kind = stage.kinds.of(manifest["apiVersion"], manifest["kind"])
            if kind is None:
                raise LabError(f'{located.place}: no matches for kind "{manifest["kind"]}" in version '
                               f'"{manifest["apiVersion"]}"')
            namespace = meta.namespace(manifest) or stage.namespace
            done = verbs.apply(stage.lab.api, kind, manifest, namespace=namespace if kind.namespaced else "")
            yield f"{kind.shown}/{meta.name(manifest)} {done}"

    names = (f"{item.manifest['kind'].lower()}/{meta.name(item.manifest)}" for item in manifests)
    return _collect(f"apply {' '.join(names)}", work())


@action("delete", Short("objects", Record({"objects": OneOrMany(OBJECT), "gracePeriod": Whole()},
                                          required=("objects",))),
        looks=False, checks=("rejected",), defaults=NOT_REJECTED)
def delete(stage: Stage, said: dict[str, Any]) -> Observation:
    """Deletes objects without waiting until they are gone."""

    def work() -> Iterator[str]:
        for text in said["objects"]:
            kind, name, namespace = stage.kind_and_name(text)
            verbs.delete(stage.lab.api, kind, name, namespace=namespace, grace_period=said.get("gracePeriod"))
            yield f'{kind.shown} "{name}" deleted'

    return _collect(f"delete {' '.join(said['objects'])}", work())


@action("scale", Record({"object": OBJECT, "replicas": Whole()}, required=("object", "replicas")),
        looks=False, checks=("rejected",), defaults=NOT_REJECTED)
def scale(stage: Stage, said: dict[str, Any]) -> Observation:
    """Sets the number of replicas."""

    def work() -> Iterator[str]:
        kind, name, namespace = stage.kind_and_name(said["object"])
        verbs.scale(stage.lab.api, kind, name, said["replicas"], namespace=namespace)
        yield f"{kind.shown}/{name} scaled"

    return _collect(f"scale {said['object']} --replicas={said['replicas']}", work())


@action("label", Record({"object": OBJECT, "set": Labels()}, required=("object", "set")),
        looks=False, checks=("rejected",), defaults=NOT_REJECTED)
def label(stage: Stage, said: dict[str, Any]) -> Observation:
    """Sets labels, and removes those that are null."""

    def work() -> Iterator[str]:
        kind, name, namespace = stage.kind_and_name(said["object"])
        verbs.label(stage.lab.api, kind, name, said["set"], namespace=namespace)
        yield f"{kind.shown}/{name} labeled"

    words = (f"{key}-" if value is None else f"{key}={value}" for key, value in said["set"].items())
    return _collect(f"label {said['object']} {' '.join(words)}", work())
