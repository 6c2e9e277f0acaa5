"""Nobody may give by a role or binding what he has not himself.

Source: pkg/registry/rbac/{role,rolebinding}/policybased.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from netlab.api import rbac
from netlab.api.attributes import Attributes
from netlab.api.users import User
from netlab.model import meta
from netlab.model.errors import forbidden_request, not_found
from netlab.model.meta import Manifest

if TYPE_CHECKING:
    from netlab.api.registry import Registry


def check(registry: Registry, user: User, plural: str, new: Manifest) -> None:
    """Nothing when the user may store this role or binding; ApiError 403 with the rules that he has not."""
    space, name = meta.namespace(new), meta.name(new)
    old = registry.find(plural, name, space)
    if plural in ("roles", "clusterroles"):
        fields = ("rules", "aggregationRule")
        if old is not None and all(old.get(field) == new.get(field) for field in fields):
            return
        granted, verb, role = list(new.get("rules") or ()), "escalate", (plural, name)
        if new.get("aggregationRule"):  # it takes in rules of others, now and later
            granted.append({"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]})
    else:
        if old is not None and (old.get("subjects"), old["roleRef"]) == (new.get("subjects"), new["roleRef"]):
            return
        reference = new["roleRef"]
        role = ("clusterroles" if reference["kind"] == "ClusterRole" else "roles", reference["name"])
        found = rbac.role_rules(registry, reference, space)
        if found is None:
            raise not_found(*role, rbac.GROUP)
        granted, verb = found, "bind"
    allowed, _ = rbac.decide(registry, user, Attributes(verb, rbac.GROUP, role[0], namespace=space, name=role[1]))
    missing = [] if allowed else rbac.not_covered(rbac.rules_of(registry, user, space), granted)
    if missing:
        groups = " ".join(f'"{group}"' for group in user.groups)
        raise forbidden_request(plural, name, f'user "{user.name}" (groups=[{groups}]) is attempting to grant RBAC '
                                f"permissions not currently held:\n{rbac.shown(missing)}", rbac.GROUP)
