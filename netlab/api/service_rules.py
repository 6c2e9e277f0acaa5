"""What is wrong with a Service (k8s.io/kubernetes/pkg/apis/core/validation, ValidateService), in upstream's order."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from netlab.api.container_rules import PROTOCOLS
from netlab.api.object_rules import IMMUTABLE, label_errors
from netlab.api.service_addresses import ONCE, address_change_errors, address_errors
from netlab.api.service_defaults import externally_accessible, is_headless, needs_health_check_port
from netlab.model import addresses, meta, names
from netlab.model.errors import FieldError, duplicate, forbidden, invalid, not_supported, required
from netlab.model.feature_gates import PREFER_SAME
from netlab.model.lab_spec import LabSpec
from netlab.model.meta import Manifest

TYPES = ["ClusterIP", "NodePort", "LoadBalancer", "ExternalName"]
POLICIES = ["Cluster", "Local"]
ONLY_LOAD_BALANCER = "may only be used when `type` is 'LoadBalancer'"
SOURCE_RANGES = "service.beta.kubernetes.io/load-balancer-source-ranges"
TOPOLOGY_MODE = "service.kubernetes.io/topology-mode"
TOPOLOGY_HINTS = "service.kubernetes.io/topology-aware-hints"


def service_errors(new: Manifest, old: Manifest | None) -> list[FieldError]:
    """Everything wrong with a Service whose defaults are filled in and that has what the server gives."""
    spec = meta.spec(new)
    errors = _change_errors(spec, meta.spec(old)) if old is not None else []
    errors += _topology_errors(meta.annotations(new))
    if not spec.get("ports") and not is_headless(spec) and spec["type"] != "ExternalName":
        errors.append(required("spec.ports"))
    errors += [*_kind_errors(spec), *_port_errors(spec.get("ports") or [])]
    errors += label_errors(spec.get("selector") or {}, "spec.selector")
    errors += [*_affinity_errors(spec), *address_errors(spec), *_external_ip_errors(spec)]
    if spec["type"] not in TYPES:
        errors.append(not_supported("spec.type", spec["type"], TYPES))
    errors += [*_node_port_errors(spec), *_twice(spec.get("ports") or []), *_source_range_errors(new)]
    if "allocateLoadBalancerNodePorts" in spec and spec["type"] != "LoadBalancer":
        errors.append(forbidden("spec.allocateLoadBalancerNodePorts", ONLY_LOAD_BALANCER))
    return [*errors, *_class_errors(spec), *_policy_errors(spec)]


def _change_errors(spec: dict[str, Any], old: dict[str, Any]) -> list[FieldError]:
    errors = address_change_errors(spec, old)
    chosen = spec.get("loadBalancerClass")
    if spec["type"] == old.get("type") == "LoadBalancer" and chosen != old.get("loadBalancerClass"):
        errors.append(invalid("spec.loadBalancerClass", "null" if chosen is None else chosen, ONCE))
    errors += _class_errors(spec)
    if needs_health_check_port(spec) and needs_health_check_port(old) and \
            spec.get("healthCheckNodePort") != old.get("healthCheckNodePort"):
        errors.append(forbidden("spec.healthCheckNodePort", IMMUTABLE))
    return errors


def _topology_errors(annotations: dict[str, str]) -> Iterator[FieldError]:
    mode, hints = annotations.get(TOPOLOGY_MODE), annotations.get(TOPOLOGY_HINTS)
    if mode is not None and hints is not None and mode != hints:
        yield invalid(f"metadata.annotations[{TOPOLOGY_MODE}]", mode,
                      f"must match annotations[{TOPOLOGY_HINTS}] when both are specified")


def _kind_errors(spec: dict[str, Any]) -> Iterator[FieldError]:
    kind = spec["type"]
    if kind in ("NodePort", "LoadBalancer") and is_headless(spec):
        yield invalid("spec.clusterIPs[0]", "None", f"may not be set to 'None' for {kind} services")
    if kind != "ExternalName":
        return
    for field in ("clusterIPs", "ipFamilies", "ipFamilyPolicy"):
        if spec.get(field) is not None:
            yield forbidden(f"spec.{field}", "may not be set for ExternalName services")
    name = spec.get("externalName", "").removesuffix(".")
    if not name:
        yield required("spec.externalName")
    else:
        yield from (invalid("spec.externalName", name, text) for text in names.dns_subdomain(name))


def _port_errors(ports: list[dict[str, Any]]) -> Iterator[FieldError]:
    taken: set[str] = set()
    for index, port in enumerate(ports):
        where, name = f"spec.ports[{index}]", port.get("name", "")
        if not name and len(ports) > 1:
            yield required(f"{where}.name")
        elif name:
            yield from (invalid(f"{where}.name", name, text) for text in names.dns_label(name))
            if name in taken:
                yield duplicate(f"{where}.name", name)
            taken.add(name)
        number, target = port.get("port", 0), port["targetPort"]
        yield from (invalid(f"{where}.port", number, text) for text in names.port_number(number))
        if port["protocol"] not in PROTOCOLS:
            yield not_supported(f"{where}.protocol", port["protocol"], PROTOCOLS)
        texts = names.port_name(target) if isinstance(target, str) else names.port_number(target)
        yield from (invalid(f"{where}.targetPort", target, text) for text in texts)
        if "appProtocol" in port:
            yield from (invalid(f"{where}.appProtocol", port["appProtocol"], text)
                        for text in names.qualified_name(port["appProtocol"]))


def _affinity_errors(spec: dict[str, Any]) -> Iterator[FieldError]:
    affinity, config = spec["sessionAffinity"], spec.get("sessionAffinityConfig")
    if affinity not in ("ClientIP", "None"):
        yield not_supported("spec.sessionAffinity", affinity, ["ClientIP", "None"])
    if affinity == "ClientIP":
        timeout = ((config or {}).get("clientIP") or {}).get("timeoutSeconds", 0)
        if not 0 < timeout <= 86400:
            yield invalid("spec.sessionAffinityConfig.clientIP.timeoutSeconds", timeout,
                          "must be greater than 0 and less than 86400")


def _external_ip_errors(spec: dict[str, Any]) -> Iterator[FieldError]:
    for index, text in enumerate(spec.get("externalIPs") or ()):
        where = f"spec.externalIPs[{index}]"
        if not addresses.is_ip(text):
            yield invalid(where, text, addresses.NO_IP)
        else:
            yield from (invalid(where, text, problem) for problem in addresses.not_special(text))


def _node_port_errors(spec: dict[str, Any]) -> Iterator[FieldError]:
    taken: set[tuple[str, int]] = set()
    with_ports = [(f"spec.ports[{index}].nodePort", port["protocol"], port["nodePort"])
                  for index, port in enumerate(spec.get("ports") or ()) if "nodePort" in port]
    if spec["type"] == "ClusterIP":
        yield from (forbidden(where, "may not be used when `type` is 'ClusterIP'") for where, _, _ in with_ports)
    for where, protocol, number in with_ports:
        if (protocol, number) in taken:
            yield duplicate(where, number)
        taken.add((protocol, number))


def _twice(ports: list[dict[str, Any]]) -> Iterator[FieldError]:
    """The ports whose protocol and number another port has; only these two are shown."""
    keys = [(port["protocol"], port.get("port", 0)) for port in ports]
    for index, (protocol, number) in enumerate(keys):
        if (protocol, number) in keys[:index]:
            yield duplicate(f"spec.ports[{index}]", {"Name": "", "Protocol": protocol, "AppProtocol": None,
                                                     "Port": number, "TargetPort": 0, "NodePort": 0})


def _source_range_errors(service: Manifest) -> Iterator[FieldError]:
    """The field counts; the annotation is looked at when there is none."""
    ranges, annotation = service["spec"].get("loadBalancerSourceRanges"), meta.annotations(service).get(SOURCE_RANGES)
    if ranges:
        place = "spec.LoadBalancerSourceRanges"
        texts = [(f"{place}[{index}]", text.strip()) for index, text in enumerate(ranges)]
    elif annotation is not None:
        place = f"metadata.annotations[{SOURCE_RANGES}]"
        texts = [(place, text.strip()) for text in annotation.split(",")] if annotation.strip() else []
    else:
        return
    if service["spec"]["type"] != "LoadBalancer":
        yield forbidden(place, ONLY_LOAD_BALANCER)
    yield from (invalid(where, text, addresses.NO_CIDR) for where, text in texts if not addresses.is_cidr(text))


def _class_errors(spec: dict[str, Any]) -> Iterator[FieldError]:
    chosen = spec.get("loadBalancerClass")
    if chosen is not None and spec["type"] != "LoadBalancer":
        yield forbidden("spec.loadBalancerClass", ONLY_LOAD_BALANCER)
    elif chosen is not None:
        yield from (invalid("spec.loadBalancerClass", chosen, text) for text in names.qualified_name(chosen))


def _policy_errors(spec: dict[str, Any]) -> Iterator[FieldError]:
    outside, inside = spec.get("externalTrafficPolicy"), spec.get("internalTrafficPolicy")
    if outside is not None and not externally_accessible(spec):
        yield invalid("spec.externalTrafficPolicy", outside, "may only be set for externally-accessible services")
    elif outside is not None and outside not in POLICIES:
        yield not_supported("spec.externalTrafficPolicy", outside, POLICIES)
    check = spec.get("healthCheckNodePort")
    if check is not None and not needs_health_check_port(spec):
        yield invalid("spec.healthCheckNodePort", check,
                      "may only be set when `type` is 'LoadBalancer' and `externalTrafficPolicy` is 'Local'")
    elif check is not None:
        yield from (invalid("spec.healthCheckNodePort", check, text) for text in names.port_number(check))
    if inside is not None and inside not in POLICIES:
        yield not_supported("spec.internalTrafficPolicy", inside, POLICIES)


def distribution_errors(lab: LabSpec, new: Manifest) -> list[FieldError]:
    """What is wrong with trafficDistribution, in a lab with or without its newer values (KEP-3015)."""
    known = ["PreferClose", *(("PreferSameZone", "PreferSameNode") if lab.enabled(PREFER_SAME) else ())]
    given = meta.spec(new).get("trafficDistribution")
    return [] if given is None or given in known else [not_supported("spec.trafficDistribution", given, known)]
