"""What is wrong with a container of a pod (k8s.io/kubernetes/pkg/apis/core/validation)."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator
from typing import Any

from netlab.api.environment_rules import environment_errors
from netlab.api.probe_rules import handler_errors, probe_errors
from netlab.model import addresses, names
from netlab.model.errors import FieldError, duplicate, invalid, not_supported, required
from netlab.model.quantity import Quantity

PROTOCOLS = ["TCP", "UDP", "SCTP"]
_PULL_POLICIES = ["Always", "IfNotPresent", "Never"]
_OVERCOMMITTED = ("cpu", "memory", "ephemeral-storage")
_COUNTED = ("pods", "services", "replicationcontrollers", "resourcequotas", "secrets", "configmaps",
            "persistentvolumeclaims", "storage")  # names of resources, though no container's


def name_errors(name: str, path: str, taken: set[str]) -> list[FieldError]:
    """What is wrong with a name in a list; adds it to those `taken`."""
    errors = [required(path)] if not name else [invalid(path, name, text) for text in names.dns_label(name)]
    if name in taken:
        errors.append(duplicate(path, name))
    taken.add(name)
    return errors


def container_errors(container: dict[str, Any], path: str, *, taken: set[str], volumes: set[str],
                     host_ports: set[tuple[Any, ...]]) -> list[FieldError]:
    """Everything wrong with a container; `taken` are names of containers, and grows, as do the `host_ports`."""
    errors = name_errors(container.get("name", ""), f"{path}.name", taken)
    image = container.get("image") or ""
    if not image:
        errors.append(required(f"{path}.image"))
    elif image != image.strip():
        errors.append(invalid(f"{path}.image", image, "must not have leading or trailing whitespace"))
    port_names: set[str] = set()
    for index, port in enumerate(container.get("ports") or ()):
        errors += _port_errors(port, f"{path}.ports[{index}]", port_names, host_ports)
    errors += environment_errors(container, path)
    errors += _mount_errors(container.get("volumeMounts") or [], f"{path}.volumeMounts", volumes)
    if container.get("imagePullPolicy") not in _PULL_POLICIES:
        errors.append(not_supported(f"{path}.imagePullPolicy", container.get("imagePullPolicy"), _PULL_POLICIES))
    errors += _resource_errors(container.get("resources") or {}, f"{path}.resources")
    for name, handler in (container.get("lifecycle") or {}).items():
        if isinstance(handler, dict):
            errors += handler_errors(handler, f"{path}.lifecycle.{name}")
    for name in ("livenessProbe", "readinessProbe", "startupProbe"):
        if name in container:
            errors += probe_errors(container[name], name, f"{path}.{name}")
    return errors


def _mount_errors(mounts: list[dict[str, Any]], path: str, volumes: set[str]) -> Iterator[FieldError]:
    places: set[str] = set()
    for index, mount in enumerate(mounts):
        where, name, place = f"{path}[{index}]", mount.get("name"), mount.get("mountPath")
        if not name:
            yield required(f"{where}.name")
        elif name not in volumes:
            yield FieldError(f"{where}.name", "FieldValueNotFound", f'Not found: "{name}"')
        if not place:
            yield required(f"{where}.mountPath")
        elif place in places:
            yield invalid(f"{where}.mountPath", place, "must be unique")
        places.add(place or "")
        sub = mount.get("subPath") or ""
        if posixpath.isabs(sub):
            yield invalid(f"{where}.subPath", sub, "must be a relative path")
        if ".." in sub.split("/"):
            yield invalid(f"{where}.subPath", sub, "must not contain '..'")


def _resource_errors(resources: dict[str, Any], path: str) -> Iterator[FieldError]:
    limits, requests = resources.get("limits") or {}, resources.get("requests") or {}
    for field, amounts in (("limits", limits), ("requests", requests)):
        for name, text in sorted(amounts.items()):
            where = f"{path}.{field}[{name}]"
            yield from _resource_name_errors(name, where)
            if Quantity.parse(text).value < 0:
                yield invalid(where, str(text), "must be greater than or equal to 0")
            if field == "limits" or name not in limits:
                continue
            asked, most = Quantity.parse(text), Quantity.parse(limits[name])
            if asked.value != most.value and name not in _OVERCOMMITTED:
                yield invalid(f"{path}.requests", str(asked), f"must be equal to {name} limit of {most}")
            elif asked.value > most.value:
                yield invalid(f"{path}.requests", str(asked), f"must be less than or equal to {name} limit of {most}")


def _resource_name_errors(name: str, path: str) -> Iterator[FieldError]:
    yield from (invalid(path, name, text) for text in names.qualified_name(name))
    if "/" in name or name in _OVERCOMMITTED or name.startswith("hugepages-"):
        return
    if name not in _COUNTED:
        yield invalid(path, name, "must be a standard resource type or fully qualified")
    yield invalid(path, name, "must be a standard resource for containers")


def _port_errors(port: dict[str, Any], path: str, port_names: set[str],
                 host_ports: set[tuple[Any, ...]]) -> Iterator[FieldError]:
    name, number = port.get("name"), port.get("containerPort", 0)
    if name:
        yield from (invalid(f"{path}.name", name, text) for text in names.port_name(name))
        if name in port_names:
            yield duplicate(f"{path}.name", name)
        port_names.add(name)
    if not number:
        yield required(f"{path}.containerPort")
    else:
        yield from (invalid(f"{path}.containerPort", number, text) for text in names.port_number(number))
    if port.get("protocol") not in PROTOCOLS:
        yield not_supported(f"{path}.protocol", port.get("protocol"), PROTOCOLS)
    if port.get("hostIP") and not addresses.is_ip(port["hostIP"]):
        yield invalid(f"{path}.hostIP", port["hostIP"], addresses.NO_IP)
    if port.get("hostPort"):
        yield from (invalid(f"{path}.hostPort", port["hostPort"], text) for text in names.port_number(port["hostPort"]))
        key = (port.get("protocol"), port.get("hostIP", ""), port["hostPort"])
        if key in host_ports:
            yield duplicate(f"{path}.hostPort", "/".join(str(part) for part in key))
        host_ports.add(key)
