"""The kinds that an API server offers, found as kubectl finds them: by its discovery documents."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from netlab.model.errors import ApiError, LabError
from netlab.server.client import ApiClient


@dataclass(frozen=True)
class Kind:
    """What a client needs of one kind: its names and its paths."""

    plural: str
    kind: str
    group: str
    version: str
    namespaced: bool
    short_names: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    subresources: frozenset[str] = frozenset()

    @property
    def shown(self) -> str:
        """As kubectl prints it: `service`, `deployment.apps`."""
        return self.kind.lower() + (f".{self.group}" if self.group else "")

    def path(self, namespace: str = "", name: str = "", subresource: str = "") -> str:
        """The URL of one object, or without a name of the collection (of all namespaces if `namespace` is "")."""
        root = f"/apis/{self.group}/{self.version}" if self.group else f"/api/{self.version}"
        inside = f"/namespaces/{quote(namespace, safe='')}" if self.namespaced and namespace else ""
        tail = "".join(f"/{quote(part, safe='')}" for part in (name, subresource) if part)
        return f"{root}{inside}/{self.plural}{tail}"


class Kinds:
    """The kinds of one server; each group's document is asked for once, when it is needed."""

    def __init__(self, api: ApiClient) -> None:
        self._api = api
        self._versions: dict[str, list[Kind]] = {}
        self._preferred: list[str] | None = None

    def named(self, word: str) -> Kind:
        """The kind by plural, singular, short name or any of them with its group (`deployments.apps`).

        LabError (exit code 2) when the server has none such.
        """
        name, _, group = word.lower().partition(".")
        for kind in self._all():
            if name in (kind.plural, kind.kind.lower(), *kind.short_names) and group in ("", kind.group):
                return kind
        raise LabError(f'the server doesn\'t have a resource type "{word}"{self._near(word)}',
                       hint="netlab get all")

    def _near(self, word: str) -> str:
        from difflib import get_close_matches

        words = [name for kind in self._all() for name in (kind.plural, kind.kind.lower(), *kind.short_names)]
        found = get_close_matches(word.lower(), words, n=1)
        return f' (did you mean "{found[0]}"?)' if found else ""

    def like(self, kind: str) -> str:
        """` (did you mean "Service", apiVersion "v1"?)` about a kind that a manifest names and the server lacks."""
        from difflib import get_close_matches

        by_name = {known.kind.lower(): known for known in self._all()}
        found = get_close_matches(kind.lower(), list(by_name), n=1)
        if not found:
            return f" (there are: {', '.join(sorted(known.kind for known in by_name.values()))})"
        known = by_name[found[0]]
        version = f"{known.group}/{known.version}".lstrip("/")
        return f' (did you mean "{known.kind}", apiVersion "{version}"?)'

    def category(self, word: str) -> list[Kind]:
        """The kinds of a category such as `all`; empty when there is none of that name."""
        return [kind for kind in self._all() if word in kind.categories]

    def of(self, api_version: str, kind: str) -> Kind | None:
        """The kind of a manifest, or None when the server does not know it."""
        return next((found for found in self._version(api_version) if found.kind == kind), None)

    def _all(self) -> Iterator[Kind]:
        yield from self._version("v1")  # the core group comes first: most words are found without asking further
        if self._preferred is None:
            groups = self._api.get("/apis").get("groups") or []
            self._preferred = [group["preferredVersion"]["groupVersion"] for group in groups]
        for version in self._preferred:
            yield from self._version(version)

    def _version(self, group_version: str) -> list[Kind]:
        if group_version not in self._versions:
            path = f"/apis/{group_version}" if "/" in group_version else f"/api/{group_version}"
            try:
                document = self._api.get(path)
            except ApiError as error:
                if error.code != 404:
                    raise
                document = {}
            self._versions[group_version] = _kinds(group_version, document.get("resources") or [])
        return self._versions[group_version]


def _kinds(group_version: str, resources: list[dict[str, Any]]) -> list[Kind]:
    group, _, version = group_version.rpartition("/")
    subresources: dict[str, set[str]] = {}
    for resource in resources:
        plural, _, subresource = resource["name"].partition("/")
        subresources.setdefault(plural, set()).add(subresource)
    return [Kind(resource["name"], resource["kind"], group, version, bool(resource.get("namespaced")),
                 tuple(resource.get("shortNames") or ()), tuple(resource.get("categories") or ()),
                 frozenset(subresources[resource["name"]] - {""}))
            for resource in resources if "/" not in resource["name"]]
