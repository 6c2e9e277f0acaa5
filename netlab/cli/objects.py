"""delete, label and scale, with kubectl's words."""

from __future__ import annotations

import re
import sys

from netlab.cli import targets
from netlab.cli.arguments import Arguments, usage_error
from netlab.cli.context import api, namespace
from netlab.cli.failures import api_code, api_hint, api_text
from netlab.model import meta
from netlab.model.errors import ApiError, LabError
from netlab.server import verbs
from netlab.server.client import ApiClient
from netlab.server.kinds import Kind, Kinds

_LABEL_KEY = re.compile(r"([a-z0-9]([-a-z0-9.]*[a-z0-9])?/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$")


def delete(arguments: Arguments) -> int:
    """Deletes by file, by names, or all of a kind; waits until they are gone."""
    if arguments.flag("force") and arguments.number("grace-period") is None:
        arguments.options["grace-period"] = 0
    client, chosen = _chosen(arguments)
    gone: list[tuple[Kind, str, str, str]] = []
    code = 0
    for kind, name, where in chosen:
        try:
            uid = verbs.delete(client, kind, name, namespace=where, grace_period=arguments.number("grace-period"))
        except ApiError as error:
            with_it = any(kind.plural == "namespaces" and name == where for kind, name, _, _ in gone)
            if error.code == 404 and (arguments.flag("ignore-not-found") or with_it):
                continue  # a namespace takes its contents along
            code = code or api_code(error)
            sys.stderr.write(api_text(error) + "\n" + api_hint(error))
            continue
        forced = " force" if arguments.flag("force") else ""
        print(f'{kind.shown} "{name}"{forced} deleted', flush=True)
        gone.append((kind, name, where, uid))
    if arguments.flag("wait") and not arguments.flag("force"):
        for kind, name, where, uid in gone:
            verbs.wait_gone(client, kind, name, namespace=where, uid=uid)
    if not chosen:
        print("No resources found")
    return code


def _chosen(arguments: Arguments) -> tuple[ApiClient, list[tuple[Kind, str, str]]]:
    if arguments.many("filename"):
        client, found = targets.load(arguments)
        return client, [(target.kind, target.name, target.namespace) for target in found]
    if not arguments.words:
        raise usage_error(arguments.command, "say what to delete: -f FILE, or KIND NAME")
    client = api(arguments)
    kinds, where = Kinds(client), namespace(arguments)
    pairs = [_pair(word) for word in arguments.words] if "/" in arguments.words[0] else \
        [(arguments.words[0], name) for name in arguments.words[1:]]
    if pairs:
        named = [(kinds.named(word), name) for word, name in pairs]
        return client, [(kind, name, where if kind.namespaced else "") for kind, name in named]
    selector = arguments.text("selector")
    if not selector and not arguments.flag("all"):
        raise usage_error(arguments.command, "resource(s) were provided, but no name was specified")
    from urllib.parse import quote

    result = []
    for word in arguments.words[0].split(","):
        for kind in kinds.category(word) or [kinds.named(word)]:
            place = where if kind.namespaced else ""
            items = client.get(kind.path(place) + (f"?labelSelector={quote(selector)}" if selector else ""))["items"]
            result += [(kind, meta.name(item), place) for item in items]
    return client, result


def _pair(word: str) -> tuple[str, str]:
    kind, _, name = word.partition("/")
    if not kind or not name:
        raise LabError(f'"{word}" is not KIND/NAME')
    return kind, name


def label(arguments: Arguments) -> int:
    """Sets and removes labels; one that has another value already needs --overwrite."""
    words = list(arguments.words)
    word, name = _pair(words.pop(0)) if "/" in words[0] else (words.pop(0), words.pop(0))
    changes: dict[str, str | None] = {}
    for change in words:
        key, equals, value = change.partition("=")
        if not equals and not change.endswith("-"):
            raise usage_error(arguments.command, f"{change!r} is neither KEY=VALUE nor KEY-")
        if not _LABEL_KEY.match(key if equals else key[:-1]):
            raise LabError(f"invalid label key {key!r}: it is [PREFIX/]NAME of letters, digits, '-', '_' and '.'")
        changes[key if equals else key[:-1]] = value if equals else None
    if not changes:
        raise usage_error(arguments.command, "at least one label update is required")
    client = api(arguments)
    kind = Kinds(client).named(word)
    where = namespace(arguments) if kind.namespaced else ""
    old = meta.labels(client.get(kind.path(where, name)))
    if not arguments.flag("overwrite"):
        for key, new in changes.items():
            if new is not None and old.get(key, new) != new:
                raise LabError(f"'{key}' already has a value ({old[key]}), and --overwrite is false")
    for key, new in changes.items():
        if new is None and key not in old:
            print(f'label "{key}" not found.')
    if all(old.get(key) == new for key, new in changes.items()):
        print(f"{kind.shown}/{name} not labeled")
        return 0
    verbs.label(client, kind, name, changes, namespace=where)
    print(f"{kind.shown}/{name} " + ("labeled" if any(v is not None for v in changes.values()) else "unlabeled"))
    return 0


def scale(arguments: Arguments) -> int:
    """Sets the number of replicas."""
    replicas = arguments.number("replicas")
    if replicas is None or replicas < 0:
        raise usage_error(arguments.command, "The --replicas=COUNT flag is required, and COUNT must be greater than "
                                             "or equal to 0")
    words = arguments.words
    if len(words) == 1 and "/" not in words[0]:
        raise usage_error(arguments.command, "say which one: KIND NAME or KIND/NAME")
    word, name = _pair(words[0]) if len(words) == 1 else (words[0], words[1])
    client = api(arguments)
    kind = Kinds(client).named(word)
    verbs.scale(client, kind, name, replicas, namespace=namespace(arguments))
    print(f"{kind.shown}/{name} scaled")
    return 0
