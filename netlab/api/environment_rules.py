"""What is wrong with a container's environment (k8s.io/kubernetes/pkg/apis/core/validation)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from netlab.model import names
from netlab.model.errors import FieldError, invalid, not_supported, required

_SOURCES = ("fieldRef", "resourceFieldRef", "configMapKeyRef", "secretKeyRef")
_FIELDS = ["metadata.name", "metadata.namespace", "metadata.uid", "spec.nodeName", "spec.serviceAccountName",
           "status.hostIP", "status.hostIPs", "status.podIP", "status.podIPs"]
_OTHER_FIELDS = ("metadata.annotations", "metadata.labels", "spec.restartPolicy", "spec.schedulerName",
                 "status.phase")  # a pod's, though no variable's
_SUBSCRIPT = re.compile(r"(.+)\['(.*)'\]")


def environment_errors(container: dict[str, Any], path: str) -> Iterator[FieldError]:
    """Everything wrong with env and envFrom; `path` is the container's."""
    for index, variable in enumerate(container.get("env") or ()):
        where = f"{path}.env[{index}]"
        if not variable.get("name"):
            yield required(f"{where}.name")
        elif "=" in variable["name"]:
            yield invalid(f"{where}.name", variable["name"], "a valid environment variable name must consist only of "
                          "printable ASCII characters other than '='")
        if variable.get("valueFrom") is not None:
            yield from _source_errors(variable, f"{where}.valueFrom")
    for index, source in enumerate(container.get("envFrom") or ()):
        chosen = [field for field in ("configMapRef", "secretRef") if source.get(field) is not None]
        where = f"{path}.envFrom[{index}]"
        for field in chosen:
            yield from _name_errors(source[field].get("name", ""), f"{where}.{field}.name")
        if not chosen:
            yield invalid(where, "", "must specify one of: `configMapRef` or `secretRef`")
        elif len(chosen) > 1:
            yield invalid(where, "", "may not have more than one field specified at a time")


def _source_errors(variable: dict[str, Any], path: str) -> Iterator[FieldError]:
    given = variable["valueFrom"]
    chosen = [field for field in _SOURCES if given.get(field) is not None]
    for field in chosen:
        if field == "fieldRef":
            yield from _field_errors(given[field].get("fieldPath", ""), f"{path}.fieldRef")
        elif field == "resourceFieldRef":
            if not given[field].get("resource"):
                yield required(f"{path}.{field}.resource")
        else:
            yield from _name_errors(given[field].get("name", ""), f"{path}.{field}.name")
            if not given[field].get("key"):
                yield required(f"{path}.{field}.key")
    if not chosen:
        yield invalid(path, "", "must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef` or "
                      "`secretKeyRef`")
    elif variable.get("value"):
        yield invalid(path, "", "may not be specified when `value` is not empty")
    elif len(chosen) > 1:
        yield invalid(path, "", "may not have more than one field specified at a time")


def _name_errors(name: str, path: str) -> list[FieldError]:
    return [invalid(path, name, text) for text in names.dns_subdomain(name)]


def _field_errors(chosen: str, path: str) -> Iterator[FieldError]:
    part = _SUBSCRIPT.fullmatch(chosen)
    base = part[1] if part else chosen
    if not chosen:
        yield required(f"{path}.fieldPath")
    elif base not in (*_FIELDS, *_OTHER_FIELDS):
        yield invalid(f"{path}.fieldPath", chosen, f"error converting fieldPath: field label not supported: {base}")
    elif part and base in ("metadata.annotations", "metadata.labels"):
        yield from (invalid(path, part[2], text) for text in names.qualified_name(part[2].lower()))
    elif part:
        yield invalid(path, base, "does not support subscript")
    elif base not in _FIELDS:
        yield not_supported(f"{path}.fieldPath", base, _FIELDS)
