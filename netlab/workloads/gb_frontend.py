"""The front end of the guestbook tutorial: a page whose entries are texts in Redis, and its guestbook.php."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from typing import Any

from netlab.workloads.http import Request, Response
from netlab.workloads.identity import identity
from netlab.workloads.nginx_variables import local_time
from netlab.workloads.options import options
from netlab.workloads.program import serve
from netlab.workloads.redis_cli import call
from netlab.workloads.serving import say

SERVER = (("Server", "Apache/2.4.53 (Debian)"), ("X-Powered-By", "PHP/7.4.29"))
PORT = 6379
Call = Callable[..., Any]
"""(host, port, words of a command) to the value of Redis' reply; OSError."""

PAGE = """<!DOCTYPE html>
<html>
<head><title>Guestbook</title></head>
<body>
<h2>Guestbook</h2>
<form id="form"><input id="entry" placeholder="Messages"> <button>Submit</button></form>
<ul id="entries"></ul>
<script>
let entries = [];
async function ask(query) { return (await fetch("guestbook.php?key=messages&" + query)).json(); }
function show() {
  document.getElementById("entries").replaceChildren(...entries.map(text => {
    const item = document.createElement("li"); item.textContent = text; return item; }));
}
document.getElementById("form").onsubmit = event => {
  event.preventDefault();
  entries.push(document.getElementById("entry").value);
  show();
  ask("cmd=set&value=" + encodeURIComponent("," + entries.join(",")));
};
ask("cmd=get").then(found => { entries = found.data.split(",").filter(Boolean); show(); });
</script>
</body>
</html>
"""


def redis_host(command: str, tag: str, env: Mapping[str, str]) -> str:
    """Which Redis a command is for: names to v4 are others, and with GET_HOSTS_FROM=env the environment says where."""
    old = tag in ("v1", "v2", "v3", "v4")
    role = ("master" if old else "leader") if command == "set" else ("slave" if old else "follower")
    if env.get("GET_HOSTS_FROM") == "env":
        return env.get(f"REDIS_{role.upper()}_SERVICE_HOST", "")
    return f"redis-{role}"


def answer(request: Request, *, tag: str, env: Mapping[str, str], ask: Call = call) -> Response:
    """The page, or what Redis says; 500 when it says nothing."""
    if request.path in ("/", "/index.html"):
        return Response(PAGE, content_type="text/html", headers=SERVER)
    if request.path != "/guestbook.php":
        return Response("<h1>Not Found</h1>\n", 404, "text/html; charset=iso-8859-1", SERVER)
    command = request.query("cmd")
    if not command:
        return Response("<h1>PHP Version 7.4.29</h1>\n", content_type="text/html; charset=UTF-8", headers=SERVER)
    host = redis_host(command, tag, env)
    try:
        if command == "set":
            ask(host, PORT, "SET", request.query("key"), request.query("value"))
            text = '{"message": "Updated"}'
        else:
            text = '{"data": "' + (ask(host, PORT, "GET", request.query("key")) or "") + '"}'
    except OSError as error:
        say(f"[{time.strftime('%a %b %d %H:%M:%S %Y')}] [php:error] PHP Fatal error:  Uncaught "
            f"Predis\\Connection\\ConnectionException: {error.strerror or error} [tcp://{host}:{PORT}]")
        return Response("", 500, "text/html; charset=UTF-8", SERVER)
    return Response(text, content_type="application/json", headers=SERVER)


def main(args: list[str]) -> int:
    """Serves on 80."""
    tag, env = identity().tag, dict(os.environ)

    def respond(request: Request) -> Response:
        response = answer(request, tag=tag, env=env)
        agent, referer = request.header("user-agent", "-"), request.header("referer", "-")
        say(f'{request.client[0]} - - [{local_time()}] "{request.method} {request.target} {request.version}" '
            f'{response.code} {len(response.body)} "{referer}" "{agent}"')
        return response

    return serve([int(options(args, {"default-port": "80"})["default-port"])], respond)
