"""The step `http`: requests by curl, each over a connection of its own, so that each is balanced anew."""

from __future__ import annotations

import re
from typing import Any

from netlab.scenario.actions import HttpAnswer, NotYet, Observation, action
from netlab.scenario.schema import Duration, Record, Short, Table, Text, Whole
from netlab.scenario.stage import Stage

# curl(1), EXIT CODES
ERRORS = {6: "unknown host", 7: "refused", 28: "timeout", 52: "empty answer", 56: "reset"}
_MARK = "\n@@netlab@@ "
_FORMAT = _MARK.replace("\n", "\\n") + "%{http_code} %{exitcode} %{errormsg}\\n"
_END = re.compile(re.escape(_MARK) + r"(\d+) (\d+) ?(.*)\n")

SHAPE = Short("url", Record({
    "from": Text(), "url": Text(), "requests": Whole(1, 2000), "headers": Table(Text()), "limit": Duration(),
}, required=("url",)))


@action("http", SHAPE, looks=True, checks=("status", "body", "headers", "error", "backends"),
        defaults=(("status", (200,), ("status", "error")),))
def http(stage: Stage, said: dict[str, Any]) -> Observation:
    """Sends the requests from a node, the client or a pod; `limit` is for each of them."""
    source, url, count = said.get("from", "client"), str(said["url"]), said.get("requests", 1)
    if "://" not in url:
        url = f"http://{url}"
    limit = said.get("limit", 3.0)
    options = ["-s", "-i", "-g", "--max-time", f"{limit:g}", "-H", "Connection: close", "-w", _FORMAT]
    for name, value in said.get("headers", {}).items():
        options += ["-H", f"{name}: {value}"]
    code, out, error = stage.run(source, ["curl", *options, *[url] * count], limit=limit * count + 2)
    times = f"   ({count} requests)" if count > 1 else ""
    answers = parse(out)
    if not answers:
        raise NotYet(f"curl in {source}: {error.strip() or f'exit code {code}'}")
    return Observation(f"{source}$ curl {url}{times}", http=answers, stdout=answers[0].body if answers else "")


def parse(output: str) -> tuple[HttpAnswer, ...]:
    """The answers in what curl printed."""
    answers = []
    position = 0
    for end in _END.finditer(output):
        head, _, body = output[position:end.start()].replace("\r\n", "\n").partition("\n\n")
        position = end.end()
        code = int(end[2])
        if code:
            error = "no route" if "route to host" in end[3] else ERRORS.get(code, f"curl exit code {code}")
            answers.append(HttpAnswer(error=error, words=end[3]))
            continue
        lines = (line.partition(":") for line in head.split("\n")[1:])
        answers.append(HttpAnswer(int(end[1]), {name.strip().lower(): value.strip() for name, _, value in lines}, body))
    return tuple(answers)


def backend(answer: HttpAnswer) -> str:
    """The pod that answered, from a line `Pod: NAME` (or `Hostname:`, `Server name:`) or a body that is just a name.

    "" when it does not say.
    """
    line = re.search(r"^(?:Pod|Hostname|Server name): *(\S+)", answer.body, re.MULTILINE)
    if line:
        return line[1]
    words = answer.body.split()
    return words[0] if len(words) == 1 else ""
