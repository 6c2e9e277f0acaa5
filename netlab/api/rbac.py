"""Role-based access control: which rules a user has by Roles, ClusterRoles and their bindings, and what they allow.

Source: k8s.io/kubernetes, pkg/registry/rbac/validation and plugin/pkg/auth/authorizer/rbac.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Protocol

from netlab.api.attributes import Attributes, refusal
from netlab.api.users import ACCOUNT_PREFIX, User
from netlab.model import meta
from netlab.model.meta import Manifest
from netlab.model.selectors import from_manifest

GROUP = "rbac.authorization.k8s.io"
PUBLIC = ("/healthz", "/livez", "/readyz", "/version")  # and what is below them
CLOSED = "a lab shows strangers its health and version only, whatever its bindings say"
Rule = dict[str, Any]
"""A PolicyRule: verbs, and apiGroups with resources (and resourceNames), or nonResourceURLs."""


class Policy(Protocol):
    """Where roles and bindings are."""

    def find(self, resource: str, name: str, namespace: str = "") -> Manifest | None:
        """The object, or None."""

    def list(self, resource: str, namespace: str | None = None) -> list[Manifest]:
        """The objects of a namespace, of all with None."""


def check(policy: Policy, user: User, wanted: Attributes) -> None:
    """Nothing when the user may; ApiError 403 when not."""
    allowed, reason = decide(policy, user, wanted)
    if not allowed:
        raise refusal(user.name, wanted, reason)


def decide(policy: Policy, user: User, wanted: Attributes) -> tuple[bool, str]:
    """Whether the user may do it, and what is to be said of that: the binding that allows it, or a missing role."""
    if user.is_master:
        return True, ""
    if user.is_stranger and not _is_public(wanted):
        # Other users of the machine are strangers, and who may create pods runs commands as root.
        bound = any(matches(rule, wanted) for rule in rules_of(policy, user, wanted.namespace))
        return False, CLOSED if bound else ""
    missing: list[str] = []
    for binding in _bindings(policy, wanted.namespace, user):
        for rule in _rules(policy, binding, missing):
            if matches(rule, wanted):
                return True, _granted(binding, user)
    return False, f"RBAC: {_joined(missing)}" if missing else ""


def _is_public(wanted: Attributes) -> bool:
    return wanted.verb == "get" and any(wanted.path == path or wanted.path.startswith(f"{path}/") for path in PUBLIC)


def rules_of(policy: Policy, user: User, namespace: str) -> list[Rule]:
    """Every rule that the user has in a namespace."""
    return [rule for binding in _bindings(policy, namespace, user) for rule in _rules(policy, binding, [])]


def role_rules(policy: Policy, reference: dict[str, Any], namespace: str) -> list[Rule] | None:
    """The rules of the role that a binding of `namespace` refers to, None when there is no such role.

    Those of a ClusterRole with an aggregationRule are looked up here; upstream's controller copies them into it.
    """
    cluster = reference.get("kind") == "ClusterRole"
    role = policy.find("clusterroles" if cluster else "roles", reference.get("name", ""), "" if cluster else namespace)
    if role is None:
        return None
    rules = list(role.get("rules") or ())
    aggregated = (role.get("aggregationRule") or {}).get("clusterRoleSelectors")
    if cluster and aggregated:
        chosen = [from_manifest(selector) for selector in aggregated]
        rules += [rule for other in policy.list("clusterroles") if other is not role
                  and any(selector.matches(meta.labels(other)) for selector in chosen)
                  for rule in other.get("rules") or ()]
    return rules


def matches(rule: Rule, wanted: Attributes) -> bool:
    """Whether one rule allows it."""
    if not _holds(rule.get("verbs"), wanted.verb):
        return False
    if wanted.path:
        return any(url in ("*", wanted.path) or (url.endswith("*") and wanted.path.startswith(url.rstrip("*")))
                   for url in rule.get("nonResourceURLs") or ())
    resources = rule.get("resources") or ()
    names = rule.get("resourceNames")
    return (_holds(rule.get("apiGroups"), wanted.group)
            and (_holds(resources, wanted.combined)
                 or bool(wanted.subresource and f"*/{wanted.subresource}" in resources))
            and (not names or wanted.name in names))


def not_covered(owned: Iterable[Rule], granted: Iterable[Rule]) -> list[Rule]:
    """The granted rules, each cut down to single ones, that nobody with the owned ones could use himself."""
    owned = list(owned)
    return [single for rule in granted for single in _singles(rule) if not any(_covers(own, single) for own in owned)]


def shown(rules: Iterable[Rule]) -> str:
    """Rules as upstream's messages list them."""
    names = {"apiGroups": "APIGroups", "resources": "Resources", "resourceNames": "ResourceNames",
             "nonResourceURLs": "NonResourceURLs", "verbs": "Verbs"}
    lines = []
    for rule in rules:
        fields = [f"{go}:[{' '.join(_quoted(value) for value in rule[name])}]"
                  for name, go in names.items() if rule.get(name)]
        lines.append("{" + ", ".join(fields) + "}")
    return "\n".join(lines)


def _quoted(text: str) -> str:
    return f'"{text}"'


def _holds(values: Iterable[str] | None, wanted: str) -> bool:
    values = values or ()
    return "*" in values or wanted in values


def _bindings(policy: Policy, namespace: str, user: User) -> Iterator[Manifest]:
    found = policy.list("clusterrolebindings")
    if namespace:
        found = found + policy.list("rolebindings", namespace)
    return (binding for binding in found
            if any(_names(subject, user, meta.namespace(binding)) for subject in binding.get("subjects") or ()))


def _names(subject: dict[str, Any], user: User, namespace: str) -> bool:
    kind, name = subject.get("kind"), subject.get("name", "")
    if kind == "User":
        return bool(name == user.name)
    if kind == "Group":
        return name in user.groups
    space = subject.get("namespace") or namespace
    return kind == "ServiceAccount" and bool(space) and user.name == f"{ACCOUNT_PREFIX}{space}:{name}"


def _rules(policy: Policy, binding: Manifest, missing: list[str]) -> list[Rule]:
    reference = binding.get("roleRef") or {}
    rules = role_rules(policy, reference, meta.namespace(binding))
    if rules is None:
        missing.append(f'{str(reference.get("kind", "")).lower()}.{GROUP} "{reference.get("name", "")}" not found')
    return rules or []


def _granted(binding: Manifest, user: User) -> str:
    reference = binding["roleRef"]
    subject = next(s for s in binding["subjects"] if _names(s, user, meta.namespace(binding)))
    where = f"{meta.name(binding)}/{meta.namespace(binding)}" if meta.namespace(binding) else meta.name(binding)
    who = f"{subject['name']}/{subject.get('namespace') or meta.namespace(binding)}" \
        if subject["kind"] == "ServiceAccount" else subject["name"]
    return (f'RBAC: allowed by {binding["kind"]} "{where}" of {reference["kind"]} "{reference["name"]}" to '
            f'{subject["kind"]} "{who}"')


def _joined(texts: list[str]) -> str:
    texts = list(dict.fromkeys(texts))
    return texts[0] if len(texts) == 1 else f"[{', '.join(texts)}]"


def _singles(rule: Rule) -> Iterator[Rule]:
    for verb in rule.get("verbs") or ():
        for group in rule.get("apiGroups") or ():
            for resource in rule.get("resources") or ():
                for name in rule.get("resourceNames") or (None,):
                    only = {"resourceNames": [name]} if name else {}
                    yield {"apiGroups": [group], "resources": [resource], "verbs": [verb], **only}
        for url in rule.get("nonResourceURLs") or ():
            yield {"nonResourceURLs": [url], "verbs": [verb]}


def _covers(own: Rule, single: Rule) -> bool:
    if not _holds(own.get("verbs"), single["verbs"][0]):
        return False
    if "nonResourceURLs" in single:
        url = single["nonResourceURLs"][0]
        return any(mine in ("*", url) or (mine.endswith("*") and url.startswith(mine.rstrip("*")))
                   for mine in own.get("nonResourceURLs") or ())
    resource, names = single["resources"][0], own.get("resourceNames")
    subresource = resource.partition("/")[2]
    return (_holds(own.get("apiGroups"), single["apiGroups"][0])
            and (_holds(own.get("resources"), resource)
                 or bool(subresource and f"*/{subresource}" in (own.get("resources") or ())))
            and (not names or set(single.get("resourceNames") or ("",)) <= set(names)))
