"""What is wrong with a Service (k8s.io/kubernetes/pkg/apis/core/validation: ValidateService)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from netlab.api.address_warnings import cidr_warnings, ip_warnings
from netlab.api.container_rules import PROTOCOLS
from netlab.api.object_rules import IMMUTABLE, label_errors
from netlab.api.service_allocation import ALREADY
from netlab.api.service_defaults import (
    NODE_PORT_TYPES,
    externally_accessible,
    is_headless,
    needs_cluster_ip,
    needs_health_check_port,
)
from netlab.model import addresses, meta, names
from netlab.model.errors import FieldError, duplicate, forbidden, invalid, not_supported, required
from netlab.model.feature_gates import PREFER_SAME
from netlab.model.lab_spec import LabSpec
from netlab.model.meta import Manifest

TYPES = ["ClusterIP", "NodePort", "LoadBalancer", "ExternalName"]
POLICIES = ["Cluster", "Local"]
ONLY_LOAD_BALANCER = "may only be used when `type` is 'LoadBalancer'"
FAMILY_POLICIES = ["PreferDualStack", "RequireDualStack", "SingleStack"]
MULTIPLE = "must be 'RequireDualStack' or 'PreferDualStack' when multiple {} are specified"
SOURCE_RANGES = "service.beta.kubernetes.io/load-balancer-source-ranges"


def service_errors(new: Manifest, old: Manifest | None) -> list[FieldError]:
    """Everything wrong with a Service whose defaults are filled in."""
    spec, before = meta.spec(new), meta.spec(old) if old else None
    if before is None and (twice := list(_asked_twice(spec))):
        return twice  # upstream allocates before it looks at anything else
    errors = [*_port_errors(spec), *_type_errors(spec)]
    errors += label_errors(spec.get("selector") or {}, "spec.selector")
    errors += [*_affinity_errors(spec), *_external_ip_errors(spec), *_load_balancer_errors(new, before)]
    errors += [*_policy_errors(spec, before), *_cluster_ip_errors(spec)]
    if before is not None:
        errors += _change_errors(spec, before)
    return errors


def _port_errors(spec: dict[str, Any]) -> Iterator[FieldError]:
    ports = spec.get("ports") or []
    if not ports and not is_headless(spec) and spec["type"] != "ExternalName":
        yield required("spec.ports")
    taken: set[str] = set()
    numbers: set[tuple[str, int]] = set()
    node_ports: set[tuple[str, int]] = set()
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
        if not port["protocol"] or port["protocol"] not in PROTOCOLS:
            yield not_supported(f"{where}.protocol", port["protocol"], PROTOCOLS)
        texts = names.port_name(target) if isinstance(target, str) else names.port_number(target)
        if target != number or isinstance(target, str):
            yield from (invalid(f"{where}.targetPort", target, text) for text in texts)
        if port.get("appProtocol"):
            yield from (invalid(f"{where}.appProtocol", port["appProtocol"], text)
                        for text in names.qualified_name(port["appProtocol"]))
        key = (port["protocol"], number)
        if key in numbers:
            yield duplicate(where, {"Name": "", "Protocol": port["protocol"], "AppProtocol": None, "Port": number,
                                    "TargetPort": 0, "NodePort": 0})
        numbers.add(key)
        if "nodePort" in port:
            if spec["type"] not in NODE_PORT_TYPES:
                yield forbidden(f"{where}.nodePort", f"may not be used when `type` is '{spec['type']}'")
            elif (port["protocol"], port["nodePort"]) in node_ports:
                yield duplicate(f"{where}.nodePort", port["nodePort"])
            node_ports.add((port["protocol"], port["nodePort"]))


def _asked_twice(spec: dict[str, Any]) -> Iterator[FieldError]:
    """The first node port of a new Service that a port of another number has taken, whatever their protocols."""
    numbers: dict[int, int] = {}
    for index, port in enumerate(spec.get("ports") or ()) if spec["type"] in NODE_PORT_TYPES else ():
        wanted, number = port.get("nodePort"), port.get("port", 0)
        if wanted and numbers.setdefault(wanted, number) != number:
            yield invalid(f"spec.ports[{index}].nodePort", wanted, ALREADY)
            return


def _type_errors(spec: dict[str, Any]) -> Iterator[FieldError]:
    kind = spec["type"]
    if kind not in TYPES:
        yield not_supported("spec.type", kind, TYPES)
    if kind in NODE_PORT_TYPES and is_headless(spec):
        yield invalid("spec.clusterIPs[0]", "None", f"may not be set to 'None' for {kind} services")
    if kind == "ExternalName":
        for field in ("clusterIPs", "ipFamilies", "ipFamilyPolicy"):
            if spec.get(field):
                yield forbidden(f"spec.{field}", "may not be set for ExternalName services")
        name = spec.get("externalName", "")
        if not name:
            yield required("spec.externalName")
        else:
            yield from (invalid("spec.externalName", name, text)
                        for text in names.dns_subdomain(name.removesuffix(".")))


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


def _load_balancer_errors(service: Manifest, old: dict[str, Any] | None) -> Iterator[FieldError]:
    spec = service["spec"]
    balanced = spec["type"] == "LoadBalancer"
    ranges = spec.get("loadBalancerSourceRanges") or []
    annotation = meta.annotations(service).get(SOURCE_RANGES)
    if (ranges or annotation) and not balanced:
        yield forbidden("spec.LoadBalancerSourceRanges" if ranges else f"metadata.annotations[{SOURCE_RANGES}]",
                        ONLY_LOAD_BALANCER)
    elif ranges:
        for index, text in enumerate(ranges):
            if not addresses.is_cidr(text.strip()):
                yield invalid(f"spec.LoadBalancerSourceRanges[{index}]", text, addresses.NO_CIDR)
    elif annotation and annotation.strip():
        for text in annotation.split(","):
            if not addresses.is_cidr(text.strip()):
                yield invalid(f"metadata.annotations[{SOURCE_RANGES}]", annotation,
                              "must be a comma separated list of CIDRs e.g. 192.168.0.0/16,10.0.0.0/8")
                break
    if "allocateLoadBalancerNodePorts" in spec and not balanced:
        yield forbidden("spec.allocateLoadBalancerNodePorts", ONLY_LOAD_BALANCER)
    chosen = spec.get("loadBalancerClass")
    if chosen is not None and not balanced:
        yield forbidden("spec.loadBalancerClass", ONLY_LOAD_BALANCER)
    elif chosen is not None:
        yield from (invalid("spec.loadBalancerClass", chosen, text) for text in names.qualified_name(chosen))
    if balanced and old is not None and old.get("type") == "LoadBalancer" and chosen != old.get("loadBalancerClass"):
        yield invalid("spec.loadBalancerClass", chosen, "may not change once set")


def _policy_errors(spec: dict[str, Any], old: dict[str, Any] | None) -> Iterator[FieldError]:
    outside, inside = spec.get("externalTrafficPolicy"), spec.get("internalTrafficPolicy")
    if outside is not None and not externally_accessible(spec):
        yield invalid("spec.externalTrafficPolicy", outside, "may only be set for externally-accessible services")
    elif outside is not None and outside not in POLICIES:
        yield not_supported("spec.externalTrafficPolicy", outside, POLICIES)
    if inside is not None and inside not in POLICIES:
        yield not_supported("spec.internalTrafficPolicy", inside, POLICIES)
    check = spec.get("healthCheckNodePort")
    if check is not None and not needs_health_check_port(spec):
        yield invalid("spec.healthCheckNodePort", check,
                      "may only be set when `type` is 'LoadBalancer' and `externalTrafficPolicy` is 'Local'")
    elif old is not None and needs_health_check_port(spec) and needs_health_check_port(old) and \
            check != old.get("healthCheckNodePort"):
        yield forbidden("spec.healthCheckNodePort", IMMUTABLE)


def _cluster_ip_errors(spec: dict[str, Any]) -> Iterator[FieldError]:
    if spec["type"] == "ExternalName":
        return
    given, first, families = spec.get("clusterIPs") or [], spec.get("clusterIP", ""), spec.get("ipFamilies") or []
    if given and not first:
        yield invalid("spec.clusterIPs", given, "must be empty when `clusterIP` is not specified")
    elif given and given[0] != first:
        yield invalid("spec.clusterIPs", given, "first value must match `clusterIP`")
    if "None" in given and given != ["None"]:
        yield invalid("spec.clusterIPs", given, "'None' must be the first and only value")
    elif given != ["None"]:
        for index, text in enumerate(given):
            if not addresses.is_ip(text):
                yield invalid(f"spec.clusterIPs[{index}]", text, addresses.NO_IP)
            elif index < len(families) and addresses.family(text) != families[index]:
                yield invalid(f"spec.clusterIPs[{index}]", text,
                              f"expected an {families[index]} value as indicated by `ipFamilies[{index}]`")
        if len(given) > 2:
            yield invalid("spec.clusterIPs", given, "may only hold up to 2 values")
        elif len(given) == 2 and all(map(addresses.is_ip, given)) and len(set(map(addresses.family, given))) == 1:
            yield invalid("spec.clusterIPs", given, "may specify no more than one IP for each IP family")
    yield from _family_errors(spec, given, families)


def _family_errors(spec: dict[str, Any], given: list[str], families: list[str]) -> Iterator[FieldError]:
    policy = spec.get("ipFamilyPolicy")
    if policy is not None and policy not in FAMILY_POLICIES:
        yield not_supported("spec.ipFamilyPolicy", policy, FAMILY_POLICIES)
    elif policy in (None, "SingleStack"):
        if len(given) > 1:
            yield invalid("spec.ipFamilyPolicy", policy, MULTIPLE.format("cluster IPs"))
        elif len(families) > 1:
            yield invalid("spec.ipFamilyPolicy", policy, MULTIPLE.format("IP families"))
    for index, family in enumerate(families):
        if family not in ("IPv4", "IPv6"):
            yield not_supported(f"spec.ipFamilies[{index}]", family, ["IPv4", "IPv6"])
        elif family in families[:index]:
            yield duplicate(f"spec.ipFamilies[{index}]", family)
    if len(families) > 2:
        yield invalid("spec.ipFamilies", families, "may only hold up to 2 values")


def _change_errors(spec: dict[str, Any], old: dict[str, Any]) -> Iterator[FieldError]:
    if not (needs_cluster_ip(spec) and needs_cluster_ip(old)):
        return
    given, before = spec.get("clusterIPs") or [], old.get("clusterIPs") or []
    if before and not given:
        yield invalid("spec.clusterIPs[0]", given, "primary clusterIP can not be unset")
    elif before and given[0] != before[0]:
        yield invalid("spec.clusterIPs[0]", given, "may not change once set")
    families, earlier = spec.get("ipFamilies") or [], old.get("ipFamilies") or []
    if families and earlier and families[0] != earlier[0]:
        yield invalid("spec.ipFamilies[0]", families, "may not change once set")
    if len(earlier) == 2 and len(families) == 1 and spec.get("ipFamilyPolicy") != "SingleStack":
        yield invalid("spec.ipFamilyPolicy", spec.get("ipFamilyPolicy"),
                      "must be set to 'SingleStack' when releasing the secondary ipFamily")


def distribution_errors(lab: LabSpec, new: Manifest) -> list[FieldError]:
    """What is wrong with trafficDistribution, in a lab with or without its newer values (KEP-3015)."""
    known = ["PreferClose", *(("PreferSameZone", "PreferSameNode") if lab.enabled(PREFER_SAME) else ())]
    given = meta.spec(new).get("trafficDistribution")
    return [] if given is None or given in known else [not_supported("spec.trafficDistribution", given, known)]


def status_errors(new: Manifest, old: Manifest | None) -> list[FieldError]:
    """Everything wrong with a Service's load balancer status."""
    path = "status.loadBalancer.ingress"
    ingresses = (meta.status(new).get("loadBalancer") or {}).get("ingress") or []
    if ingresses and meta.spec(new).get("type") != "LoadBalancer":
        return [forbidden(path, "may only be used when `spec.type` is 'LoadBalancer'")]
    errors = []
    for index, ingress in enumerate(ingresses):
        where, ip, host, mode = f"{path}[{index}]", ingress.get("ip"), ingress.get("hostname"), ingress.get("ipMode")
        if ip and not addresses.is_ip(ip):
            errors.append(invalid(f"{where}.ip", ip, addresses.NO_IP))
        if mode is not None and not ip:
            errors.append(forbidden(f"{where}.ipMode", "may not be specified when `ip` is not set"))
        elif mode not in (None, "VIP", "Proxy"):
            errors.append(not_supported(f"{where}.ipMode", mode, ["Proxy", "VIP"]))
        if host and addresses.is_ip(host):
            errors.append(invalid(f"{where}.hostname", host, "must be a DNS name, not an IP address"))
        elif host:
            errors += [invalid(f"{where}.hostname", host, text) for text in names.dns_subdomain(host)]
    return errors


def service_warnings(new: Manifest, old: Manifest | None) -> list[str]:
    """What upstream's server warns about, from the Service as the client wrote it."""
    spec = meta.spec(new)
    found = []
    if "service.kubernetes.io/topology-aware-hints" in meta.annotations(new):
        found.append("annotation service.kubernetes.io/topology-aware-hints is deprecated, please use "
                     "service.kubernetes.io/topology-mode instead")
    given = spec.get("clusterIPs") or [spec.get("clusterIP", "")]
    for field, texts in (("clusterIPs", given), ("externalIPs", spec.get("externalIPs") or ())):
        for index, text in enumerate(texts):
            found += ip_warnings(f"spec.{field}[{index}]", text)
    found += ip_warnings("spec.loadBalancerIP", spec.get("loadBalancerIP", ""))
    for index, text in enumerate(spec.get("loadBalancerSourceRanges") or ()):
        found += cidr_warnings(f"spec.loadBalancerSourceRanges[{index}]", text)
    if spec.get("type") == "ExternalName" and spec.get("externalIPs"):
        found.append('spec.externalIPs is ignored when spec.type is "ExternalName"')
    if spec.get("type") != "ExternalName" and spec.get("externalName"):
        found.append('spec.externalName is ignored when spec.type is not "ExternalName"')
    if is_headless(spec):
        if spec.get("loadBalancerIP"):
            found.append("spec.loadBalancerIP is ignored for headless services")
        if spec.get("externalIPs"):
            found.append("spec.externalIPs is ignored for headless services")
        if spec.get("sessionAffinity") == "ClientIP":
            found.append("spec.SessionAffinity is ignored for headless services")
    return found
