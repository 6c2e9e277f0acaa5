"""StatefulSets: pods with a number, and a name that stays."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from netlab.api.claim_rules import claim_errors, default_claim
from netlab.api.columns import age, containers
from netlab.api.object_rules import not_negative
from netlab.api.pod_defaults import fill
from netlab.api.resource import Column, Objects, Resource
from netlab.api.workload_rules import default_workload, workload_errors
from netlab.model import meta, names
from netlab.model.errors import FieldError, forbidden, invalid, not_supported
from netlab.model.meta import Manifest

_CHANGEABLE = ("replicas", "ordinals", "template", "updateStrategy", "revisionHistoryLimit",
               "persistentVolumeClaimRetentionPolicy", "minReadySeconds")
_FIXED = ("updates to statefulset spec for fields other than "
          + ", ".join(f"'{field}'" for field in _CHANGEABLE[:-1]) + f" and '{_CHANGEABLE[-1]}' are forbidden")
_RETENTION = ["Retain", "Delete"]


def _default(manifest: Manifest) -> None:
    spec = default_workload(manifest)
    fill(spec, podManagementPolicy="OrderedReady")
    strategy = spec.setdefault("updateStrategy", {})
    fill(strategy, type="RollingUpdate")
    if strategy["type"] == "RollingUpdate":
        strategy.setdefault("rollingUpdate", {}).setdefault("partition", 0)
    spec.setdefault("revisionHistoryLimit", 10)
    retention = spec.setdefault("persistentVolumeClaimRetentionPolicy", {})
    for field in ("whenDeleted", "whenScaled"):
        retention.setdefault(field, "Retain")
    for claim in spec.get("volumeClaimTemplates") or ():
        default_claim(claim)


def _prepare(registry: Objects, new: Manifest, old: Manifest | None) -> None:
    if old is None:
        new["status"] = {"replicas": 0, "availableReplicas": 0}


def _validate(new: Manifest, old: Manifest | None) -> list[FieldError]:
    spec = new["spec"]
    claims = spec.get("volumeClaimTemplates") or []
    errors = workload_errors(new, None, empty_selector="statefulset", owner="StatefulSet",
                             volumes=frozenset(meta.name(claim) for claim in claims))
    policy, strategy = spec["podManagementPolicy"], spec["updateStrategy"]
    if policy not in ("OrderedReady", "Parallel"):
        errors.append(invalid("spec.podManagementPolicy", policy, "must be 'OrderedReady' or 'Parallel'"))
    if strategy["type"] == "OnDelete":
        if strategy.get("rollingUpdate") is not None:
            errors.append(invalid("spec.updateStrategy.rollingUpdate", strategy["rollingUpdate"],
                                  "only allowed for updateStrategy 'RollingUpdate'"))
    elif strategy["type"] == "RollingUpdate":
        errors += not_negative(strategy["rollingUpdate"], "partition", "spec.updateStrategy.rollingUpdate")
    else:
        errors.append(invalid("spec.updateStrategy", strategy, "must be 'RollingUpdate' or 'OnDelete'"))
    errors += not_negative(spec.get("ordinals") or {}, "start", "spec.ordinals")
    for field, value in spec["persistentVolumeClaimRetentionPolicy"].items():
        if value not in _RETENTION:
            errors.append(not_supported(f"spec.persistentVolumeClaimRetentionPolicy.{field}", value, _RETENTION))
    for index, claim in enumerate(claims):
        errors += claim_errors(claim, f"spec.volumeClaimTemplates[{index}]")
    if spec.get("serviceName") and old is None:
        errors += [invalid("spec.serviceName", spec["serviceName"], text)
                   for text in names.dns_label(spec["serviceName"])]
    if old is not None and _fixed_part(new) != _fixed_part(old):
        errors.append(forbidden("spec", _FIXED))
    return errors


def _fixed_part(manifest: Manifest) -> dict[str, Any]:
    return {key: value for key, value in meta.spec(manifest).items() if key not in _CHANGEABLE}


def _warnings(new: Manifest, old: Manifest | None) -> list[str]:
    spec = meta.spec(new)
    if old is not None or not spec.get("volumeClaimTemplates"):
        return []
    found = ["a lab has no PersistentVolumes: each claim is a directory of the lab, whatever size and class it asks "
             "for; it stays when pods go, and goes with the namespace or the lab"]
    if "Delete" in (spec.get("persistentVolumeClaimRetentionPolicy") or {}).values():
        found.append("nothing in this lab acts on spec.persistentVolumeClaimRetentionPolicy: the claims are retained")
    return found


def _row(manifest: Manifest, now: datetime) -> list[Any]:
    spec, status = meta.spec(manifest), meta.status(manifest)
    names, images = containers(spec.get("template") or {})
    return [meta.name(manifest), f"{status.get('readyReplicas', 0)}/{spec.get('replicas', 0)}", age(manifest, now),
            names, images]


STATEFULSETS = Resource(
    "statefulsets", "StatefulSet", "apps", short_names=("sts",), categories=("all",), subresources=("status", "scale"),
    generations=True, default=_default, prepare=_prepare, validate=_validate, warnings=_warnings,
    columns=(Column("Name"), Column("Ready"), Column("Age"), Column("Containers", 1), Column("Images", 1)), row=_row)
