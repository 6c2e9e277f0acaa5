"""Where a scenario plays: the lab, the namespace of the step, and what was saved so far."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

from netlab.lab.lab import Lab
from netlab.model.meta import Manifest
from netlab.server.kinds import Kind, Kinds


@dataclass(frozen=True)
class Stage:
    """The lab as steps see it."""

    lab: Lab
    kinds: Kinds
    namespace: str = "default"
    variables: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, lab: Lab) -> Stage:
        """The stage of a lab that has just come up."""
        return cls(lab, Kinds(lab.api))

    def within(self, namespace: str) -> Stage:
        """The same stage for steps in another namespace."""
        return replace(self, namespace=namespace)

    def kind_and_name(self, text: str) -> tuple[Kind, str, str]:
        """(kind, name, namespace) of `KIND/NAME`."""
        word, _, name = text.partition("/")
        kind = self.kinds.named(word)
        return kind, name, self.namespace if kind.namespaced else ""

    def object(self, text: str) -> Manifest:
        """The object `KIND/NAME`. ApiError 404 when there is none."""
        kind, name, namespace = self.kind_and_name(text)
        return self.lab.api.get(kind.path(namespace, name))

    def objects(self, plural: str, *, selector: str = "") -> list[Manifest]:
        """The objects of a kind in the step's namespace."""
        from urllib.parse import quote

        kind = self.kinds.named(plural)
        path = kind.path(self.namespace if kind.namespaced else "")
        items: list[Manifest] = self.lab.api.get(path + (f"?labelSelector={quote(selector)}" if selector else ""))[
            "items"]
        return items

    def run(self, target: str, argv: list[str], *, limit: float, container: str = "") -> tuple[int, str, str]:
        """(exit code, stdout, stderr) of a program in a node, the client, or a pod of the step's namespace."""
        if target not in (*self.lab.spec.outside, *self.lab.spec.nodes) and "/" not in target:
            target = f"{self.namespace}/{target}"
        code, out, error = self.lab.run(target, argv, limit=limit, container=container)
        return code, out.decode(errors="replace"), error.decode(errors="replace")
