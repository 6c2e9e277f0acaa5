import pytest

from netlab.controllers.garbage_collector import GarbageCollector
from netlab.controllers.job_state import TRACKING
from netlab.controllers.jobs import Jobs
from netlab.model import meta, pod_status


def job(cluster, name="work", policy="Never", **spec):
    return cluster.create("jobs", {"metadata": {"name": name}, "spec": {"template": {"spec": {
        "restartPolicy": policy, "containers": [{"name": "c", "image": "i"}]}}} | spec})


def status(cluster, name="work"):
    return cluster.registry.get("jobs", name, "default")["status"]


def true_conditions(cluster):
    return [(c["type"], c["reason"]) for c in status(cluster).get("conditions") or () if c["status"] == "True"]


def active(cluster):
    return [meta.name(pod) for pod in cluster.list("pods") if pod_status.is_active(pod)]


async def end(cluster, manager, phase, *names):
    for name in names:
        cluster.run_pod(name, phase=phase, ready=False)
    await manager.settled()


def test_one_pod_that_succeeds_completes_the_job(cluster):
    made = job(cluster)
    assert made["spec"]["template"]["metadata"]["labels"]["batch.kubernetes.io/job-name"] == "work"

    async def story(manager):
        assert status(cluster)["active"] == 1
        assert meta.metadata(cluster.list("pods")[0])["finalizers"] == [TRACKING]
        await end(cluster, manager, "Succeeded", *active(cluster))
        assert true_conditions(cluster) == [("SuccessCriteriaMet", "CompletionsReached"),
                                            ("Complete", "CompletionsReached")]
        assert (status(cluster)["succeeded"], "active" in status(cluster)) == (1, False)
        assert status(cluster)["uncountedTerminatedPods"] == {}
        assert "finalizers" not in meta.metadata(cluster.list("pods")[0])
        assert ("Completed", "Job completed") in cluster.events()

    cluster.run(story, Jobs)


def test_never_more_run_at_a_time_than_the_parallelism_allows(cluster):
    job(cluster, completions=5, parallelism=2)

    async def story(manager):
        seen = 0
        while active(cluster):
            assert len(active(cluster)) <= 2
            seen += 1
            await end(cluster, manager, "Succeeded", active(cluster)[0])
        assert (seen, status(cluster)["succeeded"]) == (5, 5)

    cluster.run(story, Jobs)


def test_an_indexed_job_runs_every_index_until_it_has_succeeded(cluster):
    job(cluster, completions=3, parallelism=3, completionMode="Indexed")

    async def story(manager):
        pods = cluster.list("pods")
        assert [pod["spec"]["hostname"] for pod in pods] == ["work-0", "work-1", "work-2"]
        assert pods[1]["spec"]["containers"][0]["env"][0]["name"] == "JOB_COMPLETION_INDEX"
        names = active(cluster)
        await end(cluster, manager, "Succeeded", names[0], names[2])
        assert status(cluster)["completedIndexes"] == "0,2"
        await end(cluster, manager, "Failed", names[1])
        cluster.wait(seconds=11)
        cluster.relabel("jobs", "work", {"look": "again"})
        await manager.settled()
        assert [name[:7] for name in active(cluster)] == ["work-1-"]
        await end(cluster, manager, "Succeeded", *active(cluster))
        assert (status(cluster)["completedIndexes"], status(cluster)["succeeded"]) == ("0-2", 3)
        assert ("Complete", "CompletionsReached") in true_conditions(cluster)

    cluster.run(story, Jobs)


def test_too_many_failures_end_the_job_and_its_other_pods(cluster):
    job(cluster, completions=2, parallelism=2, backoffLimit=0)

    async def story(manager):
        await end(cluster, manager, "Failed", active(cluster)[0])
        assert active(cluster) == []
        cluster.run_all()
        await manager.settled()
        assert true_conditions(cluster) == [("FailureTarget", "BackoffLimitExceeded"),
                                            ("Failed", "BackoffLimitExceeded")]
        assert status(cluster)["failed"] == 1  # the one that the controller stopped does not count
        assert ("BackoffLimitExceeded", "Job has reached the specified backoff limit") in cluster.events()

    cluster.run(story, Jobs)


def test_a_failed_pod_is_replaced_after_a_while(cluster):
    job(cluster)

    async def story(manager):
        await end(cluster, manager, "Failed", *active(cluster))
        assert active(cluster) == []
        assert 9 < await manager.controllers["jobs"].reconcile() <= 10
        cluster.wait(seconds=11)
        cluster.relabel("jobs", "work", {"look": "again"})
        await manager.settled()
        assert len(active(cluster)) == 1

    cluster.run(story, Jobs)


def test_a_job_that_takes_too_long_fails(cluster):
    job(cluster, activeDeadlineSeconds=30)

    async def story(manager):
        cluster.wait(seconds=30)
        cluster.relabel("jobs", "work", {"look": "again"})
        await manager.settled()
        cluster.run_all()
        await manager.settled()
        assert ("Failed", "DeadlineExceeded") in true_conditions(cluster)

    cluster.run(story, Jobs)


def test_a_suspended_job_has_no_pods_until_it_is_resumed(cluster):
    job(cluster)

    async def story(manager):
        cluster.change("jobs", "work", suspend=True)
        await manager.settled()
        cluster.run_all()
        await manager.settled()
        assert (active(cluster), true_conditions(cluster)) == ([], [("Suspended", "JobSuspended")])
        assert "startTime" not in status(cluster)
        assert "failed" not in status(cluster)
        cluster.change("jobs", "work", suspend=False)
        await manager.settled()
        assert (len(active(cluster)), true_conditions(cluster)) == (1, [])

    cluster.run(story, Jobs)


@pytest.mark.parametrize("propagation", ["Background", "Foreground", "Orphan"])
def test_a_deleted_job_lets_its_pods_go(cluster, propagation):
    job(cluster)

    async def story(manager):
        cluster.registry.delete("jobs", "work", namespace="default", propagation=propagation)
        await manager.settled()
        cluster.run_all()
        await manager.settled()
        assert cluster.gone("jobs", "work")
        assert len(cluster.list("pods")) == (1 if propagation == "Orphan" else 0)
        assert not any("finalizers" in meta.metadata(pod) for pod in cluster.list("pods"))

    cluster.run(story, Jobs, GarbageCollector)


def test_a_finished_job_goes_when_its_time_to_live_is_over(cluster):
    job(cluster, ttlSecondsAfterFinished=60)

    async def story(manager):
        await end(cluster, manager, "Succeeded", *active(cluster))
        assert 59 < await manager.controllers["jobs"].reconcile() <= 60
        cluster.wait(seconds=61)
        cluster.relabel("jobs", "work", {"look": "again"})
        await manager.settled()
        assert cluster.gone("jobs", "work")
        assert cluster.list("pods") == []

    cluster.run(story, Jobs, GarbageCollector)


def test_a_pod_whose_end_was_noted_and_not_counted_counts_once(cluster):
    """The daemon may be killed between any two writes."""
    job(cluster, completions=2, parallelism=1)

    async def first(manager):
        return cluster.list("pods")[0]

    pod = cluster.run(first, Jobs)
    cluster.run_pod(meta.name(pod), phase="Succeeded", ready=False)
    owner = cluster.registry.get("jobs", "work", "default")
    noted = owner["status"] | {"uncountedTerminatedPods": {"succeeded": [meta.uid(pod)]}}
    cluster.registry.update("jobs", owner | {"status": noted}, subresource="status")

    async def second(manager):
        return status(cluster)["succeeded"], len(active(cluster))

    assert cluster.run(second, Jobs) == (1, 1)
