"""ResourceQuotas at admission: what would exceed one is refused.

Source: k8s.io/apiserver/pkg/admission/plugin/resourcequota.
"""

from __future__ import annotations

from netlab.api import usage
from netlab.api.resource import Objects, Resource
from netlab.model import meta
from netlab.model.errors import forbidden_request, qualified
from netlab.model.meta import Manifest
from netlab.model.quantity import ZERO, Amounts, parse_all, plus, shown


def check(registry: Objects, kind: Resource, new: Manifest, old: Manifest | None) -> None:
    """Nothing when every quota of the namespace has room; ApiError 403 when one has not."""
    if not kind.namespaced or not (quotas := registry.list("resourcequotas", meta.namespace(new))):
        return
    before = usage.usage(kind, old) if old is not None else {}
    wanted = usage.usage(kind, new)
    extra = {name: amount - before.get(name, ZERO) for name, amount in wanted.items()}
    extra = {name: amount for name, amount in extra.items() if amount.value > 0}
    for quota in quotas:
        limited = parse_all(meta.spec(quota).get("hard"))
        if not usage.in_scope(quota, kind, new):
            continue
        if kind.key == "pods" and old is None and (missing := usage.untold(new, limited)):
            raise forbidden_request(kind.plural, meta.name(new),
                                    f"failed quota: {meta.name(quota)}: must specify {missing}", kind.group)
        asked = {name: amount for name, amount in extra.items() if name in limited}
        used = used_of(registry, quota, set(asked)) if asked else {}
        over = [name for name, amount in asked.items()
                if (used.get(name, ZERO) + amount).value > limited[name].value]
        if over:
            texts = [shown({name: found.get(name, ZERO) for name in over}) for found in (asked, used, limited)]
            raise forbidden_request(kind.plural, meta.name(new), "exceeded quota: {}, requested: {}, used: {}, "
                                    "limited: {}".format(meta.name(quota), *texts), kind.group)


def used_of(registry: Objects, quota: Manifest, names: set[str]) -> Amounts:
    """How much of these names the objects of the quota's namespace use."""
    found = dict.fromkeys(names, ZERO)
    for kind in registry.kinds():
        if not kind.namespaced or not _counts(kind, names):
            continue
        for manifest in registry.list(kind.key, meta.namespace(quota)):
            if usage.in_scope(quota, kind, manifest):
                amounts = usage.usage(kind, manifest)
                found = plus(found, {name: amounts[name] for name in names & amounts.keys()})
    return found


def _counts(kind: Resource, names: set[str]) -> bool:
    if f"count/{qualified(kind.plural, kind.group)}" in names:
        return True
    if kind.group:
        return False
    if kind.key == "pods":
        return any(name == "pods" or name in usage.COMPUTE or name.startswith(("requests.", "limits."))
                   for name in names)
    return any(name == kind.plural or name.startswith(f"{kind.plural}.") for name in names) or (
        kind.key == "persistentvolumeclaims" and any("storage" in name or name.endswith(kind.plural)
                                                        for name in names))
