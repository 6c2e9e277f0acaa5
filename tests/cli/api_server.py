"""A little API server on a unix socket, for the client side: objects, Tables of names, refusals."""

from __future__ import annotations

import json
import socketserver
import sys
import threading
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

CORE = [("services", "Service", ["svc"], ["all"], True), ("pods", "Pod", ["po"], ["all"], True),
        ("nodes", "Node", ["no"], [], False), ("namespaces", "Namespace", ["ns"], [], False),
        ("endpointslices", "EndpointSlice", [], [], True)]
APPS = [("deployments", "Deployment", ["deploy"], ["all"], True), ("deployments/scale", "Scale", [], [], True)]


def _resources(rows: list[Any]) -> dict[str, Any]:
    return {"resources": [{"name": n, "kind": k, "shortNames": s, "categories": c, "namespaced": d}
                          for n, k, s, c, d in rows]}


DOCUMENTS = {
    "/api/v1": _resources(CORE),
    "/apis/apps/v1": _resources(APPS),
    "/apis": {"groups": [{"name": "apps", "preferredVersion": {"groupVersion": "apps/v1"}}]},
}


class _Server(socketserver.ThreadingUnixStreamServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that leaves before it has all is no mistake: `logs` closes its connection so."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


class ApiServer:
    """Objects by path; `refuse` gives a message for a manifest that it answers with 422, with these `causes`."""

    causes: tuple[dict[str, str], ...] = ()
    bad_request = ""

    def __init__(self, path: Path) -> None:
        self.objects: dict[str, dict[str, Any]] = {}
        self.requests: list[tuple[str, str]] = []
        self.refuse = lambda manifest: ""
        self.log = b""
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *words: Any) -> None: ...
            def address_string(self) -> str:
                return "unix"

            def do(self) -> None:
                length = int(self.headers.get("Content-Length") or 0)
                body = json.loads(self.rfile.read(length)) if length else None
                code, answer = outer.answer(self.command, self.path, body, self.headers.get("Accept", ""))
                data = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
                self.send_response(code)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            do_GET = do_POST = do_PATCH = do_DELETE = do

        self.server = _Server(str(path), Handler)
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        self.thread.start()

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()

    def answer(self, method: str, target: str, body: Any, accept: str) -> tuple[int, Any]:
        url = urlsplit(target)
        path, query = unquote(url.path), parse_qs(url.query)
        if path in DOCUMENTS:
            return 200, DOCUMENTS[path]
        self.requests.append((method, target))
        if path.endswith("/log"):
            return 200, self.log
        plural, name = _parts(path)
        if plural is None:
            return 404, _status(404, "NotFound", "the server could not find the requested resource")
        dry = "dryRun" in query
        if method == "POST":
            if self.bad_request:
                return 400, _status(400, "BadRequest", self.bad_request)
            if text := self.refuse(body):
                status = _status(422, "Invalid", f'{body["kind"]} "{body["metadata"]["name"]}" is invalid: {text}')
                return 422, status | {"details": {"causes": list(self.causes)}}
            key = f"{path}/{body['metadata']['name']}"
            body["metadata"].setdefault("uid", "1")
            if not dry:
                self.objects[key] = body
            return 201, body
        if method == "GET" and not name:
            found = [item for key, item in sorted(self.objects.items())
                     if key.rpartition("/")[0] == path or ("/namespaces/" not in path and f"/{plural}/" in key)]
            return 200, _table(found) if "as=Table" in accept else {"items": found}
        key = path.removesuffix("/scale")
        if key not in self.objects:
            return 404, _status(404, "NotFound", f'{plural} "{name}" not found') | {"details": {"kind": plural}}
        if method == "DELETE":
            return 200, self.objects.pop(key)
        if method == "PATCH" and not dry:
            _merge(self.objects[key], body)
        return 200, _table([self.objects[key]]) if "as=Table" in accept else self.objects[key]


def _parts(path: str) -> tuple[str | None, str]:
    words = path.strip("/").split("/")
    words = words[2:] if words[0] == "api" else words[3:]
    if words[:1] == ["namespaces"] and len(words) > 2:
        words = words[2:]
    known = {row[0] for row in (*CORE, *APPS)}
    return (words[0], words[1] if len(words) > 1 else "") if words and words[0] in known else (None, "")


def _merge(into: dict[str, Any], patch: dict[str, Any]) -> None:
    for key, value in patch.items():
        if value is None:
            into.pop(key, None)
        elif isinstance(value, dict) and isinstance(into.get(key), dict):
            _merge(into[key], value)
        else:
            into[key] = value


def _table(items: list[dict[str, Any]]) -> dict[str, Any]:
    return {"kind": "Table", "columnDefinitions": [{"name": "Name"}, {"name": "Kind"}, {"name": "IP", "priority": 1}],
            "rows": [{"cells": [item["metadata"]["name"], item["kind"], "10.0.0.1"], "object": item}
                     for item in items]}


def _status(code: int, reason: str, message: str) -> dict[str, Any]:
    return {"kind": "Status", "code": code, "reason": reason, "message": message}
