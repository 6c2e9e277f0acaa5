"""How a container hears that its attached session is over; the test's own netns stands in for the pod's."""

import asyncio
import socket
import uuid

import pytest

from netlab.controllers.kubelet import attaching


@pytest.fixture
def session(monkeypatch):
    monkeypatch.setattr(attaching.sockets, "abstract_datagram",
                        lambda netns: socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK))
    monkeypatch.setattr(attaching, "AGAIN", 0)
    return attaching.Interactive(("sh",), "pod", f"netlab/{uuid.uuid4()}/box.0")


def test_a_session_that_ends_before_the_container_listens_is_told_when_it_does(session):
    asked = []
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as container:
        def runs():
            asked.append(0)
            if len(asked) == 3:
                container.bind("\0" + session.address)
            return True

        asyncio.run(attaching.end(session, 4, runs=runs))
        container.settimeout(10)
        assert (container.recv(16), len(asked)) == (b"4", 3)


def test_a_container_that_has_ended_is_not_waited_for(session):
    answers = iter([True, False])
    asyncio.run(attaching.end(session, 4, runs=lambda: next(answers)))
    assert list(answers) == []


def test_the_process_that_holds_the_place_is_known_by_its_name(session):
    assert session.process == "box.0"
