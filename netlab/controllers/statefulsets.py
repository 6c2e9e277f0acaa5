"""StatefulSets: numbered pods, each with a name that stays, made and replaced in order."""

from __future__ import annotations

import re
from typing import Any

from netlab.api.registry import Registry
from netlab.controllers import ordinals
from netlab.controllers.ordinals import Action, Member, Wanted
from netlab.controllers.per_object import Name
from netlab.controllers.pod_owner import PodOwner
from netlab.controllers.pod_template import pod_from_template
from netlab.controllers.revisions import REVISION_LABEL, History, Revisions, template_of
from netlab.model import meta, pod_status
from netlab.model.meta import Manifest

POD_NAME, POD_INDEX = "statefulset.kubernetes.io/pod-name", "apps.kubernetes.io/pod-index"


class StatefulSets(PodOwner):
    """One look does what can be done at once: one pod in order, or all when the pods are managed in parallel."""

    name = "statefulsets"
    component = "statefulset-controller"
    also = ("controllerrevisions",)

    def __init__(self, registry: Registry) -> None:
        super().__init__(registry)
        self._revisions = Revisions(registry, hash_label="controller.kubernetes.io/hash")

    def changed(self) -> set[Name]:
        """Sets that were written, or one of their pods or revisions was."""
        return self.touched(self.pods, self._revisions.owned)

    def sync(self, namespace: str, name: str) -> float | None:
        """Goes one step on with one StatefulSet."""
        owner = self.registry.find("statefulsets", name, namespace)
        if owner is None:
            return None
        if meta.is_deleting(owner):
            return None
        self.pods.claim(owner, fits=lambda pod: ordinal_of(owner, pod) is not None)
        history = self._revisions.follow(owner)
        if history.present is None:
            self.write_status(owner, meta.status(owner) | {"collisionCount": history.collisions})
            return 0.0
        wanted = wanted_of(owner, history)
        members, _ = self._members(owner)
        failure = self._act(owner, history, members, ordinals.steps(
            wanted, {ordinal: member for ordinal, (member, _) in members.items()}))
        members, wait = self._members(owner)
        current = self._write(owner, wanted, [member for member, _ in members.values()],
                              [pod for _, pod in members.values()])
        self._revisions.clean_up(owner, history, {current, *(member.revision for member, _ in members.values())})
        return self.RETRY if failure else wait

    def _members(self, owner: Manifest) -> tuple[dict[int, tuple[Member, Manifest]], float | None]:
        """The set's pods by number, and the seconds until one of them counts as available."""
        least, now = int(meta.spec(owner).get("minReadySeconds") or 0), self.registry.clock()
        found, waits = {}, []
        for pod in self.pods.of(owner):
            ordinal = ordinal_of(owner, pod)
            if ordinal is None:
                continue
            left = pod_status.available_in(pod, least, now) if pod_status.phase(pod) == "Running" else None
            waits += [left] if left else []
            found[ordinal] = Member(meta.labels(pod).get(REVISION_LABEL, ""), available=left == 0.0,
                                    deleting=meta.is_deleting(pod), finished=pod_status.is_finished(pod)), pod
        return found, min(waits, default=None)

    def _act(self, owner: Manifest, history: History, members: dict[int, tuple[Member, Manifest]],
             actions: list[Action]) -> str:
        """Does it; gives the API's words when it refuses a pod."""
        name = meta.name(owner)
        failure = ""
        for action in actions:
            if action.verb == "create":
                revision = history.find(action.revision)
                template = template_of(revision) if revision else meta.spec(owner)["template"]
                failure = self.create_pods(
                    owner, [pod_of(owner, template, action)],
                    made=lambda pod: f"create Pod {pod} in StatefulSet {name} successful",
                    refused=lambda pod, text: f"create Pod {pod} in StatefulSet {name} failed error: {text}") or failure
                continue
            pod = members[action.ordinal][1]
            if action.verb == "replace":
                word = "Failed" if pod_status.phase(pod) == "Failed" else "Terminated"
                self.recorder.event(owner, "Warning", f"Recreating{word}Pod", f"StatefulSet {meta.namespace(owner)}/"
                                    f"{name} is recreating {word.lower()} Pod {meta.name(pod)}")
            self.delete_pods(owner, [pod], made=lambda pod: f"delete Pod {pod} in StatefulSet {name} successful")
        return failure

    def _write(self, owner: Manifest, wanted: Wanted, members: list[Member], pods: list[Manifest]) -> str:
        """Writes the status; gives the name of the revision that counts as the current one."""
        current = wanted.current
        updated = sum(member.revision == wanted.updated and not member.deleting for member in members)
        ready = sum(pod_status.phase(pod) == "Running" and pod_status.is_ready(pod) for pod in pods)
        if wanted.rolling and updated == ready == len(members) == wanted.replicas:
            current = wanted.updated
        status: dict[str, Any] = {
            "observedGeneration": meta.metadata(owner).get("generation", 1), "replicas": len(members),
            "readyReplicas": ready, "updatedReplicas": updated,
            "currentReplicas": sum(member.revision == current and not member.deleting for member in members),
            "currentRevision": current, "updateRevision": wanted.updated,
            "collisionCount": int(meta.status(owner).get("collisionCount") or 0),
            "availableReplicas": sum(member.available for member in members)}
        kept = ("replicas", "collisionCount", "availableReplicas")
        status = {key: value for key, value in status.items() if value or key in kept}
        if conditions := meta.status(owner).get("conditions"):
            status["conditions"] = conditions
        self.write_status(owner, status)
        return current


def wanted_of(owner: Manifest, history: History) -> Wanted:
    """What the set asks for, in numbers and revisions."""
    spec = meta.spec(owner)
    assert history.present is not None
    updated = meta.name(history.present)
    known = str(meta.status(owner).get("currentRevision") or "")
    strategy = spec.get("updateStrategy") or {}
    rolling = strategy.get("type", "RollingUpdate") == "RollingUpdate"
    return Wanted(
        int(spec.get("replicas", 1)), known if history.find(known) else updated, updated,
        start=int((spec.get("ordinals") or {}).get("start") or 0),
        partition=int((strategy.get("rollingUpdate") or {}).get("partition") or 0), rolling=rolling,
        parallel=spec.get("podManagementPolicy") == "Parallel")


def ordinal_of(owner: Manifest, pod: Manifest) -> int | None:
    """The pod's number in the set; None when its name is not of the set."""
    match = re.fullmatch(r"(.*)-([0-9]{1,9})", meta.name(pod))
    return int(match[2]) if match and match[1] == meta.name(owner) else None


def pod_of(owner: Manifest, template: dict[str, Any], action: Action) -> Manifest:
    """The pod of a number: its name is its hostname, its subdomain the set's Service, its claims have its number."""
    pod, name = pod_from_template(owner, template), f"{meta.name(owner)}-{action.ordinal}"
    data, spec, service = pod["metadata"], pod["spec"], meta.spec(owner).get("serviceName")
    del data["generateName"]
    data["name"] = name
    data["labels"] = {**(data.get("labels") or {}), POD_NAME: name, POD_INDEX: str(action.ordinal),
                      REVISION_LABEL: action.revision}
    spec["hostname"] = name
    if service:
        spec["subdomain"] = service
    claims = [meta.name(claim) for claim in meta.spec(owner).get("volumeClaimTemplates") or ()]
    if claims:
        others = [volume for volume in spec.get("volumes") or () if volume.get("name") not in claims]
        spec["volumes"] = [*({"name": claim, "persistentVolumeClaim": {"claimName": f"{claim}-{name}"}}
                             for claim in claims), *others]
    return pod
