"""What Deployments and ReplicaSets share: a selector, a pod template, replicas."""

from __future__ import annotations

from typing import Any

from netlab.api.object_rules import label_errors, not_negative, selector_errors, unchanged
from netlab.api.pod_defaults import default_pod_spec
from netlab.api.pod_rules import pod_spec_errors
from netlab.model import meta
from netlab.model.errors import FieldError, invalid, not_supported, required
from netlab.model.meta import Manifest
from netlab.model.selectors import from_manifest


def default_workload(manifest: Manifest) -> dict[str, Any]:
    """Fills in replicas and the template; gives the spec."""
    spec: dict[str, Any] = manifest.setdefault("spec", {})
    spec.setdefault("replicas", 1)
    template = spec.setdefault("template", {})
    template.setdefault("metadata", {}).pop("creationTimestamp", None)
    default_pod_spec(template.setdefault("spec", {}))
    return spec


def workload_errors(new: Manifest, old: Manifest | None) -> list[FieldError]:
    """Everything wrong with replicas, selector and template."""
    spec = meta.spec(new)
    errors = not_negative(spec, "replicas") + not_negative(spec, "minReadySeconds")
    selector = spec.get("selector")
    template = spec["template"]
    labels = meta.labels(template)
    if selector is None:
        errors.append(required("spec.selector"))
    else:
        problems = selector_errors(selector, "spec.selector")
        errors += problems
        if not selector.get("matchLabels") and not selector.get("matchExpressions"):
            errors.append(invalid("spec.selector", selector, "empty selector is invalid for deployment"))
        elif not problems and not from_manifest(selector).matches(labels):
            errors.append(invalid("spec.template.metadata.labels", labels,
                                  "`selector` does not match template `labels`"))
    errors += label_errors(labels, "spec.template.metadata.labels")
    errors += pod_spec_errors(template["spec"], "spec.template.spec")
    if template["spec"].get("restartPolicy") in ("Never", "OnFailure"):
        errors.append(not_supported("spec.template.spec.restartPolicy", template["spec"]["restartPolicy"], ["Always"]))
    if old is not None and selector is not None:
        errors += unchanged(selector, meta.spec(old).get("selector"), "spec.selector")
    return errors
