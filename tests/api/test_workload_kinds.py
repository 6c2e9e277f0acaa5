"""StatefulSets, DaemonSets, Jobs and CronJobs: defaults, rules in upstream's words, printed rows."""

import pytest

from netlab.api.resources import RESOURCES
from netlab.model.errors import ApiError
from tests.api.objects import NOW, claim, cron_job, deployment, job, registry


def create(plural, manifest):
    return registry().create(plural, manifest)


def row(plural, manifest, status):
    made = create(plural, manifest) | {"status": status}
    cells = RESOURCES[plural].row(made, NOW)
    assert len(cells) == len(RESOURCES[plural].columns)
    return [cell for cell, column in zip(cells, RESOURCES[plural].columns, strict=True) if column.name != "Age"]


UID = "batch.kubernetes.io/controller-uid"


@pytest.mark.parametrize(("plural", "manifest", "status", "cells"), [
    ("statefulsets", deployment(replicas=3), {"readyReplicas": 1}, ["web", "1/3", "c", "echo"]),
    ("daemonsets", deployment(), {"desiredNumberScheduled": 3, "currentNumberScheduled": 2, "numberReady": 1,
                                  "updatedNumberScheduled": 2, "numberAvailable": 1},
     ["web", 3, 2, 1, 2, 1, "<none>", "c", "echo", "app=web"]),
    ("jobs", job(manualSelector=True, selector={}), {}, ["web", "Running", "0/1", "", "c", "echo", "<none>"]),
    ("jobs", job(manualSelector=True, selector={}, completions=4), {
        "startTime": "2026-01-02T03:03:05Z", "succeeded": 2}, ["web", "Running", "2/4", "60s", "c", "echo", "<none>"]),
    ("jobs", job(manualSelector=True, selector={}, parallelism=3), {
        "startTime": "2026-01-02T03:03:05Z", "completionTime": "2026-01-02T03:03:10Z", "succeeded": 1,
        "conditions": [{"type": "Complete", "status": "True"}]},
     ["web", "Complete", "1/1 of 3", "5s", "c", "echo", "<none>"]),
    ("jobs", job(manualSelector=True, selector={}), {"conditions": [{"type": "Failed", "status": "True"}]},
     ["web", "Failed", "0/1", "", "c", "echo", "<none>"]),
    ("jobs", job(manualSelector=True, selector={}), {"conditions": [{"type": "Suspended", "status": "True"}]},
     ["web", "Suspended", "0/1", "", "c", "echo", "<none>"]),
    ("cronjobs", cron_job(), {}, ["web", "*/5 * * * *", "<none>", "False", 0, "<none>", "c", "echo", "<none>"]),
    ("cronjobs", cron_job(suspend=True, timeZone="Europe/Berlin"), {
        "active": [{"name": "a"}], "lastScheduleTime": "2026-01-02T03:02:05Z"},
     ["web", "*/5 * * * *", "Europe/Berlin", "True", 1, "2m", "c", "echo", "<none>"]),
])
def test_rows_of_workloads_as_kubectl_prints_them(plural, manifest, status, cells):
    assert row(plural, manifest, status) == cells


def test_a_revision_says_whose_it_is():
    owner = {"apiVersion": "apps/v1", "kind": "StatefulSet", "name": "web", "uid": "1", "controller": True}
    made = create("controllerrevisions", {"metadata": {"name": "web-1", "ownerReferences": [owner]}, "data": {"a": {}},
                                          "revision": 2})
    assert RESOURCES["controllerrevisions"].row(made, NOW)[:3] == ["web-1", "statefulset.apps/web", 2]


def test_what_a_stateful_set_leaves_open_is_filled_in():
    spec = create("statefulsets", deployment(volumeClaimTemplates=[claim()]))["spec"]
    assert {key: spec[key] for key in ("replicas", "podManagementPolicy", "updateStrategy", "revisionHistoryLimit",
                                       "persistentVolumeClaimRetentionPolicy")} == {
        "replicas": 1, "podManagementPolicy": "OrderedReady", "revisionHistoryLimit": 10,
        "updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"partition": 0}},
        "persistentVolumeClaimRetentionPolicy": {"whenDeleted": "Retain", "whenScaled": "Retain"}}
    (filled,) = spec["volumeClaimTemplates"]
    assert (filled["kind"], filled["spec"]["volumeMode"], filled["status"]) == (
        "PersistentVolumeClaim", "Filesystem", {"phase": "Pending"})


def test_a_job_selects_its_own_pods_by_its_uid():
    made = create("jobs", job())
    uid = made["metadata"]["uid"]
    assert made["spec"]["selector"] == {"matchLabels": {UID: uid}}
    assert made["spec"]["template"]["metadata"]["labels"] == {
        UID: uid, "controller-uid": uid, "batch.kubernetes.io/job-name": "web", "job-name": "web"}
    assert {key: made["spec"][key] for key in ("completions", "parallelism", "backoffLimit", "completionMode",
                                               "suspend", "podReplacementPolicy")} == {
        "completions": 1, "parallelism": 1, "backoffLimit": 6, "completionMode": "NonIndexed", "suspend": False,
        "podReplacementPolicy": "TerminatingOrFailed"}
    queue = create("jobs", job(parallelism=3))["spec"]
    assert ("completions" in queue, queue["parallelism"]) == (False, 3)


def test_a_cron_jobs_template_is_left_to_the_jobs_defaults():
    spec = create("cronjobs", cron_job())["spec"]
    assert "completions" not in spec["jobTemplate"]["spec"]
    assert (spec["concurrencyPolicy"], spec["suspend"], spec["successfulJobsHistoryLimit"],
            spec["failedJobsHistoryLimit"]) == ("Allow", False, 3, 1)


@pytest.mark.parametrize(("plural", "manifest", "text"), [
    ("statefulsets", deployment(selector={}), "spec.selector: Invalid value: {}: empty selector is invalid for "
                                              "statefulset"),
    ("statefulsets", deployment(podManagementPolicy="x"), 'spec.podManagementPolicy: Invalid value: "x": must be '
                                                          "'OrderedReady' or 'Parallel'"),
    ("statefulsets", deployment(updateStrategy={"type": "OnDelete", "rollingUpdate": {"partition": 1}}),
     'spec.updateStrategy.rollingUpdate: Invalid value: {"partition":1}: only allowed for updateStrategy '
     "'RollingUpdate'"),
    ("statefulsets", deployment(updateStrategy={"rollingUpdate": {"partition": -1}}),
     "spec.updateStrategy.rollingUpdate.partition: Invalid value: -1: must be greater than or equal to 0"),
    ("statefulsets", deployment(volumeClaimTemplates=[claim(accessModes=[])]),
     "spec.volumeClaimTemplates[0].spec.accessModes: Required value: at least 1 access mode is required"),
    ("statefulsets", deployment(volumeClaimTemplates=[claim(size="0")]),
     'spec.volumeClaimTemplates[0].spec.resources[storage]: Invalid value: "0": must be greater than zero'),
    ("daemonsets", deployment(selector={}), "spec.selector: Invalid value: {}: empty selector is invalid for "
                                            "daemonset"),
    ("daemonsets", deployment(updateStrategy={"type": "Recreate"}),
     'spec.updateStrategy: Unsupported value: "Recreate": supported values: "OnDelete", "RollingUpdate"'),
    ("daemonsets", deployment(updateStrategy={"rollingUpdate": {"maxUnavailable": 0}}),
     "spec.updateStrategy.rollingUpdate.maxUnavailable: Required value: cannot be 0 when maxSurge is 0"),
    ("daemonsets", deployment(updateStrategy={"rollingUpdate": {"maxSurge": 1}}),
     "spec.updateStrategy.rollingUpdate.maxSurge: Invalid value: 1: may not be set when maxUnavailable is non-zero"),
    ("jobs", job(policy="Always"), "spec.template.spec.restartPolicy: Required value: valid values: \"OnFailure\", "
                                   '"Never"'),
    ("jobs", job(backoffLimit=-1), "spec.backoffLimit: Invalid value: -1: must be greater than or equal to 0"),
    ("jobs", job(parallelism=1, completionMode="Indexed"),
     "spec.completions: Required value: when completion mode is Indexed"),
    ("jobs", job(selector={"matchLabels": {"a": "b"}}),
     "spec.template.metadata.labels: Invalid value: {"),
    ("cronjobs", cron_job("a" * 53), f'metadata.name: Invalid value: "{"a" * 53}": must be no more than 52 characters'),
    ("cronjobs", cron_job(schedule=""), "spec.schedule: Required value"),
    ("cronjobs", cron_job(schedule="TZ=UTC * * * * *"), 'spec.schedule: Invalid value: "TZ=UTC * * * * *": cannot use '
                                                        "TZ or CRON_TZ in schedule, use timeZone field instead"),
    ("cronjobs", cron_job(concurrencyPolicy="x"), 'spec.concurrencyPolicy: Unsupported value: "x": supported values: '
                                                  '"Allow", "Forbid", "Replace"'),
    ("cronjobs", cron_job(timeZone="../etc/passwd"), 'spec.timeZone: Invalid value: "../etc/passwd": unknown time zone '
                                                     "../etc/passwd"),
    ("controllerrevisions", {"metadata": {"name": "a", "namespace": "default"}}, "data: Required value: data is "
                                                                                 "mandatory"),
])
def test_what_is_wrong_with_a_workload_is_said_in_upstreams_words(plural, manifest, text):
    with pytest.raises(ApiError) as caught:
        create(plural, manifest)
    assert caught.value.code == 422
    assert text in caught.value.message


def test_a_mounted_claim_needs_no_volume_of_the_template():
    manifest = deployment(volumeClaimTemplates=[claim()])
    container = manifest["spec"]["template"]["spec"]["containers"][0]
    manifest["spec"]["template"]["spec"]["containers"] = [container | {
        "volumeMounts": [{"name": "data", "mountPath": "/data"}]}]
    assert create("statefulsets", manifest)
    with pytest.raises(ApiError, match='Not found: "data"'):
        create("deployments", {**manifest, "spec": {k: v for k, v in manifest["spec"].items()
                                                    if k != "volumeClaimTemplates"}})


@pytest.mark.parametrize(("plural", "manifest", "patch", "text"), [
    ("statefulsets", deployment(), {"serviceName": "other"}, "updates to statefulset spec for fields other than"),
    ("daemonsets", deployment(), {"selector": {"matchLabels": {"app": "x"}}}, "field is immutable"),
    ("jobs", job(), {"completions": 2}, "spec.completions: Invalid value: 2: field is immutable"),
    ("jobs", job(), {"template": {"spec": {"restartPolicy": "OnFailure"}}}, "spec.template: Invalid value"),
])
def test_what_is_fixed_cannot_be_changed(plural, manifest, patch, text):
    r = registry()
    r.create(plural, manifest)
    with pytest.raises(ApiError) as caught:
        r.patch(plural, "web", {"spec": patch}, namespace="default")
    assert text in caught.value.message


@pytest.mark.parametrize(("plural", "manifest", "patch"), [
    ("statefulsets", deployment(), {"replicas": 5, "minReadySeconds": 3}),
    ("daemonsets", deployment(), {"updateStrategy": {"rollingUpdate": {"maxUnavailable": "50%"}}}),
    ("jobs", job(), {"parallelism": 0, "suspend": True, "activeDeadlineSeconds": 5}),
    ("jobs", job(suspend=True), {"template": {"spec": {"nodeSelector": {"a": "b"}}}}),
    ("jobs", job(completionMode="Indexed", completions=2, parallelism=2), {"completions": 4, "parallelism": 4}),
])
def test_what_may_change_does(plural, manifest, patch):
    r = registry()
    old = r.create(plural, manifest)
    assert r.patch(plural, "web", {"spec": patch}, namespace="default")["metadata"]["generation"] == \
        old["metadata"]["generation"] + 1
