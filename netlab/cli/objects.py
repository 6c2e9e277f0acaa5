"""apply, delete, label and scale, with kubectl's words."""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass

from netlab.cli.arguments import Arguments, usage_error
from netlab.cli.context import api, namespace
from netlab.cli.failures import api_code, api_text
from netlab.model import meta
from netlab.model.errors import ApiError, LabError
from netlab.model.meta import Manifest
from netlab.server import verbs
from netlab.server.client import ApiClient
from netlab.server.kinds import Kind, Kinds

_LABEL_KEY = re.compile(r"([a-z0-9]([-a-z0-9.]*[a-z0-9])?/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$")


@dataclass(frozen=True)
class Target:
    """A manifest of a file, with its kind and the namespace that it goes into."""

    kind: Kind
    manifest: Manifest
    namespace: str
    file: str

    @property
    def name(self) -> str:
        return meta.name(self.manifest)


def apply(arguments: Arguments) -> int:
    """Creates or changes what the files say; nothing is written when a document is found wrong beforehand."""
    client, targets = _targets(arguments)
    if len(targets) > 1:
        _rehearse(client, targets)
    code = 0
    for target in targets:
        try:
            done = verbs.apply(client, target.kind, target.manifest, namespace=target.namespace)
        except ApiError as error:
            code = code or api_code(error)
            sys.stderr.write(api_text(error, f'when applying "{target.file}"') + "\n")
            continue
        print(f"{target.kind.shown}/{target.name} {done}", flush=True)
    return code


def _rehearse(client: ApiClient, targets: list[Target]) -> None:
    """Asks the server what it thinks of each document. What may depend on an earlier one (404, 409) waits."""
    wrong: list[str] = []
    for target in targets:
        try:
            verbs.apply(client, target.kind, target.manifest, namespace=target.namespace, dry_run=True)
        except ApiError as error:
            if error.code in (400, 422):
                wrong.append(api_text(error, f'when applying "{target.file}"'))
    if wrong:
        raise LabError("nothing was applied:\n" + "\n".join(wrong))


def _targets(arguments: Arguments) -> tuple[ApiClient, list[Target]]:
    from netlab.scenario.manifests import load

    files = arguments.many("filename")
    if not files:
        raise usage_error(arguments.command, "-f FILE is required")
    if arguments.words:
        raise usage_error(arguments.command, f"unexpected operand {arguments.words[0]!r} beside -f")
    located = load(files)
    if not located:
        raise LabError(f"no objects passed to {arguments.command.name}")
    client = api(arguments)
    kinds = Kinds(client)
    found: list[Target] = []
    wrong: list[str] = []
    for item in located:
        manifest, file = item.manifest, item.place.file
        kind = kinds.of(manifest["apiVersion"], manifest["kind"])
        own = meta.namespace(manifest)
        given = arguments.text("namespace")
        if kind is None:
            wrong.append(f'resource mapping not found for name: "{meta.name(manifest)}" namespace: "{own}" from '
                         f'"{file}": no matches for kind "{manifest["kind"]}" in version "{manifest["apiVersion"]}"\n'
                         "ensure CRDs are installed first")
        elif kind.namespaced and own and given and own != given:
            wrong.append(f'the namespace from the provided object "{own}" does not match the namespace "{given}". '
                         f"You must pass '--namespace={own}' to perform this operation.")
        else:
            found.append(Target(kind, manifest, (own or namespace(arguments)) if kind.namespaced else "", file))
    if wrong:
        raise LabError("\n".join(wrong))
    return client, found


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
            if error.code == 404 and arguments.flag("ignore-not-found"):
                continue
            code = code or api_code(error)
            sys.stderr.write(api_text(error) + "\n")
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
        client, targets = _targets(arguments)
        return client, [(target.kind, target.name, target.namespace) for target in targets]
    if not arguments.words:
        raise usage_error(arguments.command, "say what to delete: -f FILE, or KIND NAME")
    client = api(arguments)
    kinds, where = Kinds(client), namespace(arguments)
    pairs = [_pair(word) for word in arguments.words] if "/" in arguments.words[0] else \
        [(arguments.words[0], name) for name in arguments.words[1:]]
    if pairs:
        found = [(kinds.named(word), name) for word, name in pairs]
        return client, [(kind, name, where if kind.namespaced else "") for kind, name in found]
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
