"""up, down, list and status."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from netlab.cli.arguments import Arguments, usage_error
from netlab.cli.context import lab_name
from netlab.cli.table import align
from netlab.model.errors import LabError
from netlab.model.lab_spec import DEFAULT_NAME, joined


def up(arguments: Arguments) -> int:
    """Starts the lab of a file, or the default one, and says what to do next."""
    from netlab.lab import signals
    from netlab.lab.lab import Lab
    from netlab.scenario.lab_file import load, spec_of

    started = time.monotonic()
    if arguments.words:
        _refuse_name(arguments.words[0])
        file = load(arguments.words[0])
        spec = spec_of(file, name=lab_name(arguments, file.name))
    else:
        name = lab_name(arguments)
        spec = Lab.settings(name) or spec_of(None, name=name)
    try:
        with signals.raised():
            lab = Lab.up(spec)
    except signals.Interrupted as error:
        with suppress(OSError):  # the terminal may be gone
            sys.stderr.write(f"stopped by {error}\n")
        return error.exit_code
    path = _kubeconfig(lab.name)
    if arguments.flag("quiet"):
        print(lab.name)
        return 0
    nodes = ", ".join(f"{node} {joined(spec.node_ips(node))}" for node in spec.nodes)
    sys.stderr.write(f"lab {lab.name} is up ({time.monotonic() - started:.2f} s): {nodes}\n")
    named = "" if lab.name == DEFAULT_NAME else f" --name {lab.name}"
    print(f"netlab{named} get nodes -o wide\nnetlab{named} apply -f FILE\nnetlab{named} exec client -- curl ADDRESS\n"
          f"netlab{named} kubectl get pods -A")
    if path:
        print(f'eval "$(netlab{named} env)"   # KUBECONFIG={path}')
    print(f"netlab down{named}")
    return 0


def _refuse_name(word: str) -> None:
    """Helps who gives a lab's name where its file is wanted."""
    if not {".", "/", "-"} & {*word[-5:], *word[:1]} and not os.path.exists(word):
        raise LabError(f"{word}: No such file or directory", hint=f"netlab up --name {word}, or a lab file")


def _kubeconfig(lab: str) -> str:
    """Where the invoking user has it now; "" with a warning when it cannot be written."""
    from netlab.lab import kubeconfig

    try:
        return str(kubeconfig.give(lab))
    except OSError as error:
        sys.stderr.write(f"warning: no kubeconfig for the user who typed this: {error}\n")
        return ""


def down(arguments: Arguments) -> int:
    """Removes a lab, or all; one that is not there is fine."""
    from netlab.kernel.sweep import labs, leftovers, sweep

    if arguments.words and (arguments.flag("all") or arguments.text("name") not in ("", arguments.words[0])):
        raise usage_error(arguments.command, "say one lab: LAB, --name LAB, or --all")
    chosen = sorted(labs()) if arguments.flag("all") else [*arguments.words] or [lab_name(arguments)]
    if not chosen:
        sys.stderr.write("there are no labs\n")
    for name in chosen:
        if not leftovers(name) and name not in labs():
            sys.stderr.write(f"there is no lab {name}\n")
            continue
        sweep(name)
        if left := leftovers(name):
            raise LabError(f"of lab {name} this is left: {', '.join(map(str, left))}", exit_code=5,
                           hint=f"netlab down --name {name}")
        print(f"lab {name} removed")
    return 0


def list_labs(arguments: Arguments) -> int:
    """One line per lab: its name, whether its API answers, its nodes."""
    from netlab.kernel.sweep import labs

    rows = []
    for name in sorted(labs()):
        try:
            status = _status(name, limit=2.0)
        except (LabError, OSError) as error:
            hint = error.hint if isinstance(error, LabError) else ""
            rows.append([name, "no API" if hint else "broken", "<none>", "<unknown>"])
            continue
        rows.append([name, "running", ",".join(_node_names(status)), _age(status.get("uptime"))])
    if rows:
        sys.stdout.write(align([["NAME", "STATE", "NODES", "AGE"], *rows]))
    else:
        sys.stderr.write("No labs found\n")
    return 0


def status(arguments: Arguments) -> int:
    """The lab's nodes and controllers; 1 when a controller has an error."""
    name = lab_name(arguments)
    answer = _status(name)
    controllers = answer.get("controllers") or {}
    failing = any(controller.get("error") for controller in controllers.values())
    if arguments.text("output") == "json":
        print(json.dumps(answer, indent=2))
        return int(failing)
    print(f"lab {name}: revision {answer.get('revision')}, up for {_age(answer.get('uptime'))}\n")
    sys.stdout.write(align([["NODE"], *([node] for node in _node_names(answer))]) + "\n")
    rows = [[key, "running" if controller.get("running", True) else "stopped", str(controller.get("observed", "")),
             str(controller.get("error") or "<none>").strip().rsplit("\n", 1)[-1]]
            for key, controller in sorted(controllers.items())]
    sys.stdout.write(align([["CONTROLLER", "STATE", "SEEN", "ERROR"], *rows]))
    return int(failing)


def _status(name: str, *, limit: float = 30.0) -> Mapping[str, Any]:
    from netlab.lab.lab import Lab

    return Lab.attach(name).status(limit)


def _node_names(status: Mapping[str, Any]) -> list[str]:
    return [str(node.get("name", "") if isinstance(node, Mapping) else node) for node in status.get("nodes") or ()]


def _age(seconds: Any) -> str:
    if not isinstance(seconds, int | float):
        return "<unknown>"
    whole = int(seconds)
    for size, unit in ((86400, "d"), (3600, "h"), (60, "m")):
        if whole >= 2 * size:
            return f"{whole // size}{unit}"
    return f"{whole}s"
