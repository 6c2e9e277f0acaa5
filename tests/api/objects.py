"""Objects that the tests of the API start from."""

from datetime import UTC, datetime

from netlab.api.registry import Registry
from netlab.model.lab_spec import LabSpec
from netlab.store import Store

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def registry(**spec):
    return Registry(Store(), LabSpec(**spec), clock=lambda: NOW)


def service(name="web", *, ports=({"port": 80},), **spec):
    body = {"metadata": {"name": name, "namespace": "default"}, "spec": {"ports": [dict(p) for p in ports], **spec}}
    if not ports:
        del body["spec"]["ports"]
    return body


def pod(name="web", **spec):
    containers = spec.pop("containers", [{"name": "c", "image": "echo"}])
    return {"metadata": {"name": name, "namespace": "default", "labels": {"app": "web"}},
            "spec": {"containers": containers, **spec}}


def deployment(name="web", *, labels=None, **spec):
    template = {"metadata": {"labels": labels or {"app": "web"}}, "spec": pod()["spec"]}
    return {"metadata": {"name": name, "namespace": "default"},
            "spec": {"selector": {"matchLabels": {"app": "web"}}, "template": template, **spec}}


def claim(name="data", size="1Gi", **spec):
    return {"metadata": {"name": name},
            "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": size}}} | spec}


def job(name="web", *, policy="Never", **spec):
    return {"metadata": {"name": name, "namespace": "default"},
            "spec": {"template": {"spec": pod()["spec"] | {"restartPolicy": policy}}, **spec}}


def cron_job(name="web", schedule="*/5 * * * *", **spec):
    return {"metadata": {"name": name, "namespace": "default"},
            "spec": {"schedule": schedule, "jobTemplate": {"spec": job()["spec"]}, **spec}}
