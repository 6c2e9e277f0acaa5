"""Which lab and namespace a command is about, and the way to its API."""

from __future__ import annotations

import os

from netlab.cli.arguments import Arguments
from netlab.model.errors import LabError
from netlab.model.lab_spec import DEFAULT_NAME
from netlab.server.client import ApiClient
from netlab.topology.names import api_socket


def lab_name(arguments: Arguments, default: str = DEFAULT_NAME) -> str:
    """--name, else NETLAB_NAME, else `default`."""
    return arguments.text("name") or os.environ.get("NETLAB_NAME", "") or default


def api(arguments: Arguments) -> ApiClient:
    """A client of the lab's API. LabError with exit code 4 when no lab of that name runs."""
    name = lab_name(arguments)
    path = api_socket(name)
    try:
        os.stat(path)
    except (FileNotFoundError, NotADirectoryError):
        named = "" if name == DEFAULT_NAME else f" --name {name}"
        raise LabError(f'no lab named "{name}" is running', hint=f"netlab up{named}", exit_code=4) from None
    except PermissionError:
        raise LabError(f'no access to the lab "{name}": a lab belongs to root', hint="use sudo",
                       exit_code=3) from None
    return ApiClient(path)


def namespace(arguments: Arguments) -> str:
    """--namespace, else `default`."""
    return arguments.text("namespace") or "default"
