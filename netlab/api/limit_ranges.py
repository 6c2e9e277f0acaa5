"""LimitRanges at admission: defaults for containers, and what is out of range is refused.

Source: k8s.io/kubernetes/plugin/pkg/admission/limitranger.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from netlab.api import pod_resources
from netlab.api.resource import Objects, Resource
from netlab.model import meta
from netlab.model.errors import forbidden_request
from netlab.model.meta import Manifest
from netlab.model.quantity import Amounts, Quantity, parse_all

ANNOTATION = "kubernetes.io/limit-ranger"


def fill(registry: Objects, kind: Resource, new: Manifest, old: Manifest | None) -> None:
    """Gives the containers of a new pod the requests and limits that they do not say."""
    if kind.key != "pods" or old is not None:
        return
    told: list[str] = []
    for limits in registry.list("limitranges", meta.namespace(new)):
        items = [item for item in meta.spec(limits).get("limits") or () if item.get("type") == "Container"]
        for field, shown in (("initContainers", "init container"), ("containers", "container")):
            for container in meta.spec(new).get(field) or ():
                told += _filled(container, items, shown)
    if told:
        notes = new["metadata"].setdefault("annotations", {})
        notes[ANNOTATION] = "LimitRanger plugin set: " + "; ".join(told)


def _filled(container: dict[str, Any], items: list[dict[str, Any]], shown: str) -> Iterator[str]:
    resources = container.setdefault("resources", {})
    for field, source in (("requests", "defaultRequest"), ("limits", "default")):
        given = {name: text for item in items for name, text in (item.get(source) or {}).items()}
        missing = sorted(given.keys() - (resources.get(field) or {}).keys())
        if missing:
            resources[field] = {**(resources.get(field) or {}), **{name: given[name] for name in missing}}
            yield f"{', '.join(missing)} {field.removesuffix('s')} for {shown} {container['name']}"


def check(registry: Objects, kind: Resource, new: Manifest, old: Manifest | None) -> None:
    """Nothing when the object is within every LimitRange; ApiError 403 with all that is not."""
    if kind.key not in ("pods", "persistentvolumeclaims") or (kind.key == "pods" and old is not None):
        return
    problems = [problem for limits in registry.list("limitranges", meta.namespace(new))
                for item in meta.spec(limits).get("limits") or () for problem in _problems(kind, new, item)]
    if problems:
        text = problems[0] if len(problems) == 1 else f"[{', '.join(problems)}]"
        raise forbidden_request(kind.plural, meta.name(new), text, kind.group)


def _problems(kind: Resource, new: Manifest, item: Mapping[str, Any]) -> Iterator[str]:
    spec, about = meta.spec(new), item.get("type")
    if kind.key == "persistentvolumeclaims":
        if about == "PersistentVolumeClaim":
            yield from _claim_problems(parse_all((spec.get("resources") or {}).get("requests")), item)
    elif about == "Container":
        for container in pod_resources.containers(spec):
            yield from _out_of_range(item, *(pod_resources.amounts(container, f) for f in ("requests", "limits")))
    elif about == "Pod":
        yield from _out_of_range(item, pod_resources.total(spec, "requests"), pod_resources.total(spec, "limits"))


def _claim_problems(requests: Amounts, item: Mapping[str, Any]) -> Iterator[str]:
    for field, word in (("min", "minimum"), ("max", "maximum")):
        for name, bound in sorted(parse_all(item.get(field)).items()):
            start = f"{word} {name} usage per PersistentVolumeClaim is {bound}"
            if name not in requests:
                yield f"{start}.  No request is specified"
            elif _beyond(field, requests[name], bound):
                yield f"{start}, but request is {requests[name]}"


def _beyond(field: str, amount: Quantity, bound: Quantity) -> bool:
    return amount.value < bound.value if field == "min" else amount.value > bound.value


def _out_of_range(item: Mapping[str, Any], requests: Amounts, limits: Amounts) -> Iterator[str]:
    about = item["type"]
    for field, word, first in (("min", "minimum", "request"), ("max", "maximum", "limit")):
        named = {"request": requests, "limit": limits}
        for name, bound in sorted(parse_all(item.get(field)).items()):
            start = f"{word} {name} usage per {about} is {bound}"
            if name not in named[first]:
                yield f"{start}.  No {first} is specified"
                continue
            for which in (first, "limit" if first == "request" else "request"):
                amount = named[which].get(name)
                if amount is not None and _beyond(field, amount, bound):
                    yield f"{start}, but {which} is {amount}"
                    break
    for name, bound in sorted(parse_all(item.get("maxLimitRequestRatio")).items()):
        start = f"{name} max limit to request ratio per {about} is {bound}"
        request, limit = requests.get(name), limits.get(name)
        if request is None or limit is None or not request.value or not limit.value:
            yield f"{start}, but no request is specified or request is 0" if not (request and request.value) else \
                f"{start}, but no limit is specified or limit is 0"
        elif limit.value / request.value > bound.value:
            yield f"{start}, but provided ratio is {float(limit.value / request.value):f}"
