"""The manifests of the files that a command is given, with their kinds and namespaces."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from netlab.cli.arguments import Arguments, usage_error
from netlab.cli.context import api, namespace
from netlab.model import meta
from netlab.model.errors import LabError
from netlab.model.meta import Manifest
from netlab.server.client import ApiClient
from netlab.server.kinds import Kind, Kinds

if TYPE_CHECKING:
    from netlab.scenario.manifests import Located


@dataclass(frozen=True)
class Target:
    """A manifest of a file, with its kind and the namespace that it goes into."""

    kind: Kind
    located: Located
    namespace: str

    @property
    def manifest(self) -> Manifest:
        return self.located.manifest

    @property
    def name(self) -> str:
        return meta.name(self.manifest)


def load(arguments: Arguments) -> tuple[ApiClient, list[Target]]:
    """A client, and what -f names. LabError has every document that cannot be used, with its place."""
    from netlab.scenario.lab_file import API_VERSION, USED_BY
    from netlab.scenario.manifests import load as read

    files = arguments.many("filename")
    if not files:
        raise usage_error(arguments.command, "-f FILE is required")
    if arguments.words:
        raise usage_error(arguments.command, f"unexpected operand {arguments.words[0]!r} beside -f")
    located = read(files)
    if not located:
        raise LabError(f"no objects passed to {arguments.command.name}",
                       hint="a file with apiVersion, kind and metadata in it")
    client = api(arguments)
    kinds = Kinds(client)
    found: list[Target] = []
    wrong: list[str] = []
    given = arguments.text("namespace")
    for item in located:
        manifest = item.manifest
        kind = kinds.of(manifest["apiVersion"], manifest["kind"])
        own = meta.namespace(manifest)
        if kind is None and manifest["apiVersion"] == API_VERSION and manifest["kind"] in USED_BY:
            wrong.append(f'{item.at("kind")}: kind: a {manifest["kind"]} is no object of a lab; it is for: '
                         f'{USED_BY[manifest["kind"]]} {item.place.file}')
        elif kind is None:
            wrong.append(f'{item.at("kind")}: kind: no matches for kind "{manifest["kind"]}" in version '
                         f'"{manifest["apiVersion"]}"{kinds.like(manifest["kind"])}')
        elif kind.namespaced and own and given and own != given:
            wrong.append(f'{item.at("metadata.namespace")}: the namespace from the provided object "{own}" does not '
                         f'match the namespace "{given}". You must pass \'--namespace={own}\' to perform this '
                         "operation.")
        else:
            found.append(Target(kind, item, (own or namespace(arguments)) if kind.namespaced else ""))
    if wrong:
        raise LabError("\n".join(wrong))
    return client, found
