"""Ingresses and IngressClasses: HTTP routes to Services. Source: pkg/apis/networking/validation."""

from __future__ import annotations

import re
from datetime import datetime
from ipaddress import ip_address
from typing import Any

from netlab.api.columns import NONE, age, more
from netlab.api.object_rules import unchanged
from netlab.api.resource import Column, Objects, Resource
from netlab.model import meta, names
from netlab.model.errors import FieldError, invalid, not_supported, required, too_long
from netlab.model.meta import Manifest

CLASS_ANNOTATION = "kubernetes.io/ingress.class"
DEFAULT_CLASS = "ingressclass.kubernetes.io/is-default-class"
PATH_TYPES = ["Exact", "ImplementationSpecific", "Prefix"]
_NEVER = ("//", "/./", "/../", "%2f", "%2F")
_NO_END = ("/..", "/.")
_WILDCARD = r"\*\.[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*"
_WILDCARD_TEXT = ("a wildcard DNS-1123 subdomain must start with '*.', followed by a valid DNS subdomain, which must "
                  "consist of lower case alphanumeric characters, '-' or '.' and end with an alphanumeric character "
                  f"(e.g. '*.example.com', regex used for validation is '{_WILDCARD}')")


def _prepare(registry: Objects, new: Manifest, old: Manifest | None) -> None:
    """A new Ingress without a class gets the default one, if there is one (the newest of several)."""
    spec = new.setdefault("spec", {})
    if old is not None or spec.get("ingressClassName") is not None or meta.annotations(new).get(CLASS_ANNOTATION):
        return
    found = [item for item in registry.list("ingressclasses") if meta.annotations(item).get(DEFAULT_CLASS) == "true"]
    if found:
        found.sort(key=meta.name)
        found.sort(key=lambda item: str(meta.metadata(item).get("creationTimestamp")), reverse=True)
        spec["ingressClassName"] = meta.name(found[0])


def _validate(new: Manifest, old: Manifest | None) -> list[FieldError]:
    spec, errors = meta.spec(new), []
    for index, tls in enumerate(spec.get("tls") or ()):
        for number, host in enumerate(tls.get("hosts") or ()):
            errors += _name_errors(host, f"spec.tls[{index}].hosts[{number}]")
    if spec.get("defaultBackend") is None and not spec.get("rules"):
        errors.append(invalid("spec", None, "either `defaultBackend` or `rules` must be specified"))
    if spec.get("defaultBackend") is not None:
        errors += _backend_errors(spec["defaultBackend"], "spec.defaultBackend")
    for index, rule in enumerate(spec.get("rules") or ()):
        errors += _rule_errors(rule, f"spec.rules[{index}]")
    chosen = spec.get("ingressClassName")
    if chosen is not None:
        errors += [invalid("spec.ingressClassName", chosen, text) for text in names.dns_subdomain(chosen)]
        annotation = meta.annotations(new).get(CLASS_ANNOTATION)
        if old is None and annotation is not None:
            errors.append(invalid(f"metadata.annotations.{CLASS_ANNOTATION}", annotation,
                                  "can not be set when the class field is also set"))
    return errors


def _name_errors(host: str, path: str) -> list[FieldError]:
    if "*" in host:
        return [] if re.fullmatch(_WILDCARD, host) else [invalid(path, host, _WILDCARD_TEXT)]
    return [invalid(path, host, text) for text in names.dns_subdomain(host)]


def _rule_errors(rule: dict[str, Any], path: str) -> list[FieldError]:
    host, errors = rule.get("host", ""), []
    if host:
        try:
            ip_address(host)
            errors.append(invalid(f"{path}.host", host, "must be a DNS name, not an IP address"))
        except ValueError:
            errors += _name_errors(host, f"{path}.host")
    if rule.get("http") is not None:
        found = rule["http"].get("paths") or []
        if not found:
            errors.append(required(f"{path}.http.paths"))
        for index, item in enumerate(found):
            errors += _path_errors(item, f"{path}.http.paths[{index}]")
    return errors


def _path_errors(item: dict[str, Any], where: str) -> list[FieldError]:
    kind, path, errors = item.get("pathType"), item.get("path", ""), []
    if kind is None:
        errors.append(required(f"{where}.pathType", "pathType must be specified"))
    elif kind in ("Exact", "Prefix"):
        if not path.startswith("/"):
            errors.append(invalid(f"{where}.path", path, "must be an absolute path"))
        errors += [invalid(f"{where}.path", path, f"must not contain '{part}'") for part in _NEVER if part in path]
        errors += [invalid(f"{where}.path", path, f"cannot end with '{end}'") for end in _NO_END if path.endswith(end)]
    elif kind == "ImplementationSpecific":
        if path and not path.startswith("/"):
            errors.append(invalid(f"{where}.path", path, "must be an absolute path"))
    else:
        errors.append(not_supported(f"{where}.pathType", kind, PATH_TYPES))
    return errors + _backend_errors(item.get("backend") or {}, f"{where}.backend")


def _backend_errors(backend: dict[str, Any], path: str) -> list[FieldError]:
    service, resource, errors = backend.get("service"), backend.get("resource"), []
    if service is not None and resource is not None:
        return [invalid(path, "", "cannot set both resource and service backends")]
    if resource is not None:
        return [required(f"{path}.resource.{field}") for field in ("kind", "name") if not resource.get(field)]
    if service is None:
        return [invalid(path, "", "resource or service backend is required")]
    if not service.get("name"):
        errors.append(required(f"{path}.service.name"))
    else:
        errors += [invalid(f"{path}.service.name", service["name"], text)
                   for text in names.dns_1035_label(service["name"])]
    port = service.get("port") or {}
    name, number = port.get("name"), port.get("number")
    if name and number:
        errors.append(invalid(path, "", "cannot set both port name & port number"))
    elif name:
        errors += [invalid(f"{path}.service.port.name", name, text) for text in names.port_name(name)]
    elif number:
        errors += [invalid(f"{path}.service.port.number", number, text) for text in names.port_number(number)]
    else:
        errors.append(required(path, "port name or number is required"))
    return errors


def _warn(new: Manifest, old: Manifest | None) -> list[str]:
    return ["no Ingress controller runs in this lab yet: it is stored, and nothing serves it"]


def _row(manifest: Manifest, now: datetime) -> list[Any]:
    spec = meta.spec(manifest)
    hosts = [rule["host"] for rule in spec.get("rules") or () if rule.get("host")]
    found = (meta.status(manifest).get("loadBalancer") or {}).get("ingress") or ()
    addresses = ",".join(item.get("ip") or item.get("hostname") or "" for item in found)
    return [meta.name(manifest), spec.get("ingressClassName") or NONE, more(hosts, empty="*"), addresses,
            "80, 443" if spec.get("tls") else "80", age(manifest, now)]


def _default_class(manifest: Manifest) -> None:
    parameters = manifest.setdefault("spec", {}).get("parameters")
    if parameters is not None and not parameters.get("scope"):
        parameters["scope"] = "Cluster"


def _validate_class(new: Manifest, old: Manifest | None) -> list[FieldError]:
    spec, errors = meta.spec(new), []
    controller = spec.get("controller", "")
    if old is not None:
        errors += unchanged(controller, meta.spec(old).get("controller", ""), "spec.controller")
    if len(controller) > 250:
        errors.append(too_long("spec.controller", 250))
    domain, slash, rest = controller.partition("/")
    if not controller:
        errors.append(required("spec.controller"))
    elif not slash or not rest or names.dns_subdomain(domain):
        errors.append(invalid("spec.controller", controller, 'must be a domain-prefixed path (such as "acme.io/foo")'))
    parameters = spec.get("parameters")
    if parameters is not None:
        errors += [required(f"spec.parameters.{field}") for field in ("kind", "name") if not parameters.get(field)]
        if parameters["scope"] not in ("Cluster", "Namespace"):
            errors.append(not_supported("spec.parameters.scope", parameters["scope"], ["Cluster", "Namespace"]))
    return errors


def _class_row(manifest: Manifest, now: datetime) -> list[Any]:
    parameters = meta.spec(manifest).get("parameters")
    shown = NONE
    if parameters:
        group = f".{parameters['apiGroup']}" if parameters.get("apiGroup") else ""
        shown = f"{parameters.get('kind', '')}{group}/{parameters.get('name', '')}"
    return [meta.name(manifest), meta.spec(manifest).get("controller", ""), shown, age(manifest, now)]


INGRESSES = Resource(
    "ingresses", "Ingress", "networking.k8s.io", short_names=("ing",), generations=True, prepare=_prepare,
    validate=_validate, warnings=_warn,
    columns=(Column("Name"), Column("Class"), Column("Hosts"), Column("Address"), Column("Ports"), Column("Age")),
    row=_row)
INGRESSCLASSES = Resource(
    "ingressclasses", "IngressClass", "networking.k8s.io", namespaced=False, subresources=(), generations=True,
    default=_default_class, validate=_validate_class,
    columns=(Column("Name"), Column("Controller"), Column("Parameters"), Column("Age")), row=_class_row)
