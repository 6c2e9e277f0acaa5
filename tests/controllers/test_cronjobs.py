from netlab.controllers.cronjobs import CronJobs
from netlab.controllers.garbage_collector import GarbageCollector
from netlab.model import meta


def tick(cluster, schedule="* * * * *", **spec):
    template = {"metadata": {"labels": {"from": "tick"}}, "spec": {"template": {"spec": {
        "restartPolicy": "Never", "containers": [{"name": "c", "image": "i"}]}}}}
    return cluster.create("cronjobs", {"metadata": {"name": "tick"}, "spec": {
        "schedule": schedule, "jobTemplate": template} | spec})


def status(cluster):
    return cluster.registry.get("cronjobs", "tick", "default").get("status") or {}


async def later(cluster, manager, **time):
    cluster.wait(**time)
    cluster.relabel("cronjobs", "tick", {"now": str(cluster.time.timestamp())})
    await manager.settled()


async def finish(cluster, manager, name, kind="Complete"):
    job = cluster.registry.get("jobs", name, "default")
    now = cluster.registry.now()
    done = {"startTime": now, "conditions": [{"type": kind, "status": "True", "lastTransitionTime": now}]}
    cluster.registry.update("jobs", job | {"status": done | {"completionTime": now}}, subresource="status")
    await manager.settled()


def reasons(cluster):
    return [reason for reason, _ in cluster.events()]


def test_a_job_is_made_when_its_minute_has_come_with_the_minute_in_its_name(cluster):
    tick(cluster)

    async def story(manager):
        assert cluster.names("jobs") == []
        assert 59 < await manager.controllers["cronjobs"].reconcile() <= 60
        await later(cluster, manager, seconds=61)
        minute = int(cluster.time.timestamp()) // 60
        assert cluster.names("jobs") == [f"tick-{minute}"]
        made = cluster.list("jobs")[0]
        assert meta.labels(made) == {"from": "tick"}
        assert meta.annotations(made) == {"batch.kubernetes.io/cronjob-scheduled-timestamp": "2024-05-01T12:01:00Z"}
        assert status(cluster)["lastScheduleTime"] == "2024-05-01T12:01:00Z"
        assert [item["name"] for item in status(cluster)["active"]] == [f"tick-{minute}"]
        await later(cluster, manager, seconds=10)
        assert len(cluster.names("jobs")) == 1
        await finish(cluster, manager, f"tick-{minute}")
        assert "active" not in status(cluster)
        assert status(cluster)["lastSuccessfulTime"] == cluster.registry.now()
        assert ("SawCompletedJob", f"Saw completed job: tick-{minute}, condition: Complete") in cluster.events()

    cluster.run(story, CronJobs)


def test_after_a_pause_only_the_latest_is_made_up_for(cluster):
    tick(cluster)

    async def story(manager):
        await later(cluster, manager, hours=5)
        assert len(cluster.names("jobs")) == 1
        assert status(cluster)["lastScheduleTime"] == "2024-05-01T17:00:00Z"
        assert "TooManyMissedTimes" in reasons(cluster)

    cluster.run(story, CronJobs)


def test_forbid_waits_for_the_one_that_runs(cluster):
    tick(cluster, concurrencyPolicy="Forbid")

    async def story(manager):
        await later(cluster, manager, minutes=1)
        first = cluster.names("jobs")
        await later(cluster, manager, minutes=1)
        assert cluster.names("jobs") == first
        assert "JobAlreadyActive" in reasons(cluster)
        await finish(cluster, manager, first[0])
        assert len(cluster.names("jobs")) == 2

    cluster.run(story, CronJobs)


def test_replace_stops_the_one_that_runs(cluster):
    tick(cluster, concurrencyPolicy="Replace")

    async def story(manager):
        await later(cluster, manager, minutes=1)
        first = cluster.names("jobs")
        await later(cluster, manager, minutes=1)
        assert len(cluster.names("jobs")) == 1
        assert cluster.names("jobs") != first

    cluster.run(story, CronJobs)


def test_a_deadline_in_the_past_is_missed_and_suspend_stops_all(cluster):
    tick(cluster, "0 * * * *", startingDeadlineSeconds=10)

    async def story(manager):
        await later(cluster, manager, minutes=60, seconds=30)
        assert cluster.names("jobs") == []
        cluster.change("cronjobs", "tick", suspend=True, startingDeadlineSeconds=3600)
        await later(cluster, manager, minutes=60)
        assert cluster.names("jobs") == []
        cluster.change("cronjobs", "tick", suspend=False)
        await manager.settled()
        assert len(cluster.names("jobs")) == 1

    cluster.run(story, CronJobs)


def test_old_jobs_go_beyond_the_limits(cluster):
    tick(cluster, successfulJobsHistoryLimit=2, failedJobsHistoryLimit=0)

    async def story(manager):
        made = []
        for _ in range(4):
            await later(cluster, manager, minutes=1)
            made.append(next(name for name in cluster.names("jobs") if name not in made))
            await finish(cluster, manager, made[-1])
        assert cluster.names("jobs") == made[-2:]
        await later(cluster, manager, minutes=1)
        await finish(cluster, manager, cluster.names("jobs")[-1], "Failed")
        assert cluster.names("jobs") == made[-2:]
        cluster.registry.delete("cronjobs", "tick", namespace="default", propagation="Background")
        await manager.settled()
        assert cluster.names("jobs") == []

    cluster.run(story, CronJobs, GarbageCollector)
