"""What is wrong with a container's probes and hooks (k8s.io/kubernetes/pkg/apis/core/validation)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from netlab.model import names
from netlab.model.errors import FieldError, forbidden, invalid, not_supported, required

_HANDLERS = ("exec", "httpGet", "tcpSocket", "grpc", "sleep")


def placement_errors(container: dict[str, Any], field: str, path: str) -> Iterator[FieldError]:
    """What only containers may have that go on running."""
    if field == "initContainers" and container.get("restartPolicy") != "Always":
        for name in ("livenessProbe", "readinessProbe", "startupProbe", "lifecycle"):
            if name in container:
                yield forbidden(f"{path}.{name}", "may not be set for init containers without restartPolicy=Always")


def probe_errors(probe: dict[str, Any], name: str, path: str) -> Iterator[FieldError]:
    """What is wrong with the probe of that name."""
    yield from handler_errors(probe, path)
    for field in ("initialDelaySeconds", "timeoutSeconds", "periodSeconds", "successThreshold", "failureThreshold"):
        if probe.get(field, 0) < 0:
            yield invalid(f"{path}.{field}", probe[field], "must be greater than or equal to 0")
    if name != "readinessProbe" and probe.get("successThreshold") != 1:
        yield invalid(f"{path}.successThreshold", probe.get("successThreshold"), "must be 1")


def handler_errors(handler: dict[str, Any], path: str) -> Iterator[FieldError]:
    """What is wrong with what a probe or a hook does."""
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
