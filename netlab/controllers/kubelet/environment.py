"""A container's environment: Services, envFrom, env with valueFrom and `$(VAR)`, in the kubelet's order."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import Any

from netlab.controllers.kubelet.expand import expand
from netlab.controllers.kubelet.resource_fields import resource_value
from netlab.controllers.kubelet.service_env import service_variables
from netlab.model import meta
from netlab.model.meta import Manifest

Find = Callable[[str, str], Manifest | None]
"""(resource, name) -> the ConfigMap or Secret of the pod's namespace, or None."""


class ConfigError(Exception):
    """The container cannot be made from its spec (waiting reason CreateContainerConfigError)."""


def environment(pod: Manifest, container: Mapping[str, Any], *, services: Iterable[Mapping[str, Any]],
                find: Find, allocatable: Mapping[str, str] = MappingProxyType({})) -> dict[str, str]:
    """The variables of a container about to start; entries of `env` win over envFrom, these over Services.

    `pod` must carry the status that field references read; `allocatable` is what its node has of each resource.
    Raises ConfigError.
    """
    links = meta.spec(pod).get("enableServiceLinks") is not False
    linked = service_variables(services, meta.namespace(pod), links=links)
    result: dict[str, str] = {}
    for source in container.get("envFrom") or ():
        for key, value in _source(source, find, meta.namespace(pod)).items():
            result[(source.get("prefix") or "") + key] = value
    for item in container.get("env") or ():
        text = _value(item, pod, container, find, linked | result, allocatable)
        if text is not None:
            result[item["name"]] = text
    return result | {key: value for key, value in linked.items() if key not in result}


def _value(item: Mapping[str, Any], pod: Manifest, container: Mapping[str, Any], find: Find,
           known: Mapping[str, str], allocatable: Mapping[str, str]) -> str | None:
    if item.get("value"):
        return expand(str(item["value"]), known)
    source = item.get("valueFrom")
    if not source:
        return ""
    if "fieldRef" in source:
        return field_value(pod, source["fieldRef"].get("fieldPath", ""))
    if "resourceFieldRef" in source:
        try:
            return resource_value(container, source["resourceFieldRef"], allocatable)
        except ValueError as error:
            raise ConfigError(f"environment variable {item['name']}: {error}") from None
    for kind in ("configMapKeyRef", "secretKeyRef"):
        if kind in source:
            return _key(source[kind], kind, find, meta.namespace(pod))
    raise ConfigError(f"unsupported valueFrom of environment variable {item['name']}: {', '.join(source)}")


def _key(reference: Mapping[str, Any], kind: str, find: Find, namespace: str) -> str | None:
    resource = "configmaps" if kind == "configMapKeyRef" else "secrets"
    name, key = reference.get("name", ""), reference.get("key", "")
    found = find(resource, name)
    if found is None:
        if reference.get("optional"):
            return None
        raise ConfigError(f'{resource[:-1]} "{name}" not found')
    values = contents(found)
    if key not in values:
        if reference.get("optional"):
            return None
        shown = "ConfigMap" if resource == "configmaps" else "Secret"
        raise ConfigError(f"couldn't find key {key} in {shown} {namespace}/{name}")
    return values[key].decode(errors="replace")


def _source(source: Mapping[str, Any], find: Find, namespace: str) -> dict[str, str]:
    for kind, resource in (("configMapRef", "configmaps"), ("secretRef", "secrets")):
        if kind not in source:
            continue
        name = source[kind].get("name", "")
        found = find(resource, name)
        if found is None:
            if source[kind].get("optional"):
                return {}
            raise ConfigError(f'{resource[:-1]} "{name}" not found')
        return {key: value.decode(errors="replace") for key, value in contents(found).items()}
    return {}


def contents(manifest: Manifest) -> dict[str, bytes]:
    """The files of a ConfigMap or Secret: data, binaryData, stringData."""
    data = manifest.get("data") or {}
    if manifest.get("kind") == "Secret":
        text = manifest.get("stringData") or {}
        return {key: base64.b64decode(value or "") for key, value in data.items()} \
            | {key: str(value).encode() for key, value in text.items()}
    binary = manifest.get("binaryData") or {}
    return {key: str(value).encode() for key, value in data.items()} \
        | {key: base64.b64decode(value or "") for key, value in binary.items()}


_SUBSCRIPT = re.compile(r"metadata\.(labels|annotations)\['([^']*)'\]")


def field_value(pod: Manifest, path: str) -> str:
    """What a fieldRef reads (downward API). Raises ConfigError for paths that it does not offer."""
    match = _SUBSCRIPT.fullmatch(path)
    if match:
        return str((meta.metadata(pod).get(match[1]) or {}).get(match[2], ""))
    status, spec = meta.status(pod), meta.spec(pod)
    simple: dict[str, Any] = {
        "metadata.name": meta.name(pod), "metadata.namespace": meta.namespace(pod), "metadata.uid": meta.uid(pod),
        "spec.nodeName": spec.get("nodeName"), "spec.serviceAccountName": spec.get("serviceAccountName") or "default",
        "status.hostIP": status.get("hostIP"), "status.podIP": status.get("podIP"),
        "status.hostIPs": ",".join(entry["ip"] for entry in status.get("hostIPs") or ()),
        "status.podIPs": ",".join(entry["ip"] for entry in status.get("podIPs") or ()),
    }
    if path in simple:
        return str(simple[path] or "")
    if path in ("metadata.labels", "metadata.annotations"):
        items = meta.metadata(pod).get(path.partition(".")[2]) or {}
        return "\n".join(f'{key}="{_quoted(value)}"' for key, value in sorted(items.items()))
    raise ConfigError(f"unsupported fieldPath: {path}")


def _quoted(value: Any) -> str:
    return str(value).replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
