"""What is wrong with a pod spec (k8s.io/kubernetes/pkg/apis/core/validation)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from netlab.api.container_rules import container_errors
from netlab.api.object_rules import label_errors
from netlab.api.probe_rules import placement_errors
from netlab.api.volume_rules import volume_errors
from netlab.model import addresses, names
from netlab.model.errors import FieldError, invalid, not_supported, required

RESTART_POLICIES = ["Always", "OnFailure", "Never"]
DNS_POLICIES = ["ClusterFirstWithHostNet", "ClusterFirst", "Default", "None"]
_EFFECTS = ["NoExecute", "NoSchedule", "PreferNoSchedule"]


def pod_spec_errors(spec: dict[str, Any], path: str = "spec", more: frozenset[str] = frozenset()) -> list[FieldError]:
    """Everything wrong with a pod spec whose defaults are filled in. `more` are names of volumes that it will have."""
    errors: list[FieldError] = []
    volumes: set[str] = set()
    for index, volume in enumerate(spec.get("volumes") or ()):
        errors += volume_errors(volume, f"{path}.volumes[{index}]", volumes)
    volumes |= more
    if not spec.get("containers"):
        errors.append(required(f"{path}.containers"))
    taken: set[str] = set()
    host_ports: set[tuple[Any, ...]] = set()
    for field in ("containers", "initContainers", "ephemeralContainers"):
        for index, container in enumerate(spec.get(field) or ()):
            errors += container_errors(container, f"{path}.{field}[{index}]", taken=taken, volumes=volumes,
                                       host_ports=host_ports)
            errors += placement_errors(container, field, f"{path}.{field}[{index}]")
            if spec.get("hostNetwork") and field == "containers":
                errors += _host_network_errors(container, f"{path}.{field}[{index}]")
    if spec.get("restartPolicy") not in RESTART_POLICIES:
        errors.append(not_supported(f"{path}.restartPolicy", spec.get("restartPolicy"), RESTART_POLICIES))
    errors += _dns_errors(spec, path)
    errors += label_errors(spec.get("nodeSelector") or {}, f"{path}.nodeSelector")
    if spec.get("terminationGracePeriodSeconds", 0) < 0:
        errors.append(invalid(f"{path}.terminationGracePeriodSeconds", spec["terminationGracePeriodSeconds"],
                              "must be greater than or equal to 0"))
    deadline = spec.get("activeDeadlineSeconds")
    if deadline is not None and not 1 <= deadline <= 2147483647:
        errors.append(invalid(f"{path}.activeDeadlineSeconds", deadline, "must be between 1 and 2147483647, inclusive"))
    for field in ("hostname", "subdomain"):
        if spec.get(field):
            errors += [invalid(f"{path}.{field}", spec[field], text) for text in names.dns_label(spec[field])]
    if spec.get("nodeName"):
        errors += [invalid(f"{path}.nodeName", spec["nodeName"], text)
                   for text in names.dns_subdomain(spec["nodeName"])]
    for index, toleration in enumerate(spec.get("tolerations") or ()):
        errors += _toleration_errors(toleration, f"{path}.tolerations[{index}]")
    for index, alias in enumerate(spec.get("hostAliases") or ()):
        if not addresses.is_ip(alias.get("ip", "")):
            errors.append(invalid(f"{path}.hostAliases[{index}].ip", alias.get("ip", ""), addresses.NO_IP))
        for number, host in enumerate(alias.get("hostnames") or ()):
            errors += [invalid(f"{path}.hostAliases[{index}].hostnames[{number}]", host, text)
                       for text in names.dns_subdomain(host)]
    return errors


def _host_network_errors(container: dict[str, Any], path: str) -> Iterator[FieldError]:
    for index, port in enumerate(container.get("ports") or ()):
        if port.get("hostPort", 0) != port.get("containerPort", 0):
            yield invalid(f"{path}.ports[{index}].hostPort", port.get("hostPort", 0),
                          "must match `containerPort` when `hostNetwork` is true")


def _dns_errors(spec: dict[str, Any], path: str) -> Iterator[FieldError]:
    policy, config = spec.get("dnsPolicy"), spec.get("dnsConfig")
    if policy not in DNS_POLICIES:
        yield not_supported(f"{path}.dnsPolicy", policy, DNS_POLICIES)
    servers = (config or {}).get("nameservers") or []
    if policy == "None" and not servers:
        if config is None:
            yield required(f"{path}.dnsConfig", 'must provide `dnsConfig` when `dnsPolicy` is None')
        else:
            yield required(f"{path}.dnsConfig.nameservers",
                           "must provide at least one DNS nameserver when `dnsPolicy` is None")
        return
    if len(servers) > 3:
        yield invalid(f"{path}.dnsConfig.nameservers", servers, "must not have more than 3 nameservers")
    for index, server in enumerate(servers):
        if not addresses.is_ip(server):
            yield invalid(f"{path}.dnsConfig.nameservers[{index}]", server, addresses.NO_IP)
    searches = (config or {}).get("searches") or []
    if len(searches) > 32:
        yield invalid(f"{path}.dnsConfig.searches", searches, "must not have more than 32 search paths")
    if len(" ".join(searches)) > 2048:
        yield invalid(f"{path}.dnsConfig.searches", searches,
                      "must not have more than 2048 characters (including spaces) in the search list")
    for index, search in enumerate(searches):
        for text in names.dns_search(search.removesuffix(".")) if search != "." else ():
            yield invalid(f"{path}.dnsConfig.searches[{index}]", search.removesuffix("."), text)
    for index, option in enumerate((config or {}).get("options") or ()):
        if not option.get("name"):
            yield required(f"{path}.dnsConfig.options[{index}]", "must not be empty")


def _toleration_errors(toleration: dict[str, Any], path: str) -> Iterator[FieldError]:
    key, operator, effect = (toleration.get(field) or "" for field in ("key", "operator", "effect"))
    value = toleration.get("value") or ""
    if key:
        yield from (invalid(f"{path}.key", key, text) for text in names.qualified_name(key))
    elif operator != "Exists":
        yield invalid(f"{path}.operator", operator, "operator must be Exists when `key` is empty, which means \"match "
                      "all values and all keys\"")
    if toleration.get("tolerationSeconds") is not None and effect != "NoExecute":
        yield invalid(f"{path}.effect", effect, "effect must be 'NoExecute' when `tolerationSeconds` is set")
    if operator in ("", "Equal"):
        yield from (invalid(f"{path}.operator", value, text) for text in names.label_value(value))
    elif operator != "Exists":
        yield not_supported(f"{path}.operator", operator, ["Equal", "Exists"])
    elif value:
        yield invalid(f"{path}.operator", toleration, "value must be empty when `operator` is 'Exists'")
    if effect and effect not in _EFFECTS:
        yield not_supported(f"{path}.effect", effect, _EFFECTS)
