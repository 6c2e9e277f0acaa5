"""Errors as the Kubernetes API says them.

Texts and codes follow k8s.io/apimachinery (api/errors, util/validation/field).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sized
from dataclasses import dataclass
from typing import Any


class LabError(Exception):
    """Something a user can mend: what failed, and in `hint` one thing to do about it.

    `exit_code` is the program's: 2 bad input, 3 the machine cannot run it, 4 not found, 5 internal, 124 time limit.
    """

    def __init__(self, message: str, *, hint: str = "", exit_code: int = 2) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.exit_code = exit_code


@dataclass(frozen=True)
class FieldError:
    """One cause of a rejected object: `field` is a path such as `spec.ports[0].port`."""

    field: str
    reason: str  # FieldValueRequired, FieldValueInvalid, FieldValueNotSupported, ...
    message: str  # the text after "<field>: "

    def __str__(self) -> str:
        return f"{self.field}: {self.message}"


def required(field: str, detail: str = "") -> FieldError:
    """The value is missing."""
    return FieldError(field, "FieldValueRequired", "Required value" + (f": {detail}" if detail else ""))


def invalid(field: str, value: Any, detail: str) -> FieldError:
    """The value is malformed or out of range; it is shown as JSON."""
    return FieldError(field, "FieldValueInvalid", f"Invalid value: {_show(value)}: {detail}")


def not_supported(field: str, value: Any, supported: list[str]) -> FieldError:
    """The value is not one of an enumeration."""
    names = ", ".join(f'"{name}"' for name in sorted(supported))
    return FieldError(field, "FieldValueNotSupported", f"Unsupported value: {_show(value)}: supported values: {names}")


def unknown_field(path: str, key: object, known: Iterable[str]) -> FieldError:
    """The object at `path` has a key that nobody knows; a near one is told, or else all that there are."""
    from difflib import get_close_matches

    names = {name.lower(): name for name in known}
    near = get_close_matches(str(key).lower(), names, n=1)
    told = f', did you mean "{names[near[0]]}"?' if near else f"; there are {', '.join(names.values())}"
    return FieldError(f"{path}.{key}", "FieldValueInvalid", f'unknown field "{key}"{told}')


def forbidden(field: str, detail: str) -> FieldError:
    """The field may not be set here."""
    return FieldError(field, "FieldValueForbidden", f"Forbidden: {detail}")


def duplicate(field: str, value: Any) -> FieldError:
    """The value stands in the list already."""
    return FieldError(field, "FieldValueDuplicate", f"Duplicate value: {_show(value)}")


def too_long(field: str, limit: int) -> FieldError:
    """The value has more characters than allowed."""
    return FieldError(field, "FieldValueTooLong", f"Too long: may not be more than {limit} bytes")


def too_many(field: str, items: Sized, limit: int) -> list[FieldError]:
    """An error when a list has more items than allowed."""
    if len(items) <= limit:
        return []
    return [FieldError(field, "FieldValueTooMany", f"Too many: {len(items)}: must have at most {limit} items")]


def _show(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


class ApiError(Exception):
    """A failed request, with everything that its Status object says (HTTP code, reason, message, causes)."""

    def __init__(self, code: int, reason: str, message: str, *, details: dict[str, Any] | None = None,
                 rest: str = "") -> None:
        super().__init__(message)
        self.code = code
        self.reason = reason
        self.message = message
        self.details = details or {}
        self.rest = rest  # the token with which a list that broke off may go on

    def status(self) -> dict[str, Any]:
        """The `Status` manifest (API convention "Response Status Kind")."""
        body: dict[str, Any] = {"kind": "Status", "apiVersion": "v1",
                                "metadata": {"continue": self.rest} if self.rest else {}, "status": "Failure",
                                "message": self.message, "reason": self.reason}
        if self.details:
            body["details"] = self.details
        return body | {"code": self.code}


def _details(name: str, group: str, kind: str) -> dict[str, Any]:
    pairs = {"name": name, "group": group, "kind": kind}
    return {key: value for key, value in pairs.items() if value}


def qualified(resource: str, group: str) -> str:
    """`services`, or with its group `deployments.apps`, as messages name a resource."""
    return f"{resource}.{group}" if group else resource


def not_found(resource: str, name: str, group: str = "") -> ApiError:
    """404: there is no such object."""
    return ApiError(404, "NotFound", f'{qualified(resource, group)} "{name}" not found',
                    details=_details(name, group, resource))


def already_exists(resource: str, name: str, group: str = "") -> ApiError:
    """409: an object of that name exists."""
    return ApiError(409, "AlreadyExists", f'{qualified(resource, group)} "{name}" already exists',
                    details=_details(name, group, resource))


MODIFIED = "the object has been modified; please apply your changes to the latest version and try again"


def conflict(resource: str, name: str, group: str = "", detail: str = MODIFIED) -> ApiError:
    """409: the object has another resourceVersion than the one that the writer saw."""
    message = f'Operation cannot be fulfilled on {qualified(resource, group)} "{name}": {detail}'
    return ApiError(409, "Conflict", message, details=_details(name, group, resource))


def bad_request(message: str) -> ApiError:
    """400: the request cannot be understood."""
    return ApiError(400, "BadRequest", message)


def internal_error(message: str) -> ApiError:
    """500: the server could not do it, for a reason that is not in the request."""
    return ApiError(500, "InternalError", f"Internal error occurred: {message}")


def forbidden_request(resource: str, name: str, detail: str, group: str = "", *,
                      causes: list[dict[str, str]] | None = None) -> ApiError:
    """403: a rule of the server forbids it."""
    shown = f'{qualified(resource, group)} "{name}"' if name else qualified(resource, group)
    details = _details(name, group, resource)
    if causes:
        details["causes"] = causes
    return ApiError(403, "Forbidden", f"{shown} is forbidden: {detail}", details=details)


def unsupported_media_type(accepted: list[str]) -> ApiError:
    """415: the body is in a form that nobody here reads."""
    return ApiError(415, "UnsupportedMediaType", "the body of the request was in an unknown format - accepted media "
                    f"types include: {', '.join(accepted)}")


def invalid_object(kind: str, name: str, errors: list[FieldError], group: str = "") -> ApiError:
    """422: the object breaks rules; one cause per field error."""
    texts = list(dict.fromkeys(map(str, errors)))  # what was found twice is told once; the causes have all
    text = texts[0] if len(texts) == 1 else "[" + ", ".join(texts) + "]"
    shown = f"{kind}.{group}" if group else kind
    details = _details(name, group, kind)
    details["causes"] = [{"reason": e.reason, "message": e.message, "field": e.field} for e in errors]
    return ApiError(422, "Invalid", f'{shown} "{name}" is invalid: {text}', details=details)
