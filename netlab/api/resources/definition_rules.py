"""What is wrong with a CustomResourceDefinition (k8s.io/apiextensions-apiserver, pkg/apis/apiextensions/validation)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from netlab.api import json_path
from netlab.api.object_rules import unchanged
from netlab.api.schema_rules import schema_errors
from netlab.model import meta, names
from netlab.model.errors import FieldError, forbidden, invalid, not_supported, required
from netlab.model.meta import Manifest

APPROVED = "api-approved.kubernetes.io"
_COLUMN_TYPES = ["boolean", "date", "integer", "number", "string"]


def definition_errors(new: Manifest, old: Manifest | None) -> list[FieldError]:
    """Everything wrong with a definition."""
    spec = meta.spec(new)
    errors = [*_name_errors(new, spec), *_version_errors(spec)]
    if spec.get("preserveUnknownFields"):
        errors.append(invalid("spec.preserveUnknownFields", True, "cannot set to true, set "
                              "x-kubernetes-preserve-unknown-fields to true in spec.versions[*].schema instead"))
    strategy = (spec.get("conversion") or {}).get("strategy")
    if strategy == "Webhook":
        errors.append(forbidden("spec.conversion.strategy", "this lab calls no webhooks: only None converts here"))
    elif strategy != "None":
        errors.append(not_supported("spec.conversion.strategy", strategy, ["None", "Webhook"]))
    if old is not None:
        before = meta.spec(old)
        errors += unchanged(spec.get("group"), before["group"], "spec.group")
        errors += unchanged(spec.get("scope"), before["scope"], "spec.scope")
        for field in ("kind", "plural"):
            errors += unchanged((spec.get("names") or {}).get(field), before["names"][field], f"spec.names.{field}")
        there = {version.get("name") for version in spec.get("versions") or ()}
        errors += [invalid(f"status.storedVersions[{index}]", name,
                           "missing from spec.versions; " + name + " was previously a storage version, and must remain "
                           "in spec.versions until a storage migration ensures no data remains persisted in " + name +
                           " and removes " + name + " from status.storedVersions")
                   for index, name in enumerate(meta.status(old).get("storedVersions") or ()) if name not in there]
    return errors


def _name_errors(new: Manifest, spec: dict[str, Any]) -> Iterator[FieldError]:
    group, named = spec.get("group") or "", spec.get("names") or {}
    wanted = f"{named.get('plural', '')}.{group}"
    if meta.name(new) != wanted:
        yield invalid("metadata.name", meta.name(new), 'must be spec.names.plural+"."+spec.group')
    if not group:
        yield required("spec.group")
    elif problems := names.dns_subdomain(group):
        yield from (invalid("spec.group", group, text) for text in problems)
    elif "." not in group:
        yield invalid("spec.group", group, "should be a domain with at least one dot")
    if group.endswith((".k8s.io", ".kubernetes.io")) and not meta.annotations(new).get(APPROVED):
        yield required(f"metadata.annotations[{APPROVED}]", "protected groups must have approval annotation "
                       f'"{APPROVED}", see https://github.com/kubernetes/enhancements/pull/1111')
    if spec.get("scope") not in ("Cluster", "Namespaced"):
        yield not_supported("spec.scope", spec.get("scope", ""), ["Cluster", "Namespaced"]) if spec.get("scope") else \
            required("spec.scope")
    for field in ("plural", "singular", "kind", "listKind"):
        value = named.get(field) or ""
        if not value:
            yield required(f"spec.names.{field}")
        else:
            yield from (invalid(f"spec.names.{field}", value, text) for text in names.dns_1035_label(value.lower()))
    for field in ("shortNames", "categories"):
        for index, value in enumerate(named.get(field) or ()):
            yield from (invalid(f"spec.names.{field}[{index}]", value, text) for text in names.dns_1035_label(value))
    if named.get("kind") and named.get("kind") == named.get("listKind"):
        yield invalid("spec.names.listKind", named["listKind"], "kind and listKind may not be the same")


def _version_errors(spec: dict[str, Any]) -> Iterator[FieldError]:
    versions = spec.get("versions") or []
    if not versions:
        yield required("spec.versions", "must have at least one version")
        return
    found = [version.get("name") for version in versions]
    if len(set(found)) != len(found):
        yield invalid("spec.versions", "", "must contain unique version names")
    if sum(bool(version.get("storage")) for version in versions) != 1:
        yield invalid("spec.versions", "", "must have exactly one version marked as storage version")
    for index, version in enumerate(versions):
        path = f"spec.versions[{index}]"
        yield from (invalid(f"{path}.name", version.get("name", ""), text)
                    for text in names.dns_1035_label(version.get("name", "")))
        yield from schema_errors((version.get("schema") or {}).get("openAPIV3Schema"), f"{path}.schema.openAPIV3Schema")
        yield from _column_errors(version.get("additionalPrinterColumns") or [], f"{path}.additionalPrinterColumns")
        for field_index, field in enumerate(version.get("selectableFields") or ()):
            yield from _path_errors(field.get("jsonPath", ""), f"{path}.selectableFields[{field_index}].jsonPath")
        yield from _scale_errors((version.get("subresources") or {}).get("scale"), f"{path}.subresources.scale")


def _column_errors(columns: list[dict[str, Any]], path: str) -> Iterator[FieldError]:
    for index, column in enumerate(columns):
        if not column.get("name"):
            yield required(f"{path}[{index}].name")
        if not column.get("type"):
            yield required(f"{path}[{index}].type", "must be one of boolean,date,integer,number,string")
        elif column["type"] not in _COLUMN_TYPES:
            yield invalid(f"{path}[{index}].type", column["type"], "must be one of " + ",".join(_COLUMN_TYPES))
        yield from _path_errors(column.get("jsonPath", ""), f"{path}[{index}].jsonPath")


def _scale_errors(scale: dict[str, Any] | None, path: str) -> Iterator[FieldError]:
    if scale is None:
        return
    for field, root in (("specReplicasPath", ".spec."), ("statusReplicasPath", ".status."),
                        ("labelSelectorPath", "")):
        value = scale.get(field) or ""
        if not value and field == "labelSelectorPath":
            continue
        if not value:
            yield required(f"{path}.{field}")
        elif any(sign in value for sign in "[]*") or not json_path.is_simple(value):
            yield invalid(f"{path}.{field}", value, "must be a json path")
        elif root and not value.startswith(root):
            yield invalid(f"{path}.{field}", value, f"should be a json path under {root[:-1]}")


def _path_errors(path: str, field: str) -> Iterator[FieldError]:
    if not path:
        yield required(field)
    elif not json_path.is_simple(path):
        yield invalid(field, path, "must be a simple JSONPath")
