"""What is wrong with a Service's cluster IPs and IP families, in themselves and as a change.

Source: k8s.io/kubernetes pkg/apis/core/validation, ValidateServiceClusterIPsRelatedFields and the rules of changes.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from netlab.api.service_defaults import is_headless
from netlab.model import addresses
from netlab.model.errors import FieldError, duplicate, invalid, not_supported, required
from netlab.model.family import FAMILIES

IPS, POLICY = "spec.clusterIPs", "spec.ipFamilyPolicy"
SINGLE, REQUIRE, PREFER = "SingleStack", "RequireDualStack", "PreferDualStack"
ONCE = "may not change once set"
RELEASING = "must be set to 'SingleStack' when releasing the secondary {}"


def address_errors(spec: dict[str, Any]) -> list[FieldError]:
    """Everything wrong with the cluster IPs and families of one Service; an ExternalName's are no matter of this."""
    if spec["type"] == "ExternalName":
        return []
    given = spec.get("clusterIPs") or []
    errors = [*_first_errors(spec, given), *_family_errors(spec)]
    bad = list(_ip_errors(given))
    errors += bad
    if len(given) > 2:
        errors.append(invalid(IPS, given, "may only hold up to 2 values"))
    if bad:
        return errors  # what follows would only tell of the same addresses again
    if len(given) > 1 and len(set(map(addresses.family, given))) == 1:
        errors.append(invalid(IPS, given, "may specify no more than one IP for each IP family"))
    if not is_headless(spec):
        for index, (ip, family) in enumerate(zip(given, spec.get("ipFamilies") or (), strict=False)):
            if family in FAMILIES and addresses.family(ip) != family:
                errors.append(invalid(f"{IPS}[{index}]", ip,
                                      f"expected an {family} value as indicated by `ipFamilies[{index}]`"))
    return errors


def _first_errors(spec: dict[str, Any], given: list[str]) -> Iterator[FieldError]:
    first = spec.get("clusterIP", "")
    if first and not given:
        yield required(IPS)
    elif first and given[0] != first:
        yield invalid(IPS, given, "first value must match `clusterIP`")
    elif given and not first:
        yield invalid(IPS, given, "must be empty when `clusterIP` is not specified")


def _family_errors(spec: dict[str, Any]) -> Iterator[FieldError]:
    families, policy = spec.get("ipFamilies") or [], spec.get("ipFamilyPolicy")
    for index, family in enumerate(families):
        if family not in FAMILIES:
            yield not_supported(f"spec.ipFamilies[{index}]", family, [*FAMILIES])
        if family in families[:index]:
            yield duplicate(f"spec.ipFamilies[{index}]", family)
    if policy not in (None, SINGLE, REQUIRE, PREFER):
        yield not_supported(POLICY, policy, [SINGLE, REQUIRE, PREFER])


def _ip_errors(given: list[str]) -> Iterator[FieldError]:
    for index, ip in enumerate(given):
        if index == 0 and ip == "None":
            if len(given) > 1:
                yield invalid(IPS, given, "'None' must be the first and only value")
        elif not addresses.is_ip(ip):
            yield invalid(f"{IPS}[{index}]", ip, addresses.NO_IP)


def address_change_errors(spec: dict[str, Any], old: dict[str, Any]) -> list[FieldError]:
    """What may not become of the cluster IPs and families of a Service that has them."""
    if "ExternalName" in (spec["type"], old.get("type")) or (is_headless(spec) and is_headless(old)):
        return []
    errors = list(_ip_changes(spec, old))
    return errors if is_headless(spec) or is_headless(old) else [*errors, *_family_changes(spec, old)]


def _ip_changes(spec: dict[str, Any], old: dict[str, Any]) -> Iterator[FieldError]:
    given, before = spec.get("clusterIPs") or [], old.get("clusterIPs") or []
    if len(given) == len(before):
        yield from (invalid(f"{IPS}[{index}]", given, ONCE)
                    for index, ip in enumerate(before) if ip != given[index])
        return
    if before and not given:
        yield invalid(f"{IPS}[0]", given, "primary clusterIP can not be unset")
    elif before and given[0] != before[0]:
        yield invalid(f"{IPS}[0]", given, ONCE)
    if len(before) > len(given) == 1 and spec.get("ipFamilyPolicy") != SINGLE:
        yield invalid(POLICY, spec.get("ipFamilyPolicy"), RELEASING.format("clusterIP"))


def _family_changes(spec: dict[str, Any], old: dict[str, Any]) -> Iterator[FieldError]:
    now, before, path = spec.get("ipFamilies") or [], old.get("ipFamilies") or [], "spec.ipFamilies[0]"
    if len(now) == len(before):
        yield from (invalid(path, now, ONCE) for index, family in enumerate(before) if family != now[index])
        return
    if now and before and now[0] != before[0]:
        yield invalid(path, spec.get("clusterIPs") or [], ONCE)  # it shows the addresses
    if len(before) > len(now) == 1 and spec.get("ipFamilyPolicy") != SINGLE:
        yield invalid(POLICY, spec.get("ipFamilyPolicy"), RELEASING.format("ipFamily"))
