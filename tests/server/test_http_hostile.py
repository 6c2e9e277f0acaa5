"""Hostile requests at a real server: each is answered or cut, none with a 500, none leaves half of its work behind."""

import json
import random
import re
import resource
import socket

import pytest

from tests.server.hostile import broken_of, request_of
from tests.server.test_http import Running, eventually

pytestmark = pytest.mark.slow
EXPECTED = (501, 503)  # no logs or streams are here, no backend of a proxied Service
CODE = re.compile(rb"HTTP/1\.1 (\d{3}) ")


@pytest.fixture
def running(tmp_path):
    running = Running(tmp_path, durable=True)
    yield running
    running.stop()


def ask(running, data, *, half_close=False):
    """(what the server said, store revision before, after); the client may leave at once."""
    before = running.registry.store.revision
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(20)
        connection.connect(str(running.path))
        try:
            connection.sendall(data)
            if half_close:
                connection.shutdown(socket.SHUT_WR)
            answer = b"".join(iter(lambda: connection.recv(1 << 20), b""))
        except (BrokenPipeError, ConnectionResetError):
            answer = b""  # it was refused before all of it was sent
    return answer, before, running.registry.store.revision


def check_store(running):
    """What is stored is what is on disk and what is served, under its own key."""
    store = running.registry.store
    on_disk = {key: data for key, _, data in store._log.objects()}
    present = {entry.key: entry for entries in store._objects.values() for entry in entries.values()}
    assert on_disk.keys() == present.keys()
    for key, entry in present.items():
        assert on_disk[key] == entry.data
        assert json.loads(entry.data) == entry.manifest
        assert (entry.manifest["metadata"]["name"], entry.manifest["metadata"].get("namespace", "")) == (
            key.name,
            key.namespace,
        )
        assert entry.manifest["metadata"]["resourceVersion"] == str(entry.revision)


def quiet(running, capfd):
    eventually(lambda: running.do(lambda: len(running.server.connections)) == 0)
    said = capfd.readouterr()
    assert (said.out, said.err) == ("", "")
    running.do(check_store, running)


def test_a_thousand_mutated_requests_are_answered_and_refusals_change_nothing(running, capfd):
    chance = random.Random(7)
    codes = set()
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for number in range(1000):
        data = request_of(chance)
        watches = b"watch" in data.partition(b"\r\n")[0]  # who watches hangs up at some time
        answer, before, after = ask(running, data, half_close=watches)
        found = [int(code) for code in CODE.findall(answer)]
        assert found or watches, (number, data[:3000])
        assert all(code < 500 or code in EXPECTED for code in found), (number, data[:3000], answer[:1000])
        codes.update(found)
        assert not found or found[0] < 400 or before == after, (number, data[:3000], answer[:1000])
    assert {200, 201, 400, 404, 405, 409, 415, 422} <= codes
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - memory < 200_000  # kB
    quiet(running, capfd)


def test_broken_half_and_pipelined_requests_end_in_an_answer_or_the_connections_end(running, capfd):
    chance = random.Random(8)
    for number in range(500):
        data = broken_of(chance)
        answer, *_ = ask(running, data, half_close=True)
        found = [int(code) for code in CODE.findall(answer)]
        assert all(code < 500 or code in EXPECTED for code in found), (number, data[:3000], answer[:1000])
    quiet(running, capfd)
