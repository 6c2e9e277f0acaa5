"""Deployments and ReplicaSets in a lab roll, stall, adopt and let go as on a cluster."""


import pytest

from netlab.server.client import MERGE_PATCH, STRATEGIC_PATCH
from tests.lab.in_lab import InLab

pytestmark = pytest.mark.lab

APPS, CORE = "/apis/apps/v1/namespaces/default", "/api/v1/namespaces/default"


class Deployments(InLab):
    def deploy(self, name, replicas=3, image="nginx", strategy=None, container=None, **spec):
        labels = {"app": name}
        template = {"metadata": {"labels": labels}, "spec": {
            "terminationGracePeriodSeconds": 1, "containers": [{"name": "c", "image": image} | (container or {})]}}
        return self.create(f"{APPS}/deployments", {
            "metadata": {"name": name},
            "spec": {"replicas": replicas, "selector": {"matchLabels": labels}, "template": template} | spec
            | ({"strategy": strategy} if strategy else {})})

    def deployment(self, name):
        return self.get(f"{APPS}/deployments/{name}")

    def change(self, name, patch):
        return self.api.json("PATCH", f"{APPS}/deployments/{name}", patch, content_type=STRATEGIC_PATCH)

    def image(self, name, image):
        return self.change(name, {"spec": {"template": {"spec": {"containers": [{"name": "c", "image": image}]}}}})

    def rolled_out(self, name, limit=15.0):
        """Waits as `kubectl rollout status` does."""
        def done():
            found = self.deployment(name)
            status, wanted = found["status"], found["spec"]["replicas"]
            return status.get("observedGeneration") == found["metadata"]["generation"] and wanted == \
                status.get("updatedReplicas", 0) == status.get("replicas", 0) == status.get("availableReplicas", 0)

        self.until(done, f"{name} is rolled out", limit)
        replicas = self.deployment(name)["spec"]["replicas"]
        self.until(lambda: len(self.pods(name)) == replicas, "its former pods are gone")

    def pods(self, name):
        return self.get(f"{CORE}/pods?labelSelector=app%3D{name}")["items"]

    def sets(self, name):
        """(image, replicas, revision) of the ReplicaSets, newest revision last."""
        items = self.get(f"{APPS}/replicasets?labelSelector=app%3D{name}")["items"]
        return sorted(((item["spec"]["template"]["spec"]["containers"][0]["image"], item["spec"]["replicas"],
                        int(item["metadata"]["annotations"]["deployment.kubernetes.io/revision"])) for item in items),
                      key=lambda row: row[2])

    def condition(self, name, kind):
        found = self.deployment(name)["status"].get("conditions") or ()
        return next(((c["status"], c["reason"]) for c in found if c["type"] == kind), None)


@pytest.fixture(scope="module")
def lab():
    running = Deployments("deploys", nodes=2)
    yield running
    running.down()


def test_a_rolling_update_never_has_fewer_or_more_pods_than_it_may(lab):
    lab.deploy("roll", 4, "nginx:1", {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 1}})
    lab.rolled_out("roll")
    revision = lab.deployment("roll")["metadata"]["resourceVersion"]
    lab.image("roll", "nginx:2")
    lab.rolled_out("roll")
    seen = []
    path = f"{APPS}/deployments?fieldSelector=metadata.name%3Droll&resourceVersion={revision}&timeoutSeconds=1"
    for event in lab.api.watch(path):
        status = event["object"]["status"]
        seen.append((status.get("replicas", 0), status.get("availableReplicas", 0)))
        if event["object"]["metadata"]["resourceVersion"] == lab.deployment("roll")["metadata"]["resourceVersion"]:
            break
    assert max(total for total, _ in seen) == 5
    assert min(available for _, available in seen) >= 3
    assert lab.sets("roll") == [("nginx:1", 0, 1), ("nginx:2", 4, 2)]
    assert ("Normal", "ScalingReplicaSet") in [event[:2] for event in lab.events("roll")]


def test_undo_is_a_new_revision_of_the_old_set(lab):
    lab.deploy("undo", 1, "nginx:1")
    lab.rolled_out("undo")
    lab.image("undo", "nginx:2")
    lab.rolled_out("undo")
    lab.image("undo", "nginx:1")
    lab.rolled_out("undo")
    assert lab.sets("undo") == [("nginx:2", 0, 2), ("nginx:1", 1, 3)]
    assert lab.deployment("undo")["metadata"]["annotations"]["deployment.kubernetes.io/revision"] == "3"


def test_recreate_lets_the_old_pods_go_before_the_new_come(lab):
    lab.deploy("again", 2, "nginx:1", {"type": "Recreate"})
    lab.rolled_out("again")
    revision = lab.api.get(f"{CORE}/pods")["metadata"]["resourceVersion"]
    lab.image("again", "nginx:2")
    lab.rolled_out("again")
    alive = {pod["metadata"]["name"] for pod in lab.pods("again")}
    order = []
    path = f"{CORE}/pods?labelSelector=app%3Dagain&resourceVersion={revision}&timeoutSeconds=1"
    for event in lab.api.watch(path):
        if event["type"] in ("ADDED", "DELETED"):
            order.append(event["type"])
        if len(order) == 4:
            break
    assert order == ["DELETED", "DELETED", "ADDED", "ADDED"]
    assert len(alive) == 2


def test_a_paused_deployment_scales_and_keeps_its_version_until_it_is_resumed(lab):
    lab.deploy("calm", 1, "nginx:1")
    lab.rolled_out("calm")
    lab.change("calm", {"spec": {"paused": True}})
    lab.image("calm", "nginx:2")
    assert lab.netlab("scale", "deployment", "calm", "--replicas=3") == (0, "deployment.apps/calm scaled\n", "")
    lab.until(lambda: lab.deployment("calm")["status"].get("readyReplicas") == 3, "three pods")
    assert lab.condition("calm", "Progressing") == ("Unknown", "DeploymentPaused")
    assert lab.sets("calm") == [("nginx:1", 3, 1)]
    lab.change("calm", {"spec": {"paused": None}})
    lab.rolled_out("calm")
    assert lab.sets("calm") == [("nginx:1", 0, 1), ("nginx:2", 3, 2)]


@pytest.mark.parametrize(("name", "image", "container", "word"), [
    ("noimage", "example.com/none:1", {}, "ImagePullBackOff"),
    ("unready", "nginx:2", {"readinessProbe": {"httpGet": {"port": 80, "path": "/missing"}, "periodSeconds": 1}},
     "Running"),
])
def test_a_version_that_does_not_get_ready_leaves_the_old_one_serving(lab, name, image, container, word):
    lab.deploy(name, 4, "nginx:1", progressDeadlineSeconds=1)
    lab.rolled_out(name)
    lab.change(name, {"spec": {"template": {"spec": {"containers": [{"name": "c", "image": image} | container]}}}})
    lab.until(lambda: lab.condition(name, "Progressing") == ("False", "ProgressDeadlineExceeded"), "the deadline")
    status = lab.deployment(name)["status"]
    assert (status["availableReplicas"], status["updatedReplicas"], status["replicas"]) == (3, 2, 5)
    assert lab.condition(name, "Available") == ("True", "MinimumReplicasAvailable")
    words = [line.split()[2] for line in lab.netlab("get", "pods", "-l", f"app={name}")[1].splitlines()[1:]]
    assert sorted(words) == sorted([word] * 2 + ["Running"] * 3)
    lab.image(name, "nginx:1")
    lab.change(name, {"spec": {"template": {"spec": {"containers": [{"name": "c", "readinessProbe": None}]}}}})
    lab.rolled_out(name)


def test_a_relabelled_pod_is_let_go_replaced_and_taken_back(lab):
    lab.deploy("herd", 2)
    lab.rolled_out("herd")
    name = lab.pods("herd")[0]["metadata"]["name"]
    assert lab.netlab("label", "pod", name, "app=stray", "--overwrite")[0] == 0
    lab.until(lambda: len(lab.pods("herd")) == 2, "a replacement")
    lab.until(lambda: "ownerReferences" not in lab.get(f"{CORE}/pods/{name}")["metadata"], "the stray has no owner")
    assert lab.netlab("label", "pod", name, "app=herd", "--overwrite")[0] == 0
    lab.until(lambda: len(lab.pods("herd")) == 2 and all(
        pod["metadata"].get("ownerReferences") for pod in lab.pods("herd")), "one too many is gone")


@pytest.mark.parametrize(("policy", "sets", "pods"), [("Orphan", 1, 2), ("Foreground", 0, 0), ("Background", 0, 0)])
def test_a_deleted_deployment_leaves_what_the_policy_says(lab, policy, sets, pods):
    name = policy.lower()
    lab.deploy(name, 2)
    lab.rolled_out(name)
    lab.api.json("DELETE", f"{APPS}/deployments/{name}", {"propagationPolicy": policy})
    lab.until(lambda: lab.find(f"{APPS}/deployments/{name}") is None, "it is gone")
    if policy == "Foreground":  # nothing of it outlives it
        assert not lab.pods(name)
    lab.until(lambda: (len(lab.sets(name)), len(lab.pods(name))) == (sets, pods), "the rest follows")
    if sets:
        assert all("ownerReferences" not in item["metadata"]
                   for item in lab.get(f"{APPS}/replicasets?labelSelector=app%3D{name}")["items"])
        lab.deploy(name, 2)  # the same template again: it takes over what was left
        lab.rolled_out(name)
        assert len(lab.sets(name)) == 1
        assert len(lab.pods(name)) == 2


def test_a_namespace_goes_with_everything_in_it_and_waits_for_finalizers(lab):
    lab.create("/api/v1/namespaces", {"metadata": {"name": "team"}})
    lab.create("/apis/apps/v1/namespaces/team/deployments", {"metadata": {"name": "web"}, "spec": {
        "selector": {"matchLabels": {"app": "web"}}, "template": {
            "metadata": {"labels": {"app": "web"}}, "spec": {"containers": [{"name": "c", "image": "nginx"}]}}}})
    lab.create("/api/v1/namespaces/team/configmaps", {"metadata": {"name": "held", "finalizers": ["example.com/x"]}})
    lab.until(lambda: any(pod["status"].get("phase") == "Running"
                                          for pod in lab.get("/api/v1/namespaces/team/pods")["items"]), "its pod runs")
    lab.api.json("DELETE", "/api/v1/namespaces/team", {})
    lab.until(lambda: not lab.get("/api/v1/namespaces/team/pods")["items"], "the pods are gone")
    lab.until(lambda: any(
        c["type"] == "NamespaceFinalizersRemaining" and c["status"] == "True"
        for c in lab.get("/api/v1/namespaces/team")["status"].get("conditions") or ()), "it says why it stays")
    code, _, words = lab.netlab("scale", "deploy", "none", "--replicas=1", "-n", "team")
    assert code == 4, words
    lab.api.json("PATCH", "/api/v1/namespaces/team/configmaps/held", {"metadata": {"finalizers": None}},
                 content_type=MERGE_PATCH)
    lab.until(lambda: lab.find("/api/v1/namespaces/team") is None, "it is gone")
