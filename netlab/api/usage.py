"""What an object counts for in a ResourceQuota. Source: k8s.io/kubernetes/pkg/quota/v1/evaluator/core."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from fractions import Fraction
from typing import Any

from netlab.api import pod_resources
from netlab.api.resource import Resource
from netlab.model import meta
from netlab.model.errors import qualified
from netlab.model.meta import Manifest
from netlab.model.quantity import Amounts, Quantity, parse_all

NAMED = ("configmaps", "persistentvolumeclaims", "pods", "replicationcontrollers", "resourcequotas", "secrets",
         "services")  # those that a quota may name without `count/`
COMPUTE = ("cpu", "ephemeral-storage", "limits.cpu", "limits.ephemeral-storage", "limits.memory", "memory",
           "requests.cpu", "requests.ephemeral-storage", "requests.memory")
_MUST_BE_TOLD = frozenset({"cpu", "memory", "requests.cpu", "requests.memory", "limits.cpu", "limits.memory"})
STANDARD = frozenset({*NAMED, *COMPUTE, "requests.storage", "services.loadbalancers", "services.nodeports"})


def usage(kind: Resource, manifest: Manifest) -> Amounts:
    """What one object uses, by the names that a quota limits it by."""
    found = {f"count/{qualified(kind.plural, kind.group)}": _number(1)}
    if kind.key == "pods":
        return found | pod_usage(manifest)
    if kind.plural in NAMED and not kind.group:
        found[kind.plural] = _number(1)
    if kind.key == "services":
        found |= _service(meta.spec(manifest))
    if kind.key == "persistentvolumeclaims":
        found |= _claim(meta.spec(manifest))
    return found


def pod_usage(pod: Manifest) -> Amounts:
    """What a pod uses while it has not ended."""
    if meta.status(pod).get("phase") in ("Failed", "Succeeded"):
        return {}
    return {"pods": _number(1)} | _compute(pod_resources.total(meta.spec(pod), "requests"),
                                           pod_resources.total(meta.spec(pod), "limits"))


def _compute(requests: Amounts, limits: Amounts) -> Amounts:
    found = {f"limits.{name}": amount for name, amount in limits.items()}
    for name, amount in requests.items():
        found[f"requests.{name}"] = amount
        if name in ("cpu", "memory", "ephemeral-storage"):
            found[name] = amount
    return found


def _service(spec: Mapping[str, Any]) -> Amounts:
    ports, form = spec.get("ports") or [], spec.get("type")
    given = len(ports) if form == "NodePort" else 0
    if form == "LoadBalancer":
        given = len(ports) if spec.get("allocateLoadBalancerNodePorts") is not False else \
            sum(1 for port in ports if port.get("nodePort"))
    return {"services.nodeports": _number(given), "services.loadbalancers": _number(int(form == "LoadBalancer"))}


def _claim(spec: Mapping[str, Any]) -> Amounts:
    asked = parse_all((spec.get("resources") or {}).get("requests")).get("storage")
    name = spec.get("storageClassName")
    prefix = f"{name}.storageclass.storage.k8s.io"
    found = {"requests.storage": asked} if asked else {}
    if name:
        found[f"{prefix}/persistentvolumeclaims"] = _number(1)
        found |= {f"{prefix}/requests.storage": asked} if asked else {}
    return found


def untold(pod: Manifest, limited: Iterable[str]) -> str:
    """What the pod's containers must say for a quota that limits it: "" when they say it all."""
    missing: dict[str, list[str]] = {}
    for container in pod_resources.containers(meta.spec(pod)):
        told = _compute(pod_resources.amounts(container, "requests"), pod_resources.amounts(container, "limits"))
        for name in _MUST_BE_TOLD.intersection(limited) - told.keys():
            missing.setdefault(name, []).append(container["name"])
    return "; ".join(f"{name} for: {','.join(sorted(missing[name]))}" for name in sorted(missing))


def in_scope(quota: Manifest, kind: Resource, manifest: Manifest) -> bool:
    """Whether the quota's scopes choose the object; with scopes it is about pods only."""
    spec = meta.spec(quota)
    terms = [{"scopeName": scope, "operator": "Exists"} for scope in spec.get("scopes") or ()]
    terms += (spec.get("scopeSelector") or {}).get("matchExpressions") or []
    return not terms or (kind.key == "pods" and all(_holds(term, manifest) for term in terms))


def _holds(term: Mapping[str, Any], pod: Manifest) -> bool:
    spec = meta.spec(pod)
    name, operator = str(term.get("scopeName")), str(term.get("operator"))
    if name in ("Terminating", "NotTerminating"):
        return bool((spec.get("activeDeadlineSeconds") is not None) == (name == "Terminating"))
    if name in ("BestEffort", "NotBestEffort"):
        best = not any(pod_resources.amounts(c, field).keys() & {"cpu", "memory"}
                       for c in pod_resources.containers(spec) for field in ("requests", "limits"))
        return best == (name == "BestEffort")
    if name == "PriorityClass":
        priority, values = str(spec.get("priorityClassName") or ""), list(term.get("values") or [])
        return {"In": priority in values, "NotIn": priority not in values, "Exists": bool(priority),
                "DoesNotExist": not priority}.get(operator, False)
    return False


def _number(value: int) -> Quantity:
    return Quantity(Fraction(value))
