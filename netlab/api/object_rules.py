"""Rules that hold for the metadata of every kind (k8s.io/apimachinery/pkg/api/validation)."""

from __future__ import annotations

from typing import Any

from netlab.api.resource import Resource
from netlab.model import meta, names
from netlab.model.errors import FieldError, forbidden, invalid, required
from netlab.model.meta import Manifest

ANNOTATIONS_LIMIT = 256 * 1024
IMMUTABLE = "field is immutable"


def label_errors(labels: dict[str, str], path: str) -> list[FieldError]:
    """Bad keys and values of labels."""
    errors = []
    for key, value in labels.items():
        errors += [invalid(path, key, text) for text in names.qualified_name(key)]
        errors += [invalid(path, value, text) for text in names.label_value(value)]
    return errors


def metadata_errors(kind: Resource, new: Manifest, old: Manifest | None) -> list[FieldError]:
    """Everything wrong with an object's metadata."""
    data = meta.metadata(new)
    errors = []
    if not data.get("name"):
        errors.append(required("metadata.name", "name or generateName is required"))
    elif old is None:
        errors += [invalid("metadata.name", data["name"], text) for text in kind.name_problems(data["name"])]
    if data.get("namespace"):
        errors += [invalid("metadata.namespace", data["namespace"], text)
                   for text in names.dns_label(data["namespace"])]
    errors += label_errors(meta.labels(new), "metadata.labels")
    size = 0
    for key, value in meta.annotations(new).items():
        errors += [invalid("metadata.annotations", key, text) for text in names.qualified_name(key.lower())]
        size += len(key) + len(value)
    if size > ANNOTATIONS_LIMIT:
        errors.append(FieldError("metadata.annotations", "FieldValueTooLong",
                                 f"Too long: may not be more than {ANNOTATIONS_LIMIT} bytes"))
    for index, reference in enumerate(data.get("ownerReferences") or ()):
        errors += [invalid(f"metadata.ownerReferences[{index}].{field}", "", f"{field} must not be empty")
                   for field in ("apiVersion", "kind", "name", "uid") if not reference.get(field)]
    for index, finalizer in enumerate(data.get("finalizers") or ()):
        errors += [invalid(f"metadata.finalizers[{index}]", finalizer, text)
                   for text in names.qualified_name(finalizer)]
    if old is not None and meta.is_deleting(old):
        added = [f for f in data.get("finalizers") or () if f not in (meta.metadata(old).get("finalizers") or ())]
        if added:
            shown = ", ".join(f'"{finalizer}"' for finalizer in added)
            errors.append(forbidden("metadata.finalizers", "no new finalizers can be added if the object is being "
                                    f"deleted, found new finalizers []string{{{shown}}}"))
    return errors


def selector_errors(selector: dict[str, Any], path: str) -> list[FieldError]:
    """Everything wrong with a LabelSelector."""
    errors = label_errors(selector.get("matchLabels") or {}, f"{path}.matchLabels")
    for index, expression in enumerate(selector.get("matchExpressions") or ()):
        where = f"{path}.matchExpressions[{index}]"
        operator, values = expression.get("operator", ""), expression.get("values")
        if operator in ("In", "NotIn"):
            if not values:
                errors.append(required(f"{where}.values", "must be specified when `operator` is 'In' or 'NotIn'"))
        elif operator in ("Exists", "DoesNotExist"):
            if values:
                errors.append(forbidden(f"{where}.values",
                                        "may not be specified when `operator` is 'Exists' or 'DoesNotExist'"))
        else:
            errors.append(invalid(f"{where}.operator", operator, "not a valid selector operator"))
        errors += [invalid(f"{where}.key", expression.get("key", ""), text)
                   for text in names.qualified_name(expression.get("key", ""))]
    return errors


def not_negative(spec: dict[str, Any], field: str, path: str = "spec") -> list[FieldError]:
    """An error when the number is below zero."""
    value = spec.get(field)
    if value is None or value >= 0:
        return []
    return [invalid(f"{path}.{field}", value, "must be greater than or equal to 0")]


def unchanged(new: Any, old: Any, path: str) -> list[FieldError]:
    """An error when an immutable value changes."""
    return [] if new == old else [invalid(path, new, IMMUTABLE)]
