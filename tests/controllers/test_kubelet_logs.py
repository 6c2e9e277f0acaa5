import asyncio
from dataclasses import dataclass, field

import pytest

from netlab.controllers.kubelet.log_choice import choose_attempt
from netlab.controllers.kubelet.logs import PodLogs
from netlab.model.errors import ApiError
from tests.controllers.kubelet_lab import World


@dataclass
class Wanted:
    namespace: str = "default"
    pod: str = "web"
    container: str = "c"
    follow: bool = False
    previous: bool = False
    timestamps: bool = False
    tail_lines: int | None = None
    since_seconds: int | None = None
    since_time: str = ""
    limit_bytes: int | None = None


@dataclass
class Log:
    """The log of a pod that runs, as `read` gives it."""

    world: World
    path: object = field(default=None)

    def read(self, **options):
        async def collect():
            logs = PodLogs(self.world.registry, self.world.directory)
            return b"".join([block async for block in logs(Wanted(**options))])

        return asyncio.run(collect())


@pytest.fixture
def log(tmp_path):
    world = World(tmp_path)

    async def start():
        async with world.running():
            world.pod()
            await world.manager.settled()

    asyncio.run(start())
    path = tmp_path / "pods" / world.get()["metadata"]["uid"] / "c" / "0.log"
    path.write_bytes(b"one\n\nthree\nfour")
    return Log(world, path)


@pytest.mark.parametrize(("options", "text"), [
    ({}, b"one\n\nthree\nfour"), ({"tail_lines": 2}, b"three\nfour"), ({"tail_lines": 3}, b"\nthree\nfour"),
    ({"tail_lines": 0}, b""), ({"tail_lines": 99}, b"one\n\nthree\nfour"), ({"limit_bytes": 5}, b"one\n\n"),
    ({"since_time": "2090-01-01T00:00:00Z"}, b""), ({"since_time": "2000-01-01T00:00:00Z", "tail_lines": 1}, b"four"),
    ({"since_seconds": 3600, "tail_lines": 1}, b"four"),
])
def test_the_wanted_part_of_a_log_is_given(log, options, text):
    assert log.read(**options) == text


def test_the_tail_of_a_log_of_many_blocks_is_exact(log):
    log.path.write_bytes(b"".join(b"%07d\n" % number for number in range(40_000)))
    assert log.read(tail_lines=2) == b"0039998\n0039999\n"
    assert len(log.read(tail_lines=20_000)) == 160_000


def test_timestamps_stand_before_every_line(log):
    lines = log.read(timestamps=True).split(b"\n")
    assert [line.partition(b" ")[2] for line in lines] == [b"one", b"", b"three", b"four"]
    assert all(len(line.split(b" ")[0]) == len("2026-01-01T00:00:00.000000000Z") for line in lines)


def test_a_followed_log_goes_on_until_the_container_ends(log):
    async def story():
        world, seen = log.world, []
        world.restart()

        async def follow():
            async for block in PodLogs(world.registry, world.directory)(Wanted(follow=True, tail_lines=0)):
                seen.append(block)

        async with world.running():
            reader = asyncio.create_task(follow())
            await asyncio.sleep(0)
            with log.path.open("ab") as file:
                file.write(b" more\n")
            await world.until(lambda: seen == [b" more\n"])
            with log.path.open("ab") as file:
                file.write(b"last\n")
            world.processes().end("c.0", 0)
            async with asyncio.timeout(3):
                await reader
            assert b"".join(seen) == b" more\nlast\n"

    asyncio.run(story())


def test_the_previous_run_has_a_log_of_its_own(log):
    async def story():
        world = log.world
        world.restart()
        async with world.running():
            world.processes().end("c.0", 1)
            await world.until(lambda: world.state()["restartCount"] == 1)

    asyncio.run(story())
    assert log.read() == b"c.1 started\n"
    assert log.read(previous=True) == b"one\n\nthree\nfour"


def status(state, last=None, count=0):
    return {"metadata": {"name": "web", "uid": "u"}, "status": {"containerStatuses": [
        {"name": "c", "state": state, "lastState": last or {}, "restartCount": count}]}}


@pytest.mark.parametrize(("pod", "previous", "text"), [
    (status({"waiting": {"reason": "ContainerCreating"}}), False,
     'container "c" in pod "web" is waiting to start: ContainerCreating'),
    (status({"waiting": {"reason": "ErrImagePull"}}), False,
     'container "c" in pod "web" is waiting to start: image can\'t be pulled'),
    (status({"waiting": {"reason": "ImagePullBackOff"}}), False,
     'container "c" in pod "web" is waiting to start: trying and failing to pull image'),
    (status({"running": {}}), True, 'previous terminated container "c" in pod "web" not found'),
    ({"metadata": {"name": "web"}}, False, 'container "c" in pod "web" is not available'),
])
def test_a_log_that_there_is_not_is_refused_in_the_kubelets_words(pod, previous, text):
    with pytest.raises(ApiError) as refusal:
        choose_attempt(pod, "c", previous=previous)
    assert (refusal.value.code, refusal.value.message) == (400, text)
