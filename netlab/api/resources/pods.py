"""Pods: a sandbox with containers on one node."""

from __future__ import annotations

from typing import Any

from netlab.api.decode import copy
from netlab.api.pod_defaults import default_pod_spec, fill
from netlab.api.pod_rules import pod_spec_errors
from netlab.api.resource import Objects, Resource
from netlab.api.resources.pod_row import COLUMNS, row
from netlab.api.resources.priorities import prioritise
from netlab.api.service_accounts import give_token
from netlab.model import meta
from netlab.model.errors import FieldError, forbidden, forbidden_request
from netlab.model.meta import Manifest

_TOLERATIONS = ("node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable")
_FIXED = ("pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,"
          "`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),"
          "`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)")


def _default(pod: Manifest) -> None:
    spec = pod.setdefault("spec", {})
    default_pod_spec(spec)
    fill(spec, enableServiceLinks=True, serviceAccountName="default", serviceAccount="default")


def _prepare(registry: Objects, new: Manifest, old: Manifest | None) -> None:
    if old is not None:
        return
    tolerations = new["spec"].setdefault("tolerations", [])
    covered = {t.get("key") for t in tolerations}
    tolerations += [{"key": key, "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 300}
                    for key in _TOLERATIONS if not {key, None, ""} & covered]
    prioritise(registry, new)
    runtime = new["spec"].get("runtimeClassName")
    if runtime and registry.find("runtimeclasses", runtime) is None:
        raise forbidden_request("pods", meta.name(new), f'pod rejected: RuntimeClass "{runtime}" not found')
    new["status"] = {"phase": "Pending", "qosClass": qos_class(new["spec"])}
    if registry.issuer is not None:
        give_token(registry, new)


def qos_class(spec: dict[str, Any]) -> str:
    """Guaranteed, Burstable or BestEffort, from the containers' requests and limits of CPU and memory."""
    found = [c.get("resources") or {} for c in [*(spec.get("containers") or ()), *(spec.get("initContainers") or ())]]
    limits = [{k: v for k, v in (r.get("limits") or {}).items() if k in ("cpu", "memory")} for r in found]
    requests = [{k: v for k, v in (r.get("requests") or {}).items() if k in ("cpu", "memory")} for r in found]
    if not any(limits) and not any(requests):
        return "BestEffort"
    return "Guaranteed" if all(len(limit) == 2 and limit == ask
                               for limit, ask in zip(limits, requests, strict=True)) else "Burstable"


def _validate(new: Manifest, old: Manifest | None) -> list[FieldError]:
    errors = pod_spec_errors(new["spec"])
    if old is None or errors:
        return errors
    for field in ("containers", "initContainers"):
        if len(new["spec"].get(field) or ()) != len(old["spec"].get(field) or ()):
            return [forbidden(f"spec.{field}", "pod updates may not add or remove containers")]
    return [forbidden("spec", _FIXED)] if _fixed_part(new, old) != _fixed_part(old, old) else []


def _fixed_part(pod: Manifest, old: Manifest) -> dict[str, Any]:
    spec: dict[str, Any] = copy(pod["spec"])
    for field in ("containers", "initContainers"):
        for container in spec.get(field) or ():
            container.pop("image", None)
            container.pop("imagePullPolicy", None)
    for field in ("activeDeadlineSeconds", "ephemeralContainers"):
        spec.pop(field, None)
    before = old["spec"].get("tolerations") or []
    if all(t in (spec.get("tolerations") or []) for t in before):
        spec.pop("tolerations", None)
    if not old["spec"].get("nodeName"):  # binding to a node
        spec.pop("nodeName", None)
    return spec


PODS = Resource("pods", "Pod", short_names=("po",), categories=("all",),
                subresources=("status", "log", "exec", "attach", "portforward", "proxy", "binding", "eviction",
                             "ephemeralcontainers"),
                default=_default, prepare=_prepare, validate=_validate, columns=COLUMNS, row=row)
