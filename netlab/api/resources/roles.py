"""Roles and ClusterRoles, and what binds users to them."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from netlab.api.columns import age
from netlab.api.rbac import GROUP
from netlab.api.resource import Column, Resource
from netlab.model import meta, names
from netlab.model.errors import FieldError, invalid, not_supported, required
from netlab.model.meta import Manifest


def path_segment(text: str) -> list[str]:
    """Names that may hold anything but what splits a path, such as `system:node`."""
    if text in (".", ".."):
        return [f"may not be '{text}'"]
    return [f"may not contain '{mark}'" for mark in "/%" if mark in text]


def created(manifest: Manifest, now: datetime) -> list[Any]:
    """The row of kinds that upstream prints no more of: name, CREATED AT."""
    return [meta.name(manifest), meta.metadata(manifest).get("creationTimestamp", "")]


def _validate_role(new: Manifest, old: Manifest | None) -> list[FieldError]:
    errors = []
    for index, rule in enumerate(new.get("rules") or ()):
        where, urls = f"rules[{index}]", rule.get("nonResourceURLs")
        if not rule.get("verbs"):
            errors.append(required(f"{where}.verbs", "verbs must contain at least one value"))
        if urls:
            if meta.namespace(new):
                errors.append(invalid(f"{where}.nonResourceURLs", urls,
                                      "namespaced rules cannot apply to non-resource URLs"))
            if any(rule.get(field) for field in ("apiGroups", "resources", "resourceNames")):
                errors.append(invalid(f"{where}.nonResourceURLs", urls,
                                      "rules cannot apply to both regular resources and non-resource URLs"))
            continue
        if not rule.get("apiGroups"):
            errors.append(required(f"{where}.apiGroups", "resource rules must supply at least one api group"))
        if not rule.get("resources"):
            errors.append(required(f"{where}.resources", "resource rules must supply at least one resource"))
    return errors


def _default_role(manifest: Manifest) -> None:
    manifest["rules"] = manifest.get("rules") or []


def _default_binding(manifest: Manifest) -> None:
    reference = manifest.setdefault("roleRef", {})
    reference["apiGroup"] = reference.get("apiGroup") or GROUP
    for subject in manifest.get("subjects") or ():
        if subject.get("kind") in ("User", "Group"):
            subject["apiGroup"] = subject.get("apiGroup") or GROUP


def _validate_binding(new: Manifest, old: Manifest | None) -> list[FieldError]:
    reference, errors = new["roleRef"], []
    kinds = ["Role", "ClusterRole"] if meta.namespace(new) else ["ClusterRole"]
    if reference["apiGroup"] != GROUP:
        errors.append(not_supported("roleRef.apiGroup", reference["apiGroup"], [GROUP]))
    if reference.get("kind") not in kinds:
        errors.append(not_supported("roleRef.kind", reference.get("kind", ""), kinds))
    if not reference.get("name"):
        errors.append(required("roleRef.name"))
    else:
        errors += [invalid("roleRef.name", reference["name"], text) for text in path_segment(reference["name"])]
    for index, subject in enumerate(new.get("subjects") or ()):
        errors += _subject_errors(subject, f"subjects[{index}]")
    if old is not None and old.get("roleRef") != reference:
        errors.append(invalid("roleRef", reference, "cannot change roleRef"))
    return errors


def _subject_errors(subject: dict[str, Any], path: str) -> list[FieldError]:
    kind, name, errors = subject.get("kind", ""), subject.get("name", ""), []
    if not name:
        errors.append(required(f"{path}.name"))
    if kind == "ServiceAccount":
        if name:
            errors += [invalid(f"{path}.name", name, text) for text in names.dns_subdomain(name)]
        if subject.get("apiGroup"):
            errors.append(not_supported(f"{path}.apiGroup", subject["apiGroup"], [""]))
        if not subject.get("namespace"):
            errors.append(required(f"{path}.namespace"))
    elif kind in ("User", "Group"):
        if subject.get("apiGroup") != GROUP:
            errors.append(not_supported(f"{path}.apiGroup", subject.get("apiGroup", ""), [GROUP]))
    else:
        errors.append(not_supported(f"{path}.kind", kind, ["ServiceAccount", "User", "Group"]))
    return errors


def _binding_row(manifest: Manifest, now: datetime) -> list[Any]:
    reference = manifest.get("roleRef") or {}
    found: dict[str, list[str]] = {"User": [], "Group": [], "ServiceAccount": []}
    for subject in manifest.get("subjects") or ():
        account = subject.get("kind") == "ServiceAccount"
        shown = f"{subject.get('namespace', '')}/{subject.get('name', '')}" if account else subject.get("name", "")
        found.setdefault(subject.get("kind", ""), []).append(shown)
    return [meta.name(manifest), f"{reference.get('kind', '')}/{reference.get('name', '')}", age(manifest, now),
            ", ".join(found["User"]), ", ".join(found["Group"]), ", ".join(found["ServiceAccount"])]


CREATED = (Column("Name"), Column("Created At"))
_BINDING = (Column("Name"), Column("Role"), Column("Age"), Column("Users", 1), Column("Groups", 1),
            Column("ServiceAccounts", 1))

ROLES = Resource("roles", "Role", GROUP, subresources=(), name_problems=path_segment, default=_default_role,
                 validate=_validate_role, columns=CREATED, row=created)
CLUSTERROLES = Resource("clusterroles", "ClusterRole", GROUP, namespaced=False, subresources=(),
                        name_problems=path_segment, default=_default_role, validate=_validate_role, columns=CREATED,
                        row=created)
ROLEBINDINGS = Resource("rolebindings", "RoleBinding", GROUP, subresources=(), name_problems=path_segment,
                        default=_default_binding, validate=_validate_binding, columns=_BINDING, row=_binding_row)
CLUSTERROLEBINDINGS = Resource("clusterrolebindings", "ClusterRoleBinding", GROUP, namespaced=False, subresources=(),
                               name_problems=path_segment, default=_default_binding, validate=_validate_binding,
                               columns=_BINDING, row=_binding_row)
