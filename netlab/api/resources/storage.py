"""StorageClasses, PersistentVolumes and PersistentVolumeClaims, and RuntimeClasses: stored only."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from netlab.api.columns import UNKNOWN, age
from netlab.api.object_rules import unchanged
from netlab.api.resource import Column, Resource
from netlab.model import meta
from netlab.model.errors import FieldError, forbidden, invalid, not_supported, required
from netlab.model.meta import Manifest
from netlab.model.quantity import parse_all

_DEFAULT_CLASS = "storageclass.kubernetes.io/is-default-class"
_MODES = {"ReadWriteOnce": "RWO", "ReadOnlyMany": "ROX", "ReadWriteMany": "RWX", "ReadWriteOncePod": "RWOP"}
_NOT_SOURCES = ("accessModes", "capacity", "claimRef", "mountOptions", "nodeAffinity", "persistentVolumeReclaimPolicy",
                "storageClassName", "volumeAttributesClassName", "volumeMode")
STORED_ONLY = "nothing in this lab provisions volumes: it is stored only, a claim stays Pending"


def _warn(new: Manifest, old: Manifest | None) -> list[str]:
    return [STORED_ONLY] if old is None else []


def _default_class(manifest: Manifest) -> None:
    manifest["reclaimPolicy"] = manifest.get("reclaimPolicy") or "Delete"
    manifest["volumeBindingMode"] = manifest.get("volumeBindingMode") or "Immediate"


def _validate_class(new: Manifest, old: Manifest | None) -> list[FieldError]:
    errors = [] if new.get("provisioner") else [required("provisioner")]
    if new["reclaimPolicy"] not in ("Delete", "Retain"):
        errors.append(not_supported("reclaimPolicy", new["reclaimPolicy"], ["Delete", "Retain"]))
    if new["volumeBindingMode"] not in ("Immediate", "WaitForFirstConsumer"):
        errors.append(not_supported("volumeBindingMode", new["volumeBindingMode"],
                                    ["Immediate", "WaitForFirstConsumer"]))
    if old is not None:
        errors += [forbidden(field, f"updates to {field} are forbidden.") for field in ("parameters", "provisioner")
                   if new.get(field) != old.get(field)]
        errors += [error for field in ("reclaimPolicy", "volumeBindingMode")
                   for error in unchanged(new[field], old.get(field), field)]
    return errors


def _class_row(manifest: Manifest, now: datetime) -> list[Any]:
    usual = " (default)" if meta.annotations(manifest).get(_DEFAULT_CLASS) == "true" else ""
    return [meta.name(manifest) + usual, manifest.get("provisioner", ""), manifest.get("reclaimPolicy", ""),
            manifest.get("volumeBindingMode", ""), bool(manifest.get("allowVolumeExpansion")), age(manifest, now)]


def _default_volume(manifest: Manifest) -> None:
    spec = manifest.setdefault("spec", {})
    spec.setdefault("persistentVolumeReclaimPolicy", "Retain")
    spec.setdefault("volumeMode", "Filesystem")


def _mode_errors(spec: dict[str, Any]) -> list[FieldError]:
    modes = spec.get("accessModes") or []
    if not modes:
        return [required("spec.accessModes", "at least 1 access mode is required")]
    return [not_supported("spec.accessModes", mode, list(_MODES)) for mode in modes if mode not in _MODES]


def _validate_volume(new: Manifest, old: Manifest | None) -> list[FieldError]:
    spec = meta.spec(new)
    errors = _mode_errors(spec)
    capacity = parse_all(spec.get("capacity"))
    if "storage" not in capacity:
        errors.append(required("spec.capacity"))
    elif capacity["storage"].value <= 0:
        errors.append(invalid("spec.capacity[storage]", str(capacity["storage"]), "must be greater than zero"))
    if len(spec.keys() - set(_NOT_SOURCES)) != 1:
        errors.append(required("spec", "must specify a volume type") if not spec.keys() - set(_NOT_SOURCES) else
                      forbidden("spec", "may not specify more than 1 volume type"))
    return errors


def _short(modes: list[str] | None) -> str:
    return ",".join(_MODES.get(mode, mode) for mode in modes or ())


def _volume_row(manifest: Manifest, now: datetime) -> list[Any]:
    spec, status = meta.spec(manifest), meta.status(manifest)
    claim = spec.get("claimRef") or {}
    return [meta.name(manifest), (spec.get("capacity") or {}).get("storage", ""), _short(spec.get("accessModes")),
            spec.get("persistentVolumeReclaimPolicy", ""), status.get("phase", "Available"),
            f"{claim.get('namespace', '')}/{claim.get('name', '')}" if claim else "", spec.get("storageClassName", ""),
            spec.get("volumeAttributesClassName") or "<unset>", status.get("reason", ""), age(manifest, now),
            spec.get("volumeMode", UNKNOWN)]


def _default_claim(manifest: Manifest) -> None:
    manifest.setdefault("spec", {}).setdefault("volumeMode", "Filesystem")
    manifest["status"] = meta.status(manifest) or {"phase": "Pending"}


def _validate_claim(new: Manifest, old: Manifest | None) -> list[FieldError]:
    spec = meta.spec(new)
    errors = _mode_errors(spec)
    asked = parse_all((spec.get("resources") or {}).get("requests")).get("storage")
    if asked is None:
        errors.append(required("spec.resources[storage]"))
    elif asked.value <= 0:
        errors.append(invalid("spec.resources[storage]", str(asked), "must be greater than zero"))
    if old is not None and not errors and spec != meta.spec(old):
        errors.append(forbidden("spec", "spec is immutable after creation except resources.requests and "
                                        "volumeAttributesClassName for bound claims"))
    return errors


def _claim_row(manifest: Manifest, now: datetime) -> list[Any]:
    spec, status = meta.spec(manifest), meta.status(manifest)
    bound = bool(spec.get("volumeName"))
    return [meta.name(manifest), "Terminating" if meta.is_deleting(manifest) else status.get("phase", "Pending"),
            spec.get("volumeName", ""), (status.get("capacity") or {}).get("storage", "") if bound else "",
            _short(status.get("accessModes")) if bound else "", spec.get("storageClassName", ""),
            spec.get("volumeAttributesClassName") or "<unset>", age(manifest, now), spec.get("volumeMode", UNKNOWN)]


def _runtime_errors(new: Manifest, old: Manifest | None) -> list[FieldError]:
    errors = [] if new.get("handler") else [required("handler")]
    return errors + (unchanged(new.get("handler"), old.get("handler"), "handler") if old else [])


STORAGECLASSES = Resource(
    "storageclasses", "StorageClass", "storage.k8s.io", namespaced=False, short_names=("sc",), subresources=(),
    default=_default_class, validate=_validate_class, warnings=_warn,
    columns=(Column("Name"), Column("Provisioner"), Column("ReclaimPolicy"), Column("VolumeBindingMode"),
             Column("AllowVolumeExpansion", 0, "boolean"), Column("Age")), row=_class_row)
PERSISTENTVOLUMES = Resource(
    "persistentvolumes", "PersistentVolume", namespaced=False, short_names=("pv",), default=_default_volume,
    validate=_validate_volume, warnings=_warn,
    columns=(Column("Name"), Column("Capacity"), Column("Access Modes"), Column("Reclaim Policy"), Column("Status"),
             Column("Claim"), Column("StorageClass"), Column("VolumeAttributesClass"), Column("Reason"),
             Column("Age"), Column("VolumeMode", 1)), row=_volume_row)
PERSISTENTVOLUMECLAIMS = Resource(
    "persistentvolumeclaims", "PersistentVolumeClaim", short_names=("pvc",), default=_default_claim,
    validate=_validate_claim, warnings=_warn,
    columns=(Column("Name"), Column("Status"), Column("Volume"), Column("Capacity"), Column("Access Modes"),
             Column("StorageClass"), Column("VolumeAttributesClass"), Column("Age"), Column("VolumeMode", 1)),
    row=_claim_row)
RUNTIMECLASSES = Resource(
    "runtimeclasses", "RuntimeClass", "node.k8s.io", namespaced=False, subresources=(), validate=_runtime_errors,
    columns=(Column("Name"), Column("Handler"), Column("Age")),
    row=lambda manifest, now: [meta.name(manifest), manifest.get("handler", ""), age(manifest, now)])
