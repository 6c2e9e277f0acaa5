"""get: objects as tables, YAML, JSON, names or single values."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from netlab.cli import table
from netlab.cli.arguments import Arguments, usage_error
from netlab.cli.context import api, namespace
from netlab.cli.failures import api_code, api_hint, api_text
from netlab.model import meta
from netlab.model.errors import ApiError
from netlab.server.client import TABLE, ApiClient
from netlab.server.kinds import Kind, Kinds

OUTPUTS = ("", "wide", "yaml", "json", "name")


@dataclass(frozen=True)
class Wanted:
    """One request: an object, or (without a name) a collection."""

    kind: Kind
    name: str
    path: str


def get(arguments: Arguments) -> int:
    """Prints what was asked for; 4 when a named object is not there."""
    output = arguments.text("output")
    if output not in OUTPUTS and not output.startswith("jsonpath="):
        raise usage_error(arguments.command, f'unable to match a printer suitable for the output format "{output}", '
                                             "allowed formats are: json,jsonpath={.path},name,wide,yaml")
    client = api(arguments)
    wanted = list(_wanted(arguments, Kinds(client)))
    if arguments.flag("watch"):
        return _watch(arguments, client, wanted)
    if output in ("", "wide"):
        return _tables(arguments, client, wanted)
    return _objects(arguments, client, wanted, output)


def _wanted(arguments: Arguments, kinds: Kinds) -> Iterator[Wanted]:
    everywhere, selector = arguments.flag("all-namespaces"), arguments.text("selector")
    where = "" if everywhere else namespace(arguments)
    words = arguments.words
    if "/" in words[0]:
        pairs = [tuple(word.split("/", 1)) for word in words]
    elif len(words) > 1:
        pairs = [(words[0], name) for name in words[1:]]
    else:
        found = [kind for word in words[0].split(",") for kind in kinds.category(word) or [kinds.named(word)]]
        query = f"?labelSelector={quote(selector)}" if selector else ""
        for kind in found:
            yield Wanted(kind, "", kind.path(where) + query)
        return
    if everywhere:
        raise usage_error(arguments.command, "a resource cannot be retrieved by name across all namespaces")
    if selector:
        raise usage_error(arguments.command, "selectors may not be used when names are given")
    for pair in pairs:
        if len(pair) != 2 or not pair[1]:
            raise usage_error(arguments.command, f'"{pair[0]}" is not KIND/NAME')
        kind = kinds.named(pair[0])
        yield Wanted(kind, pair[1], kind.path(where, pair[1]))


def _tables(arguments: Arguments, client: ApiClient, wanted: list[Wanted]) -> int:
    code, printed = 0, 0
    several = len({want.kind for want in wanted}) > 1
    tables: dict[Kind, dict[str, Any]] = {}
    for want in wanted:
        try:
            answer = _table(client.json("GET", want.path, accept=TABLE))
        except ApiError as error:
            code = code or api_code(error)
            sys.stderr.write(api_text(error) + "\n" + api_hint(error))
            continue
        if want.kind in tables:
            tables[want.kind]["rows"] += answer["rows"]
        else:
            tables[want.kind] = answer
    for kind, answer in tables.items():
        if not answer["rows"]:
            continue
        text = _render(arguments, answer, kind, prefix=f"{kind.shown}/" if several else "")
        sys.stdout.write(("\n" if printed else "") + text)
        printed += 1
    if not printed and not code:
        place = "" if arguments.flag("all-namespaces") or not any(want.kind.namespaced for want in wanted) \
            else f" in {namespace(arguments)} namespace"
        sys.stderr.write(f"No resources found{place}{'.' if place else ''}\n")
    return code


def _table(answer: dict[str, Any]) -> dict[str, Any]:
    """The answer as a Table; a server that knows no Tables gives objects, of which names are shown."""
    if answer.get("kind") == "Table":
        return answer | {"rows": list(answer.get("rows") or ())}
    items = answer.get("items", [answer])
    return {"columnDefinitions": [{"name": "Name"}],
            "rows": [{"cells": [meta.name(item)], "object": item} for item in items]}


def _render(arguments: Arguments, answer: dict[str, Any], kind: Kind, *, prefix: str = "", headers: bool = True) -> str:
    return table.render(answer, wide=arguments.text("output") == "wide", labels=arguments.flag("show-labels"),
                        namespaces=arguments.flag("all-namespaces") and kind.namespaced, prefix=prefix,
                        headers=headers and not arguments.flag("no-headers"))


def _objects(arguments: Arguments, client: ApiClient, wanted: list[Wanted], output: str) -> int:
    items: list[dict[str, Any]] = []
    code = 0
    for want in wanted:
        try:
            answer = client.get(want.path)
        except ApiError as error:
            code = code or api_code(error)
            sys.stderr.write(api_text(error) + "\n" + api_hint(error))
            continue
        types = {"apiVersion": f"{want.kind.group}/{want.kind.version}".lstrip("/"), "kind": want.kind.kind}
        items += [types | item for item in answer.get("items") or ()] if not want.name else [answer]
        if output == "name":
            names = [meta.name(item) for item in (answer.get("items") or () if not want.name else [answer])]
            sys.stdout.write("".join(f"{want.kind.shown}/{name}\n" for name in names))
    if output == "name" or (code and not items):
        return code
    single = len(wanted) == 1 and wanted[0].name
    whole: Any = items[0] if single else {"apiVersion": "v1", "items": items, "kind": "List",
                                          "metadata": {"resourceVersion": ""}}
    if output.startswith("jsonpath="):
        sys.stdout.write(_value(arguments, whole, output.removeprefix("jsonpath=")))
    elif output == "json":
        sys.stdout.write(json.dumps(_without_managed(whole), indent=4, ensure_ascii=False) + "\n")
    else:
        from netlab.cli import yaml_output

        yaml_output.write(_without_managed(whole), sys.stdout)
    return code


def _without_managed(value: Any) -> Any:
    for item in value.get("items", [value]):
        meta.metadata(item).pop("managedFields", None)
    return value


def _value(arguments: Arguments, whole: Any, path: str) -> str:
    from netlab.scenario.lookup import MISSING, look, parts

    if parts(path) is None:
        raise usage_error(arguments.command, f"error parsing jsonpath {path}: only plain paths are understood, such as "
                                             "{.spec.ports[0].nodePort} and {.items[*].metadata.name}")
    found = look(whole, path)
    values = [] if found is MISSING else found if "[*]" in path else [found]
    return " ".join(value if isinstance(value, str) else json.dumps(value, separators=(",", ":")) for value in values)


def _watch(arguments: Arguments, client: ApiClient, wanted: list[Wanted]) -> int:
    if len(wanted) != 1:
        raise usage_error(arguments.command, "you may only specify a single resource type to watch")
    want, output = wanted[0], arguments.text("output")
    if want.name:
        collection = want.kind.path(namespace(arguments))
        path = f"{collection}?fieldSelector={quote(f'metadata.name={want.name}')}"
        client.get(want.path)  # a name that is not there is an error, not an empty watch
    else:
        path = want.path
    first = True
    for event in client.watch(path, accept=TABLE if output in ("", "wide") else "application/json"):
        if event["type"] == "BOOKMARK":
            continue
        if event["type"] == "ERROR":
            status = event["object"]
            raise ApiError(status.get("code", 500), status.get("reason", ""), status.get("message", ""))
        if output in ("", "wide"):
            sys.stdout.write(_render(arguments, _table(event["object"]), want.kind, headers=first))
        elif output == "name":
            sys.stdout.write(f"{want.kind.shown}/{meta.name(event['object'])}\n")
        else:
            sys.stdout.write(json.dumps(event["object"]) + "\n")
        sys.stdout.flush()
        first = False
    return 0
