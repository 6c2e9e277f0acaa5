"""Defaults and rules of a JobSpec, of a Job or of a CronJob's template (pkg/apis/batch)."""

from __future__ import annotations

from typing import Any

from netlab.api.object_rules import not_negative, selector_errors
from netlab.api.pod_defaults import fill
from netlab.api.workload_rules import default_template, template_errors
from netlab.model.errors import FieldError, not_supported, required

INDEXED = "Indexed"
_IGNORED = ("podFailurePolicy", "successPolicy", "backoffLimitPerIndex", "maxFailedIndexes")
_NUMBERS = ("parallelism", "completions", "activeDeadlineSeconds", "backoffLimit", "ttlSecondsAfterFinished")


def default_job(spec: dict[str, Any]) -> None:
    """Fills in a JobSpec: one pod once, unless it says otherwise."""
    default_template(spec)
    if spec.get("completions") is None and spec.get("parallelism") is None:
        spec["completions"] = spec["parallelism"] = 1
    spec.setdefault("parallelism", 1)
    spec.setdefault("backoffLimit", 6)
    fill(spec, completionMode="NonIndexed", suspend=False,
         podReplacementPolicy="Failed" if spec.get("podFailurePolicy") else "TerminatingOrFailed")


def job_errors(spec: dict[str, Any], path: str) -> list[FieldError]:
    """Everything wrong with a JobSpec, but for its selector's relation to the Job."""
    errors = [error for field in _NUMBERS for error in not_negative(spec, field, path)]
    mode = spec.get("completionMode") or "NonIndexed"
    if mode not in ("NonIndexed", INDEXED):
        errors.append(not_supported(f"{path}.completionMode", mode, ["NonIndexed", INDEXED]))
    if mode == INDEXED and spec.get("completions") is None:
        errors.append(required(f"{path}.completions", f"when completion mode is {INDEXED}"))
    replacement = spec.get("podReplacementPolicy")
    if replacement not in (None, "TerminatingOrFailed", "Failed"):
        errors.append(not_supported(f"{path}.podReplacementPolicy", replacement, ["Failed", "TerminatingOrFailed"]))
    if spec.get("selector") is not None:
        errors += selector_errors(spec["selector"], f"{path}.selector")
    return errors + template_errors(spec["template"], f"{path}.template", ["OnFailure", "Never"])


def job_warnings(spec: dict[str, Any], path: str) -> list[str]:
    """What of a JobSpec is stored and not carried out."""
    return [f"nothing in this lab acts on {path}.{field}: it is stored only"
            for field in _IGNORED if spec.get(field) is not None]
