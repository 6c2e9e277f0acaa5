"""exec and logs."""

from __future__ import annotations

import os
import sys
from urllib.parse import urlencode

from netlab.cli.arguments import Arguments, usage_error
from netlab.cli.context import api, lab_name, namespace
from netlab.model import meta
from netlab.model.errors import LabError
from netlab.server.client import ApiClient


def execute(arguments: Arguments) -> int:
    """Runs the program; gives its exit code."""
    from netlab.lab.lab import Lab

    if not arguments.program:
        raise usage_error(arguments.command, "you must specify at least one command for the container: "
                                             "put it after --")
    target = arguments.words[0]
    if arguments.text("namespace"):
        target = f"{arguments.text('namespace')}/{target.rpartition('/')[2]}"
    stdin = arguments.flag("stdin") or arguments.flag("tty")
    tty = arguments.flag("tty")
    if tty and not (os.isatty(0) and os.isatty(1)):
        sys.stderr.write("Unable to use a TTY - input is not a terminal or the right kind of file\n")
        tty = False
    return Lab.attach(lab_name(arguments)).exec(target, arguments.program, container=arguments.text("container"),
                                                stdin=0 if stdin else None, tty=tty)


def _default_container(client: ApiClient, namespace: str, name: str) -> dict[str, str]:
    """Of several containers the one that the pod's annotation names, else the first, with a notice; as kubectl."""
    pod = client.get(f"/api/v1/namespaces/{namespace}/pods/{name}")
    spec = meta.spec(pod)
    main = [container["name"] for container in spec.get("containers") or ()]
    init = [container["name"] for container in spec.get("initContainers") or ()]
    if len(main) + len(init) < 2:
        return {}
    chosen = meta.annotations(pod).get("kubectl.kubernetes.io/default-container", "")
    if chosen not in main:
        chosen = main[0]
        known = ", ".join([*main, *(f"{name} (init)" for name in init)])
        sys.stderr.write(f'Defaulted container "{chosen}" out of: {known}\n')
    return {"container": chosen}


def logs(arguments: Arguments) -> int:
    """Writes a container's log to stdout, as bytes."""
    where, name = namespace(arguments), arguments.words[0].removeprefix("pod/")
    if "/" in name:
        where, _, name = name.rpartition("/")
    query: dict[str, str | int] = {}
    if arguments.text("container"):
        query["container"] = arguments.text("container")
    tail = arguments.number("tail")
    if tail is not None:
        query["tailLines"] = tail
    for option, parameter in (("follow", "follow"), ("previous", "previous")):
        if arguments.flag(option):
            query[parameter] = "true"
    client = api(arguments)
    if "container" not in query:
        query |= _default_container(client, where, name)
    path = f"/api/v1/namespaces/{where}/pods/{name}/log" + (f"?{urlencode(query)}" if query else "")
    try:
        for piece in client.stream(path):
            sys.stdout.buffer.write(piece)
            sys.stdout.buffer.flush()
    except ConnectionError as error:
        raise LabError(f"the log ended: {error}", hint="netlab status", exit_code=5) from None
    return 0
