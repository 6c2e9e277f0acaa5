"""What is wrong with a pod spec (k8s.io/kubernetes/pkg/apis/core/validation)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from netlab.model import addresses, names
from netlab.model.errors import FieldError, duplicate, forbidden, invalid, not_supported, required

RESTART_POLICIES = ["Always", "OnFailure", "Never"]
DNS_POLICIES = ["ClusterFirstWithHostNet", "ClusterFirst", "Default", "None"]
PROTOCOLS = ["TCP", "UDP", "SCTP"]
_HANDLERS = ("exec", "httpGet", "tcpSocket", "grpc", "sleep")


def pod_spec_errors(spec: dict[str, Any], path: str = "spec", more: frozenset[str] = frozenset()) -> list[FieldError]:
    """Everything wrong with a pod spec whose defaults are filled in. `more` are names of volumes that it will have."""
    errors: list[FieldError] = []
    volumes: set[str] = set()
    for index, volume in enumerate(spec.get("volumes") or ()):
        where, name = f"{path}.volumes[{index}]", volume.get("name", "")
        errors += _name_errors(name, f"{where}.name", volumes)
        sources = sorted(volume.keys() - {"name"})
        errors += [forbidden(f"{where}.{source}", "may not specify more than 1 volume type") for source in sources[1:]]
    volumes |= more
    if not spec.get("containers"):
        errors.append(required(f"{path}.containers"))
    taken: set[str] = set()
    host_ports: set[tuple[Any, ...]] = set()
    for field in ("containers", "initContainers", "ephemeralContainers"):
        for index, container in enumerate(spec.get(field) or ()):
            errors += _container_errors(container, f"{path}.{field}[{index}]", taken, volumes, host_ports)
            errors += _probe_placement(container, field, f"{path}.{field}[{index}]")
    if spec.get("restartPolicy") not in RESTART_POLICIES:
        errors.append(not_supported(f"{path}.restartPolicy", spec.get("restartPolicy"), RESTART_POLICIES))
    errors += _dns_errors(spec, path)
    if spec.get("terminationGracePeriodSeconds", 0) < 0:
        errors.append(invalid(f"{path}.terminationGracePeriodSeconds", spec["terminationGracePeriodSeconds"],
                              "must be greater than or equal to 0"))
    for field in ("hostname", "subdomain"):
        if spec.get(field):
            errors += [invalid(f"{path}.{field}", spec[field], text) for text in names.dns_label(spec[field])]
    if spec.get("nodeName"):
        errors += [invalid(f"{path}.nodeName", spec["nodeName"], text)
                   for text in names.dns_subdomain(spec["nodeName"])]
    for index, alias in enumerate(spec.get("hostAliases") or ()):
        if not addresses.is_ip(alias.get("ip", "")):
            errors.append(invalid(f"{path}.hostAliases[{index}].ip", alias.get("ip", ""), addresses.NO_IP))
        for number, host in enumerate(alias.get("hostnames") or ()):
            errors += [invalid(f"{path}.hostAliases[{index}].hostnames[{number}]", host, text)
                       for text in names.dns_subdomain(host)]
    return errors


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


def _name_errors(name: str, path: str, taken: set[str]) -> list[FieldError]:
    errors = [required(path)] if not name else [invalid(path, name, text) for text in names.dns_label(name)]
    if name in taken:
        errors.append(duplicate(path, name))
    taken.add(name)
    return errors


def _container_errors(container: dict[str, Any], path: str, taken: set[str], volumes: set[str],
                      host_ports: set[tuple[Any, ...]]) -> list[FieldError]:
    errors = _name_errors(container.get("name", ""), f"{path}.name", taken)
    image = container.get("image") or ""
    if not image:
        errors.append(required(f"{path}.image"))
    elif image != image.strip():
        errors.append(invalid(f"{path}.image", image, "must not have leading or trailing whitespace"))
    if container.get("imagePullPolicy") not in ("Always", "IfNotPresent", "Never"):
        errors.append(not_supported(f"{path}.imagePullPolicy", container.get("imagePullPolicy"),
                                    ["Always", "IfNotPresent", "Never"]))
    port_names: set[str] = set()
    for index, port in enumerate(container.get("ports") or ()):
        errors += _port_errors(port, f"{path}.ports[{index}]", port_names, host_ports)
    for index, variable in enumerate(container.get("env") or ()):
        if not variable.get("name"):
            errors.append(required(f"{path}.env[{index}].name"))
        elif "=" in variable["name"]:
            errors.append(invalid(f"{path}.env[{index}].name", variable["name"],
                                  "a valid environment variable name must consist only of printable ASCII characters "
                                  "other than '='"))
        if variable.get("value") and variable.get("valueFrom"):
            errors.append(invalid(f"{path}.env[{index}].valueFrom", "",
                                  "may not be specified when `value` is not empty"))
    for index, mount in enumerate(container.get("volumeMounts") or ()):
        where = f"{path}.volumeMounts[{index}]"
        if not mount.get("name"):
            errors.append(required(f"{where}.name"))
        elif mount["name"] not in volumes:
            errors.append(FieldError(f"{where}.name", "FieldValueNotFound", f'Not found: "{mount["name"]}"'))
        if not mount.get("mountPath"):
            errors.append(required(f"{where}.mountPath"))
    for name in ("livenessProbe", "readinessProbe", "startupProbe"):
        if name in container:
            errors += _probe_errors(container[name], name, f"{path}.{name}")
    for name, handler in (container.get("lifecycle") or {}).items():
        if isinstance(handler, dict):
            errors += _handler_errors(handler, f"{path}.lifecycle.{name}")
    return errors


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


def _probe_placement(container: dict[str, Any], field: str, path: str) -> Iterator[FieldError]:
    if field == "initContainers" and container.get("restartPolicy") != "Always":
        for name in ("livenessProbe", "readinessProbe", "startupProbe", "lifecycle"):
            if name in container:
                yield forbidden(f"{path}.{name}", "may not be set for init containers without restartPolicy=Always")


def _probe_errors(probe: dict[str, Any], name: str, path: str) -> Iterator[FieldError]:
    yield from _handler_errors(probe, path)
    for field in ("initialDelaySeconds", "timeoutSeconds", "periodSeconds", "successThreshold", "failureThreshold"):
        if probe.get(field, 0) < 0:
            yield invalid(f"{path}.{field}", probe[field], "must be greater than or equal to 0")
    if name != "readinessProbe" and probe.get("successThreshold") != 1:
        yield invalid(f"{path}.successThreshold", probe.get("successThreshold"), "must be 1")


def _handler_errors(handler: dict[str, Any], path: str) -> Iterator[FieldError]:
    chosen = [name for name in _HANDLERS if name in handler]
    if not chosen:
        yield required(path, "must specify a handler type")
    yield from (forbidden(f"{path}.{name}", "may not specify more than 1 handler type") for name in chosen[1:])
    for name in chosen[:1]:
        body, where = handler[name], f"{path}.{name}"
        if name == "exec" and not body.get("command"):
            yield required(f"{where}.command")
        if name == "httpGet" and body.get("scheme") not in ("HTTP", "HTTPS"):
            yield not_supported(f"{where}.scheme", body.get("scheme"), ["HTTP", "HTTPS"])
        if name in ("httpGet", "tcpSocket", "grpc"):
            port = body.get("port", 0)
            texts = names.port_name(port) if isinstance(port, str) else names.port_number(port)
            yield from (invalid(f"{where}.port", port, text) for text in texts)
