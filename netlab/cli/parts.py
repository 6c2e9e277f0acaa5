"""stop and start: parts of a lab's control plane by name."""

from __future__ import annotations

from netlab.cli.arguments import Arguments, did_you_mean
from netlab.cli.context import api
from netlab.model.errors import LabError


def stop(arguments: Arguments) -> int:
    """Stops the named parts; what they made stays, unless --cleanup says otherwise."""
    return _control(arguments, "cleanup" if arguments.flag("cleanup") else "stop")


def start(arguments: Arguments) -> int:
    """Starts them again."""
    return _control(arguments, "start")


def _control(arguments: Arguments, action: str) -> int:
    client = api(arguments)
    part, *nodes = arguments.words
    status = client.get("/netlab/v1/status")
    known = status["nodes"]
    parts = sorted({name.partition("/")[0] for name in status["controllers"]})
    if part not in parts and part not in status["controllers"]:
        dns = "netlab scale deployment coredns -n kube-system --replicas=0" if "dns" in part.lower() else ""
        raise LabError(f'there is no part "{part}" to {action if action != "cleanup" else "stop"}'
                       + did_you_mean(part, parts), hint=dns or "netlab status, which lists them", exit_code=4)
    per_node = {name.partition("/")[0] for name in status["controllers"] if "/" in name}
    names = [part]
    if part in per_node:
        for node in nodes:
            if node not in known:
                raise LabError(f'there is no node "{node}"', hint=f"one of: {', '.join(known)}", exit_code=4)
        names = [f"{part}/{node}" for node in nodes or known]
    elif nodes:
        raise LabError(f"{part} does not run on nodes of its own", hint=f"netlab {arguments.command.name} {part}")
    for name in names:
        client.json("POST", f"/netlab/v1/controllers?name={name}&action={action}")
        print(f"{name} {'started' if action == 'start' else 'stopped'}"
              + (", its rules are gone" if action == "cleanup" else ""))
    return 0
