"""Jobs: pods until enough have succeeded, or too many have failed."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from typing import Any

from netlab.api.job_rules import INDEXED
from netlab.api.registry import Registry
from netlab.api.resources.jobs import NAME as JOB_NAME
from netlab.controllers import job_state
from netlab.controllers.index import Index
from netlab.controllers.job_state import ENDS, TRACKING, Tally, is_tracked, with_condition
from netlab.controllers.per_object import Name
from netlab.controllers.pod_owner import PodOwner
from netlab.controllers.pod_template import pod_from_template
from netlab.controllers.victims import victims
from netlab.model import meta, pod_status
from netlab.model.errors import ApiError
from netlab.model.meta import Manifest

MANAGER = "kubernetes.io/job-controller"
BURST = 500  # pods made or deleted at one look, as upstream


class Jobs(PodOwner):
    """Every pod has a finalizer until its end is counted in the status, so none is lost and none counts twice."""

    name = "jobs"
    component = "job-controller"

    def __init__(self, registry: Registry) -> None:
        super().__init__(registry)
        self._tracked = Index(registry.store, "pods", _tracked_keys)

    def changed(self) -> set[Name]:
        """Jobs that were written, or one of their pods was; also those that are gone and have left pods."""
        names = self.touched(self.pods)
        for key in self._tracked.take_touched():
            if isinstance(key, tuple):
                names.add((key[0], key[1]))
        return names

    def sync(self, namespace: str, name: str) -> float | None:
        """Counts what has ended, then makes or deletes pods of one Job, or ends it."""
        job = self.registry.find("jobs", name, namespace)
        for pod in self._tracked.of((namespace, name)):
            owner = meta.controller_of(pod)
            if job is None or owner is None or owner["uid"] != meta.uid(job):
                self._release(pod)
        if job is None:
            return None
        pods = self.pods.claim(job)
        over = job_state.finished(job)
        if over or meta.is_deleting(job):
            for pod in pods:
                self._release(pod)
            return self._expire(job, over) if over and not meta.is_deleting(job) else None
        if meta.spec(job).get("managedBy", MANAGER) != MANAGER:
            return None
        status = self._start(job, dict(meta.status(job)))
        status = self._count(job, status, pods)
        return self._go_on(job, status)

    # Counting

    def _start(self, job: Manifest, status: dict[str, Any]) -> dict[str, Any]:
        suspended, now = bool(meta.spec(job).get("suspend")), self.registry.now()
        conditions = status.get("conditions") or []
        told = pod_status.condition(job, "Suspended").get("status") == "True"
        if suspended and not told:
            conditions = with_condition(conditions, "Suspended", "True", "JobSuspended", "Job suspended", now=now)
            status.pop("startTime", None)
            self.recorder.event(job, "Normal", "Suspended", "Job suspended")
        elif not suspended and told:
            conditions = with_condition(conditions, "Suspended", "False", "JobResumed", "Job resumed", now=now)
            self.recorder.event(job, "Normal", "Resumed", "Job resumed")
        if not suspended and not status.get("startTime"):
            status["startTime"] = now
        return status | ({"conditions": conditions} if conditions else {})

    def _count(self, job: Manifest, status: dict[str, Any], pods: list[Manifest]) -> dict[str, Any]:
        """Notes the pods that have ended, frees them, then counts them: in three writes, each of which may be the last
        one before the daemon ends.
        """
        notes = status.get("uncountedTerminatedPods") or {}
        noted = {field: list(notes.get(field) or ()) for field in ("succeeded", "failed")}
        seen = {uid for uids in noted.values() for uid in uids}
        counted = set()
        for pod in pods:
            if not is_tracked(pod) or meta.uid(pod) in seen:
                continue
            if pod_status.phase(pod) == "Succeeded":
                noted["succeeded"].append(meta.uid(pod))
                counted.add(job_state.index_of(pod))
            elif job_state.has_failed(pod):
                noted["failed"].append(meta.uid(pod))
        if not any(noted.values()):
            return status
        status["uncountedTerminatedPods"] = {field: uids for field, uids in noted.items() if uids}
        if meta.spec(job).get("completionMode") == INDEXED:
            limit = int(meta.spec(job).get("completions") or 0)
            done = job_state.parse_indexes(status.get("completedIndexes", ""), limit)
            done |= {index for index in counted if index is not None and index < limit}
            status["completedIndexes"] = job_state.show_indexes(done)
            noted["succeeded"] = []
        self.write_status(job, status)
        ended = {uid for uids in status["uncountedTerminatedPods"].values() for uid in uids}
        for pod in pods:
            if meta.uid(pod) in ended:
                self._release(pod)
        status = status | {"uncountedTerminatedPods": {}} | {
            field: int(status.get(field) or 0) + len(uids) for field, uids in noted.items()}
        if status.get("completedIndexes"):
            status["succeeded"] = len(job_state.parse_indexes(status["completedIndexes"], 1 << 31))
        return {key: value for key, value in status.items() if value or key not in ("failed", "succeeded")}

    def _release(self, pod: Manifest) -> None:
        """Takes the finalizer off, so that the pod may go."""
        current = self.registry.find("pods", meta.name(pod), meta.namespace(pod))
        if current is None or meta.uid(current) != meta.uid(pod) or not is_tracked(current):
            return
        rest = [finalizer for finalizer in current["metadata"]["finalizers"] if finalizer != TRACKING]
        self.registry.update("pods", current | {"metadata": current["metadata"] | {"finalizers": rest}})

    # Going on

    def _go_on(self, job: Manifest, status: dict[str, Any]) -> float | None:
        spec, now = meta.spec(job), self.registry.clock()
        pods = self.pods.of(job)
        active = [pod for pod in pods if pod_status.is_active(pod)]
        age = (now - meta.parse_time(status["startTime"])).total_seconds() if status.get("startTime") else 0.0
        tally = Tally(len(active), int(status.get("succeeded") or 0), int(status.get("failed") or 0),
                      job_state.restarts(active), age)
        conditions = status.get("conditions") or []
        reason = next((c["reason"] for c in conditions if c["type"] in ("FailureTarget", "SuccessCriteriaMet")), "") \
            or job_state.end_of(spec, tally)
        failure, wait = "", None
        if reason:
            self._delete(job, active)
        elif not meta.is_deleting(job):
            failure, wait = self._adjust(job, status, tally, active, pods)
            deadline = spec.get("activeDeadlineSeconds")
            if deadline is not None and not spec.get("suspend"):
                wait = min(wait if wait is not None else deadline, max(0.0, deadline - age))
        self._finish(job, status, reason)
        return self.RETRY if failure else wait

    def _adjust(self, job: Manifest, status: dict[str, Any], tally: Tally, active: list[Manifest],
                pods: list[Manifest]) -> tuple[str, float | None]:
        """Makes or deletes pods; gives the API's words when it refuses one, and the seconds until more may be made."""
        spec, now = meta.spec(job), self.registry.clock()
        if spec.get("suspend"):
            self._delete(job, active)
            return "", None
        wanted = job_state.wanted_active(spec, tally)
        if len(active) > wanted:
            self._delete(job, victims(active, min(len(active) - wanted, BURST), now))
            return "", None
        ending = sum(meta.is_deleting(pod) and not pod_status.is_finished(pod) for pod in pods)
        missing = wanted - len(active) - (ending if spec.get("podReplacementPolicy") == "Failed" else 0)
        if missing <= 0:
            return "", None
        delay = job_state.backoff(pods, now)
        if delay > 0:
            return "", delay
        indexes: Sequence[int | None] = [None] * min(missing, BURST)
        if spec.get("completionMode") == INDEXED:
            done = job_state.parse_indexes(status.get("completedIndexes", ""), 1 << 31)
            taken = done | {job_state.index_of(pod) for pod in active}
            indexes = [index for index in range(int(spec["completions"])) if index not in taken][:min(missing, BURST)]
        return self.create_pods(job, [pod_of(job, index) for index in indexes]), None

    def _delete(self, job: Manifest, pods: list[Manifest]) -> None:
        """Deletes pods that shall not count as failed, so they lose the finalizer first."""
        for pod in pods:
            self._release(pod)
            try:
                self.delete_pods(job, [pod])
            except ApiError as error:
                if error.code != 404:
                    raise

    def _finish(self, job: Manifest, status: dict[str, Any], reason: str) -> None:
        """Writes the status; a Job that ends does so when its last pod is gone."""
        now = self.registry.now()
        pods = self.pods.of(job)
        active = [pod for pod in pods if pod_status.is_active(pod)]
        terminating = sum(meta.is_deleting(pod) and not pod_status.is_finished(pod) for pod in pods)
        conditions = list(status.get("conditions") or ())
        last = ""
        if reason:
            first, last = ("SuccessCriteriaMet", "Complete") if reason == "CompletionsReached" else \
                ("FailureTarget", "Failed")
            conditions = with_condition(conditions, first, "True", reason, ENDS[reason], now=now)
            if terminating or active:
                last = ""
            else:
                conditions = with_condition(conditions, last, "True", reason, ENDS[reason], now=now)
        status |= {"active": len(active), "ready": sum(map(pod_status.is_ready, active)), "terminating": terminating,
                   "uncountedTerminatedPods": status.get("uncountedTerminatedPods") or {}, "conditions": conditions}
        if last == "Complete":
            status["completionTime"] = now
        kept = ("ready", "terminating", "uncountedTerminatedPods")
        self.write_status(job, {key: value for key, value in status.items() if value or key in kept})
        if last == "Complete":
            self.recorder.event(job, "Normal", "Completed", "Job completed")
        elif last:
            self.recorder.event(job, "Warning", reason, ENDS[reason])

    def _expire(self, job: Manifest, over: dict[str, Any]) -> float | None:
        """Deletes a Job whose ttlSecondsAfterFinished is over; else gives the seconds until then."""
        seconds = meta.spec(job).get("ttlSecondsAfterFinished")
        if seconds is None:
            return None
        left = seconds - (self.registry.clock() - meta.parse_time(over["lastTransitionTime"])).total_seconds()
        if left > 0:
            return float(left)
        self.registry.delete("jobs", meta.name(job), namespace=meta.namespace(job), propagation="Foreground")
        return None


def pod_of(job: Manifest, index: int | None) -> Manifest:
    """A pod of the Job; with an index, which is in its name, its hostname and its environment, when it is indexed."""
    pod = pod_from_template(job)
    data, spec = pod["metadata"], pod["spec"]
    data["finalizers"] = [*(data.get("finalizers") or ()), TRACKING]
    if index is None:
        return pod
    base = f"{meta.name(job)}-{index}"
    data |= {"generateName": f"{base}-", "labels": {**(data.get("labels") or {}), job_state.INDEX: str(index)},
             "annotations": {**(data.get("annotations") or {}), job_state.INDEX: str(index)}}
    spec["hostname"] = base
    variable = {"name": "JOB_COMPLETION_INDEX", "valueFrom": {"fieldRef": {
        "fieldPath": f"metadata.labels['{job_state.INDEX}']"}}}
    for field in ("initContainers", "containers"):
        for container in spec.get(field) or ():
            if not any(each.get("name") == variable["name"] for each in container.get("env") or ()):
                container["env"] = [*(container.get("env") or ()), variable]
    return pod


def _tracked_keys(pod: Manifest) -> Iterator[Hashable]:
    if is_tracked(pod):  # without an owner as well: an orphan must not be held for ever
        owner = meta.controller_of(pod)
        yield meta.namespace(pod), str(owner.get("name")) if owner else meta.labels(pod).get(JOB_NAME, "")
