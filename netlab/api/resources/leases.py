"""Leases: who leads, and until when. For programs that elect a leader."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from netlab.api.columns import age
from netlab.api.resource import Column, Resource
from netlab.model import meta
from netlab.model.errors import FieldError, invalid
from netlab.model.meta import Manifest


def _validate(new: Manifest, old: Manifest | None) -> list[FieldError]:
    spec, errors = meta.spec(new), []
    if spec.get("leaseDurationSeconds", 1) <= 0:
        errors.append(invalid("spec.leaseDurationSeconds", spec["leaseDurationSeconds"], "must be greater than 0"))
    if spec.get("leaseTransitions", 0) < 0:
        errors.append(invalid("spec.leaseTransitions", spec["leaseTransitions"],
                              "must be greater than or equal to 0"))
    return errors


def _row(manifest: Manifest, now: datetime) -> list[Any]:
    return [meta.name(manifest), meta.spec(manifest).get("holderIdentity", ""), age(manifest, now)]


LEASES = Resource("leases", "Lease", "coordination.k8s.io", subresources=(), validate=_validate,
                  columns=(Column("Name"), Column("Holder"), Column("Age")), row=_row)
