"""Who owns which field: metadata.managedFields after an update and after a server-side apply.

Source: k8s.io/apimachinery/pkg/util/managedfields, and KEP-555.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from netlab.api import field_merge
from netlab.api.field_set import (
    Entries,
    FieldSet,
    Path,
    Track,
    flatten,
    from_fields_v1,
    show,
    to_fields_v1,
    with_parents,
)
from netlab.api.resource import Resource
from netlab.model import meta
from netlab.model.errors import ApiError, FieldError, bad_request, invalid_object, required
from netlab.model.meta import Manifest

UPDATE, APPLY = "Update", "Apply"
BEFORE_FIRST_APPLY = "before-first-apply"
NAME_LIMIT = 128


class Manager(NamedTuple):
    """What tells entries apart."""

    name: str
    operation: str
    api_version: str
    subresource: str = ""

    def __str__(self) -> str:
        text = f'"{self.name}"' + (f' with subresource "{self.subresource}"' if self.subresource else "")
        return f"{text} using {self.api_version}" if self.operation == UPDATE else text


Owners = dict[Manager, FieldSet]


def manager_name(given: str, user_agent: str) -> str:
    """The fieldManager of a request, or else the program's name at the front of its User-Agent."""
    if given:
        return given
    name = user_agent.partition("/")[0][:NAME_LIMIT]
    return next((name[:index] for index, sign in enumerate(name) if not sign.isprintable()), name) or "unknown"


def check_options(manager: str, *, apply: bool, force: bool) -> None:
    """ApiError 422 for an apply without a manager, a force that is no apply's, a name that is too long."""
    errors = []
    if apply and not manager:
        errors.append(required("fieldManager", "is required for apply patch"))
    if force and not apply:
        errors.append(FieldError("force", "FieldValueForbidden",
                                 "Forbidden: may not be specified for non-apply patch"))
    if len(manager) > NAME_LIMIT:
        errors.append(FieldError("fieldManager", "FieldValueTooLong",
                                 f"Too long: may not be more than {NAME_LIMIT} bytes"))
    if errors:
        raise invalid_object("PatchOptions", "", errors, "meta.k8s.io")


def updating(kind: Resource, name: str, *, now: str, subresource: str = "") -> Track:
    """What registers a create, an update or a patch by `name`: it owns what it changed, others own that no more."""
    manager = Manager(name, UPDATE, kind.api_version, subresource)

    def track(new: Manifest, old: Manifest | None, given: Any) -> Entries:
        present = _entries(old)
        basis = [] if given == [{}] else given if given and _readable(given) else present
        if old is not None and not basis:
            return []  # nobody has been tracked from the start on
        after = flatten(new, kind.shape, containers=True)
        if old is None:
            return _write({manager: _writable(kind, frozenset(after), subresource)}, [], now={manager}, time=now)
        owners = _read(basis)
        before = flatten(old, kind.shape, containers=True)
        changed, removed = _compare(before, after)
        result = {other: fields - changed - removed for other, fields in owners.items() if other != manager}
        mine = (owners.get(manager, frozenset()) | _writable(kind, changed, subresource)) - removed
        result[manager] = mine
        return _write(result, basis, now={manager} if changed or removed else set(), time=now)

    return track


def applying(kind: Resource, live: Manifest | None, applied: Manifest, name: str, *, now: str, subresource: str = "",
             force: bool = False) -> tuple[Manifest, Entries]:
    """The merged object after an apply by `name`, and its entries.

    ApiError 409 with a cause for each field that others own with another value, unless `force`.
    """
    if meta.metadata(applied).get("managedFields"):
        raise bad_request("metadata.managedFields must be nil")
    manager = Manager(name, APPLY, kind.api_version, subresource)
    mine = _writable(kind, frozenset(flatten(applied, kind.shape, containers=False)), subresource)
    if live is None:
        return applied, _write({manager: mine}, [], now={manager}, time=now)
    present = _entries(live)
    before = flatten(live, kind.shape, containers=True)
    there = with_parents(before)
    owners = {other: fields & there for other, fields in _read(present).items()}
    if not owners:
        first = Manager(BEFORE_FIRST_APPLY, UPDATE, kind.api_version)
        owners = {first: _writable(kind, frozenset(before), "")}
    last = owners.pop(manager, frozenset())
    merged = field_merge.merge(live, applied, kind.shape)
    merged = field_merge.prune(merged, kind.shape, before=last, owned=mine.union(*owners.values()))
    changed, removed = _compare(before, flatten(merged, kind.shape, containers=True))
    conflicts = [(other, path) for other in sorted(owners) for path in sorted(owners[other] & changed)]
    if conflicts and not force:
        raise _conflict(conflicts)
    result = {other: fields - changed - removed for other, fields in owners.items()} | {manager: mine}
    touched = bool(changed or removed or mine != last)
    return merged, _write(result, present, now={manager} if touched else set(), time=now)


def untimed(manifest: Manifest) -> Manifest:
    """The object without the times of its entries, which alone are no change."""
    data = manifest["metadata"]
    entries = [{key: value for key, value in entry.items() if key != "time"}
               for entry in data.get("managedFields") or ()]
    return manifest | {"metadata": data | {"managedFields": entries}}


def _compare(before: dict[Path, Any], after: dict[Path, Any]) -> tuple[FieldSet, FieldSet]:
    """What was added or has another value, and what was removed."""
    changed = frozenset(path for path, value in after.items() if path not in before or before[path] != value)
    return changed, frozenset(before.keys() - after.keys())


def _writable(kind: Resource, fields: FieldSet, subresource: str) -> FieldSet:
    if subresource == "status":
        return frozenset(path for path in fields if path[0] == "f:status")
    if "status" in kind.subresources and any(path[0] == "f:status" for path in fields):
        return frozenset(path for path in fields if path[0] != "f:status")
    return fields


def _entries(manifest: Manifest | None) -> Entries:
    found = meta.metadata(manifest).get("managedFields") if manifest else None
    return found if isinstance(found, list) and _readable(found) else []


def _readable(entries: Any) -> bool:
    try:
        _read(entries)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return False
    return True


def _manager(entry: dict[str, Any]) -> Manager:
    manager = Manager(entry.get("manager", ""), entry["operation"], entry["apiVersion"], entry.get("subresource", ""))
    if manager.operation not in (UPDATE, APPLY) or not all(isinstance(text, str) for text in manager):
        raise ValueError("no entry of managedFields")
    return manager


def _read(entries: Entries) -> Owners:
    owners: Owners = {}
    for entry in entries:
        manager = _manager(entry)
        owners[manager] = owners.get(manager, frozenset()) | from_fields_v1(entry.get("fieldsV1") or {})
    return owners


def _write(owners: Owners, before: Entries, *, now: set[Manager], time: str) -> Entries:
    """The entries, those of `now` with the present time; as they were when nothing changed."""
    times = {_manager(entry): entry.get("time", time) for entry in before}
    made = []
    for manager, fields in owners.items():
        if fields:
            entry = {"manager": manager.name, "operation": manager.operation, "apiVersion": manager.api_version,
                     "time": time if manager in now else times.get(manager, time), "fieldsType": "FieldsV1",
                     "fieldsV1": to_fields_v1(fields)}
            made.append(entry | ({"subresource": manager.subresource} if manager.subresource else {}))
    return sorted(made, key=lambda entry: (entry["operation"] != APPLY, entry["time"], entry["manager"]))


def _conflict(conflicts: list[tuple[Manager, Path]]) -> ApiError:
    causes = [{"reason": "FieldManagerConflict", "message": f"conflict with {manager}", "field": show(path)}
              for manager, path in conflicts]
    if len(conflicts) == 1:
        text = f"Apply failed with 1 conflict: conflict with {conflicts[0][0]}: {show(conflicts[0][1])}"
    else:
        lines = []
        for manager in dict.fromkeys(manager for manager, _ in conflicts):
            lines += [f"conflicts with {manager}:",
                      *(f"- {show(path)}" for other, path in conflicts if other == manager)]
        text = f"Apply failed with {len(conflicts)} conflicts: " + "\n".join(lines)
    return ApiError(409, "Conflict", text, details={"causes": causes})
