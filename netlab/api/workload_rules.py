"""What the kinds that make pods share: a selector, a pod template, replicas, shares of them."""

from __future__ import annotations

import re
from typing import Any

from netlab.api.object_rules import label_errors, not_negative, selector_errors, unchanged
from netlab.api.pod_defaults import default_pod_spec
from netlab.api.pod_rules import pod_spec_errors
from netlab.model import meta
from netlab.model.errors import FieldError, forbidden, invalid, not_supported, required
from netlab.model.meta import Manifest
from netlab.model.selectors import from_manifest

_NO_PERCENT = ("a valid percent string must be a numeric string followed by an ending '%' (e.g. '1%',  or '93%', "
               "regex used for validation is '[0-9]+%')")


def default_template(spec: dict[str, Any]) -> None:
    """Fills in the pod template of a workload's spec."""
    template = spec.setdefault("template", {})
    template.setdefault("metadata", {}).pop("creationTimestamp", None)
    default_pod_spec(template.setdefault("spec", {}))


def default_workload(manifest: Manifest) -> dict[str, Any]:
    """Fills in replicas and the template; gives the spec."""
    spec: dict[str, Any] = manifest.setdefault("spec", {})
    spec.setdefault("replicas", 1)
    default_template(spec)
    return spec


def workload_errors(new: Manifest, old: Manifest | None, *, empty_selector: str = "deployment",
                    owner: str = "ReplicaSet", volumes: frozenset[str] = frozenset()) -> list[FieldError]:
    """Everything wrong with replicas, selector and template.

    `empty_selector` and `owner` are how upstream's texts call the kind; Deployments and ReplicaSets share theirs.
    `volumes` are names that it adds to the volumes of its pods.
    """
    spec = meta.spec(new)
    errors = not_negative(spec, "replicas") + not_negative(spec, "minReadySeconds")
    errors += not_negative(spec, "revisionHistoryLimit")
    selector = spec.get("selector")
    labels = meta.labels(spec["template"])
    if selector is None:
        errors.append(required("spec.selector"))
    else:
        problems = selector_errors(selector, "spec.selector")
        errors += problems
        if not selector.get("matchLabels") and not selector.get("matchExpressions"):
            errors.append(invalid("spec.selector", selector, f"empty selector is invalid for {empty_selector}"))
        elif not problems and not from_manifest(selector).matches(labels):
            errors.append(invalid("spec.template.metadata.labels", labels,
                                  "`selector` does not match template `labels`"))
    errors += template_errors(spec["template"], "spec.template", ["Always"], volumes)
    if spec["template"]["spec"].get("activeDeadlineSeconds") is not None:
        errors.append(forbidden("spec.template.spec.activeDeadlineSeconds",
                                f"activeDeadlineSeconds in {owner} is not Supported"))
    if old is not None and selector is not None:
        errors += unchanged(selector, meta.spec(old).get("selector"), "spec.selector")
    return errors


def template_errors(template: dict[str, Any], path: str, policies: list[str],
                    volumes: frozenset[str] = frozenset()) -> list[FieldError]:
    """Everything wrong with a pod template; `policies` are the restart policies that its owner can work with.

    `volumes` are names that its owner adds to the volumes of its pods.
    """
    spec = template["spec"]
    errors = label_errors(meta.labels(template), f"{path}.metadata.labels")
    errors += pod_spec_errors(spec, f"{path}.spec", volumes)
    policy = spec.get("restartPolicy")
    if policy in ("Always", "Never", "OnFailure") and policy not in policies:
        where = f"{path}.spec.restartPolicy"
        known = ", ".join(f'"{name}"' for name in policies)
        errors.append(not_supported(where, policy, policies) if policies == ["Always"]
                      else required(where, f"valid values: {known}"))
    return errors


def share(value: Any) -> int:
    """The number in a count or a percentage; -1 when it is neither."""
    if isinstance(value, int):
        return value
    return int(value[:-1]) if re.fullmatch(r"[0-9]{1,9}%", value) else -1


def share_errors(value: Any, path: str) -> list[FieldError]:
    """What is wrong with a count of pods or a percentage."""
    if isinstance(value, int):
        return [invalid(path, value, "must be greater than or equal to 0")] if value < 0 else []
    return [] if share(value) >= 0 else [invalid(path, value, _NO_PERCENT)]
