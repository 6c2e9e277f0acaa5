"""CustomResourceDefinitions: kinds that users bring along. What they make is served from the moment they are stored."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from netlab.api.resource import Column, Objects, Resource
from netlab.api.resources.definition_rules import definition_errors
from netlab.api.schema_rules import without_rules
from netlab.model import meta
from netlab.model.meta import Manifest

PLURAL, GROUP = "customresourcedefinitions", "apiextensions.k8s.io"
FINALIZER = "customresourcecleanup.apiextensions.k8s.io"
_ACCEPTED = ("NamesAccepted", "True", "NoConflicts", "no conflicts found")
_ESTABLISHED = ("Established", "True", "InitialNamesAccepted", "the initial names have been accepted")
_NOT_ESTABLISHED = ("Established", "False", "NotAccepted", "not all names are accepted")
_TERMINATING = ("Terminating", "True", "InstanceDeletionPending",
                "CustomResourceDefinition marked for deletion; CustomResource deletion will begin soon")


def _default(manifest: Manifest) -> None:
    spec = manifest.setdefault("spec", {})
    names = spec.setdefault("names", {})
    if names.get("kind"):
        names["singular"] = names.get("singular") or names["kind"].lower()
        names["listKind"] = names.get("listKind") or f"{names['kind']}List"
    conversion = spec.setdefault("conversion", {})
    conversion["strategy"] = conversion.get("strategy") or "None"
    for version in spec.get("versions") or ():
        version.setdefault("served", False)
        version.setdefault("storage", False)


def with_condition(manifest: Manifest, condition: tuple[str, str, str, str], now: str) -> list[dict[str, Any]]:
    """The conditions of a definition with one set: its type, status, reason and message."""
    name, status, reason, message = condition
    before = meta.status(manifest).get("conditions") or []
    old: dict[str, Any] = next((found for found in before if found.get("type") == name), {})
    new = {"lastTransitionTime": old["lastTransitionTime"] if old.get("status") == status else now,
           "message": message, "reason": reason, "status": status, "type": name}
    return [*(new if found is old else found for found in before), *([] if old else [new])]


def _prepare(registry: Objects, new: Manifest, old: Manifest | None) -> None:
    """Says whether the names are free. Upstream a controller does so a moment later."""
    if definition_errors(new, old):
        return  # validation says so
    spec, status = new["spec"], dict(meta.status(old or {}))
    problems = [] if meta.is_deleting(new) else list(_conflicts(registry, new))
    accepted = status.get("acceptedNames") or {"kind": "", "plural": ""}
    taken = {field for field, _, _ in problems}
    status["acceptedNames"] = {**{field: value for field, value in accepted.items() if field in taken}, **{
        field: value for field, value in spec["names"].items() if field not in taken}}
    stored = next(version["name"] for version in spec["versions"] if version["storage"])
    known = status.get("storedVersions") or []
    status["storedVersions"] = known if stored in known else [*known, stored]
    new["status"] = status
    if problems:
        _, reason, message = problems[-1]  # which is the one that upstream tells, too
        found = [("NamesAccepted", "False", reason, message)]
        if not any(c["type"] == "Established" and c["status"] == "True" for c in status.get("conditions") or ()):
            found.append(_NOT_ESTABLISHED)
    else:
        found = [_ACCEPTED, _ESTABLISHED]
    for condition in found:
        status["conditions"] = with_condition(new, condition, registry.now())


def _conflicts(registry: Objects, new: Manifest) -> Iterator[tuple[str, str, str]]:
    """(field of spec.names, reason, message) for names that another kind of the group has."""
    spec = new["spec"]
    names, group = spec["names"], spec["group"]
    others = [kind for kind in registry.kinds() if kind.group == group and kind.key != meta.name(new)]
    words = {word for kind in others for word in (kind.plural, kind.singular, *kind.short_names)}
    kinds = {word for kind in others for word in (kind.kind, kind.list_kind)}
    wanted = [("plural", "PluralConflict", names["plural"], words),
              ("singular", "SingularConflict", names["singular"], words),
              *(("shortNames", "ShortNamesConflict", name, words) for name in names.get("shortNames") or ()),
              ("kind", "KindConflict", names["kind"], kinds),
              ("listKind", "ListKindConflict", names["listKind"], kinds)]
    for field, reason, name, taken in wanted:
        if name in taken:
            yield field, reason, f'"{name}" is already in use'


def _begin_to_end(manifest: Manifest, now: str) -> None:
    data = manifest["metadata"]
    data["finalizers"] = [*(name for name in data.get("finalizers") or () if name != FINALIZER), FINALIZER]
    manifest["status"] = {**meta.status(manifest), "conditions": with_condition(manifest, _TERMINATING, now)}


def _warn(new: Manifest, old: Manifest | None) -> list[str]:
    versions = meta.spec(new).get("versions")
    names = [version.get("name", "") for version in versions or () if not without_rules(version.get("schema"))]
    return [f"spec.versions: the x-kubernetes-validations of {name} are stored only, nothing in this lab evaluates them"
            for name in names]


def _row(manifest: Manifest, now: datetime) -> list[Any]:
    return [meta.name(manifest), meta.metadata(manifest).get("creationTimestamp")]


CUSTOMRESOURCEDEFINITIONS = Resource(
    PLURAL, "CustomResourceDefinition", GROUP, namespaced=False, short_names=("crd", "crds"),
    categories=("api-extensions",), generations=True, default=_default, prepare=_prepare, validate=definition_errors,
    warnings=_warn, on_delete=_begin_to_end, columns=(Column("Name"), Column("Created At", 0, "date")), row=_row)
