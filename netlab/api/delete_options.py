"""How an object is to be deleted: from the body of a DELETE, and from its query."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from netlab.api.request import Request
from netlab.model.errors import ApiError, FieldError, bad_request, invalid, invalid_object, not_supported

POLICIES = ["Foreground", "Background", "Orphan"]


@dataclass(frozen=True)
class DeleteOptions:
    """DeleteOptions of meta/v1."""

    grace_period: int | None = None
    propagation: str = ""
    dry_run: bool = False
    uid: str = ""
    resource_version: str = ""

    @classmethod
    def of(cls, request: Request) -> DeleteOptions:
        """The options of a request. ApiError 400 when the body is malformed, 422 when a value is not known."""
        body: Any = request.json() if request.body.strip() else {}
        return cls.from_manifest(body, request)

    @classmethod
    def from_manifest(cls, body: Any, request: Request) -> DeleteOptions:
        """The options that a body says; the query's come on top."""
        if not isinstance(body, dict):
            raise bad_request("DeleteOptions: the body is no object")
        grace, policy = body.get("gracePeriodSeconds"), body.get("propagationPolicy") or ""
        dry_run, wanted = body.get("dryRun") or [], body.get("preconditions") or {}
        if "gracePeriodSeconds" in request.query:
            grace = request.number("gracePeriodSeconds")
        policy = request.text("propagationPolicy") or policy
        if request.flag("orphanDependents") or body.get("orphanDependents") is True:
            policy = "Orphan"
        if (grace is not None and (not isinstance(grace, int) or isinstance(grace, bool))) or \
                not isinstance(policy, str) or not isinstance(dry_run, list) or not isinstance(wanted, dict):
            raise bad_request("DeleteOptions: a field has a value of the wrong type")
        errors: list[FieldError] = []
        if grace is not None and grace < 0:
            grace = 1
        if policy and policy not in POLICIES:
            errors.append(not_supported("propagationPolicy", policy, POLICIES))
        if any(value != "All" for value in dry_run):
            errors.append(not_supported("dryRun", dry_run[0], ["All"]))
        if grace is not None and grace >= 1 << 31:
            errors.append(invalid("gracePeriodSeconds", grace, "is too large"))
        if errors:
            raise _invalid(errors)
        return cls(grace, policy, request.dry_run or bool(dry_run), str(wanted.get("uid") or ""),
                   str(wanted.get("resourceVersion") or ""))


def _invalid(errors: list[FieldError]) -> ApiError:
    return invalid_object("DeleteOptions", "", errors, "meta.k8s.io")
