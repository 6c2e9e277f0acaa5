"""What a client of exec and attach hears at the end (k8s.io/kubelet, remotecommand)."""

from __future__ import annotations

from typing import Any

from netlab.api.response import dump
from netlab.model.errors import internal_error


def success() -> dict[str, Any]:
    """The program ended with 0, or the container that was attached to has ended."""
    return {"metadata": {}, "status": "Success"}


def exited(code: int) -> dict[str, Any]:
    """How a program's exit code is told."""
    if code == 0:
        return success()
    return {"metadata": {}, "status": "Failure", "reason": "NonZeroExitCode",
            "message": f"command terminated with non-zero exit code: exit status {code}",
            "details": {"causes": [{"reason": "ExitCode", "message": str(code)}]}}


def failed(message: str) -> dict[str, Any]:
    """The program could not be started."""
    body = internal_error(message).status()
    return {key: body[key] for key in ("metadata", "status", "message", "reason", "code")} | {
        "details": {"causes": [{"message": message}]}}


def encode(status: dict[str, Any], protocol: str) -> bytes:
    """The status as the protocol has it: JSON from v4 on, before that a text for failures and nothing for success."""
    if protocol[:3] in ("v4.", "v5."):
        return dump(status)
    return str(status.get("message", "")).encode()
