"""The IP families of a Service: what its author left open, and what the cluster cannot give.

Source: k8s.io/kubernetes pkg/registry/core/service/storage/alloc.go; KEP-563.
"""

from __future__ import annotations

from typing import Any

from netlab.api.service_defaults import is_headless, needs_cluster_ip
from netlab.model import addresses
from netlab.model.errors import FieldError, invalid
from netlab.model.family import FAMILIES, other

POLICY = "spec.ipFamilyPolicy"
SINGLE, REQUIRE, PREFER = "SingleStack", "RequireDualStack", "PreferDualStack"
MULTIPLE = "must be 'RequireDualStack' or 'PreferDualStack' when multiple {} are specified"


def settle_families(spec: dict[str, Any], old: dict[str, Any] | None, configured: tuple[str, ...]) -> list[FieldError]:
    """Fills in ipFamilies and ipFamilyPolicy and releases a second family; why the cluster cannot have it so.

    `configured` are the cluster's families, the first one first. What is wrong in itself is left to validation.
    """
    if not needs_cluster_ip(spec) or not _well_formed(spec):
        return []
    policy = spec.get("ipFamilyPolicy")
    if old is not None and needs_cluster_ip(old):
        if policy is None and old.get("ipFamilyPolicy"):
            policy = spec["ipFamilyPolicy"] = old["ipFamilyPolicy"]
        if policy == PREFER and old.get("ipFamilyPolicy") == PREFER and _same(spec, old):
            return []  # a cluster that has got a family more or less changes no Service by itself
        errors = _release(spec, old, policy)
        if errors:
            return errors
    errors = _several(spec, policy) or _infer(spec, old, configured)
    if errors:
        return errors
    families = spec.setdefault("ipFamilies", [])
    if is_headless(spec) and not spec.get("selector"):
        # Whoever writes its endpoints may have families that the cluster has not.
        spec["ipFamilyPolicy"] = policy or REQUIRE
        families += [] if families else [configured[0]]
        if len(families) < 2 and spec["ipFamilyPolicy"] != SINGLE:
            families.append(other(families[0]))
        return []
    errors = _unavailable(spec, families, configured)
    if errors:
        return errors
    spec["ipFamilyPolicy"] = policy or SINGLE
    families += [] if families else [configured[0]]
    if len(families) == 1 and len(configured) == 2 and spec["ipFamilyPolicy"] != SINGLE:
        families.append(other(families[0]))
    return []


def _well_formed(spec: dict[str, Any]) -> bool:
    families, given = spec.get("ipFamilies") or [], spec.get("clusterIPs") or []
    ips = [] if given == ["None"] else given
    return (spec.get("ipFamilyPolicy") in (None, SINGLE, REQUIRE, PREFER)
            and all(family in FAMILIES for family in families) and len(set(families)) == len(families)
            and all(map(addresses.is_ip, ips)) and len(set(map(addresses.family, ips))) == len(ips)
            and all(addresses.family(ip) == family for ip, family in zip(ips, families, strict=False)))


def _same(spec: dict[str, Any], old: dict[str, Any]) -> bool:
    return all((spec.get(field) or []) == (old.get(field) or []) for field in ("type", "clusterIPs", "ipFamilies"))


def _release(spec: dict[str, Any], old: dict[str, Any], policy: str | None) -> list[FieldError]:
    """SingleStack drops what the Service had of the second family; any other policy must not lose it."""
    errors = []
    for field, what in (("clusterIPs", "cluster IP"), ("ipFamilies", "IP family")):
        now, before = spec.get(field) or [], old.get(field) or []
        if policy == SINGLE and now == before:
            spec[field] = now[:1]
        elif policy != SINGLE and len(before) == 2 and len(now) == 1 and now == before[:1]:
            errors.append(invalid(POLICY, policy, f"must be 'SingleStack' to release the secondary {what}"))
    return errors


def _several(spec: dict[str, Any], policy: str | None) -> list[FieldError]:
    if policy not in (None, SINGLE):
        return []
    return [invalid(POLICY, policy, MULTIPLE.format(what))
            for field, what in (("clusterIPs", "cluster IPs"), ("ipFamilies", "IP families"))
            if len(spec.get(field) or ()) == 2]


def _infer(spec: dict[str, Any], old: dict[str, Any] | None, configured: tuple[str, ...]) -> list[FieldError]:
    """Adds the families of cluster IPs that were asked for."""
    given = [ip for ip in spec.get("clusterIPs") or () if ip != "None"]
    families = list(spec.get("ipFamilies") or (old or {}).get("ipFamilies") or ())[:2]
    if given and not spec.get("ipFamilies"):
        families = []
    errors = []
    for index, ip in enumerate(given[len(families):], len(families)):
        family = addresses.family(ip)
        if family in configured:
            families.append(family)
        else:
            errors.append(invalid(f"spec.clusterIPs[{index}]", spec["clusterIPs"],
                                  f"{family} is not configured on this cluster"))
    if families:
        spec["ipFamilies"] = families
    return errors


def _unavailable(spec: dict[str, Any], families: list[str], configured: tuple[str, ...]) -> list[FieldError]:
    errors = []
    if spec.get("ipFamilyPolicy") == REQUIRE and len(configured) < 2:
        errors.append(invalid(POLICY, REQUIRE, "this cluster is not configured for dual-stack services"))
    return errors + [invalid(f"spec.ipFamilies[{index}]", family, "not configured on this cluster")
                     for index, family in enumerate(families) if family not in configured]
