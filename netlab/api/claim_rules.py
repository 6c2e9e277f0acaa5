"""What a PersistentVolumeClaim may say (k8s.io/kubernetes/pkg/apis/core/validation, ValidatePersistentVolumeClaim)."""

from __future__ import annotations

import re
from typing import Any

from netlab.api.pod_defaults import fill
from netlab.model import meta, names
from netlab.model.errors import FieldError, forbidden, invalid, not_supported, required

MODES = ["ReadWriteOnce", "ReadOnlyMany", "ReadWriteMany", "ReadWriteOncePod"]


def default_claim(claim: dict[str, Any]) -> None:
    """Fills in a claim of a StatefulSet's volumeClaimTemplates."""
    fill(claim, apiVersion="v1", kind="PersistentVolumeClaim")
    claim.setdefault("metadata", {}).pop("creationTimestamp", None)
    fill(claim.setdefault("spec", {}), volumeMode="Filesystem")
    claim.setdefault("status", {}).setdefault("phase", "Pending")


def claim_errors(claim: dict[str, Any], path: str) -> list[FieldError]:
    """Everything wrong with a claim, whose name is that of a volume."""
    spec, name = claim["spec"], meta.name(claim)
    errors = [invalid(f"{path}.metadata.name", name, text) for text in names.dns_label(name)] if name else \
        [required(f"{path}.metadata.name")]
    modes = spec.get("accessModes") or []
    if not modes:
        errors.append(required(f"{path}.spec.accessModes", "at least 1 access mode is required"))
    errors += [not_supported(f"{path}.spec.accessModes", mode, MODES) for mode in modes if mode not in MODES]
    if "ReadWriteOncePod" in modes and len(modes) > 1:
        errors.append(forbidden(f"{path}.spec.accessModes",
                                "may not use ReadWriteOncePod with other access modes"))
    size = ((spec.get("resources") or {}).get("requests") or {}).get("storage")
    if size is None:
        errors.append(required(f"{path}.spec.resources[storage]"))
    elif not re.search("[1-9]", re.split("[eE]", size)[0]) or size.startswith("-"):
        errors.append(invalid(f"{path}.spec.resources[storage]", size, "must be greater than zero"))
    if spec["volumeMode"] not in ("Block", "Filesystem"):
        errors.append(not_supported(f"{path}.spec.volumeMode", spec["volumeMode"], ["Block", "Filesystem"]))
    return errors
