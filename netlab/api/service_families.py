"""The IP families of a Service: what its author left open, and what the cluster cannot give.

Source: k8s.io/kubernetes pkg/registry/core/service/storage/alloc.go; KEP-563.
"""

from __future__ import annotations

from typing import Any

from netlab.api.service_addresses import IPS, POLICY, PREFER, REQUIRE, SINGLE, address_errors
from netlab.api.service_defaults import is_headless, needs_cluster_ip
from netlab.model import addresses
from netlab.model.errors import FieldError, invalid
from netlab.model.family import other

MULTIPLE = "must be 'RequireDualStack' or 'PreferDualStack' when multiple {} are specified"
RELEASE = "must be 'SingleStack' to release the secondary {}"
FIELDS = (("clusterIPs", "cluster IP", "cluster IPs"), ("ipFamilies", "IP family", "IP families"))


def settle_families(spec: dict[str, Any], old: dict[str, Any] | None, configured: tuple[str, ...]) -> list[FieldError]:
    """Fills in ipFamilies and ipFamilyPolicy and releases a second family; why the cluster cannot have it so.

    `configured` are the cluster's families, the first one first.
    """
    if not needs_cluster_ip(spec) or (old is not None and is_settled(spec, old)):
        return []
    open_ended = is_headless(spec) and not spec.get("selector")  # who writes the endpoints may have any family
    policy = spec["ipFamilyPolicy"] = spec["ipFamilyPolicy"] if "ipFamilyPolicy" in spec else (
        (old or {}).get("ipFamilyPolicy") or (REQUIRE if open_ended else SINGLE))
    errors = address_errors(spec)
    if errors:
        return errors
    errors = [*(_release(spec, old, policy) if old is not None else ()), *_several(spec, policy)]
    errors += _infer(spec, configured)
    if not errors and not open_ended:
        errors = _unavailable(spec, policy, configured)
    if errors:
        return errors
    families = spec.setdefault("ipFamilies", [configured[0]])
    if len(families) == 1 and policy != SINGLE and (open_ended or len(configured) == 2):
        families.append(other(families[0]))
    return []


def is_settled(spec: dict[str, Any], old: dict[str, Any]) -> bool:
    """Whether it goes on to prefer both families: a cluster with a family more or less changes no Service by itself."""
    return (spec.get("ipFamilyPolicy") == PREFER and old.get("ipFamilyPolicy") in (None, PREFER)
            and spec["type"] == old.get("type")
            and all((spec.get(field) or []) == (old.get(field) or []) for field in ("clusterIPs", "ipFamilies")))


def _release(spec: dict[str, Any], old: dict[str, Any], policy: str) -> list[FieldError]:
    """SingleStack drops what the Service had of the second family; any other policy must not lose it."""
    errors = []
    for field, one, _ in FIELDS:
        now, before = spec.get(field) or [], old.get(field) or []
        if policy == SINGLE and now and now == before:
            spec[field] = now[:1]
        elif policy != SINGLE and 0 < len(now) < len(before):
            errors.append(invalid(POLICY, policy, RELEASE.format(one)))
    return errors


def _several(spec: dict[str, Any], policy: str) -> list[FieldError]:
    return [invalid(POLICY, policy, MULTIPLE.format(many)) for field, _, many in FIELDS
            if policy == SINGLE and len(spec.get(field) or ()) == 2]


def _infer(spec: dict[str, Any], configured: tuple[str, ...]) -> list[FieldError]:
    """Adds the families of cluster IPs that were asked for."""
    families, errors = list(spec.get("ipFamilies") or ()), []
    for index, ip in enumerate([] if is_headless(spec) else spec.get("clusterIPs") or ()):
        family = addresses.family(ip)
        if index >= len(families) and family in configured:
            families.append(family)
        elif index >= len(families):
            errors.append(invalid(f"{IPS}[{index}]", spec["clusterIPs"], f"{family} is not configured on this cluster"))
    if families:
        spec["ipFamilies"] = families
    return errors


def _unavailable(spec: dict[str, Any], policy: str, configured: tuple[str, ...]) -> list[FieldError]:
    errors = []
    if policy == REQUIRE and len(configured) < 2:
        errors.append(invalid(POLICY, REQUIRE, "this cluster is not configured for dual-stack services"))
    return errors + [invalid(f"spec.ipFamilies[{index}]", family, "not configured on this cluster")
                     for index, family in enumerate(spec.get("ipFamilies") or ()) if family not in configured]
