"""Packets that nobody should send, many of them: the server lives, stays small and goes on answering others.

NETLAB_FUZZ=100000 sends that many; the seed stays the same.
"""

import os
import random
import re
import socket
import struct
import threading
import time
from pathlib import Path

import pytest
from dnslib import EDNS0, QTYPE, DNSHeader, DNSQuestion, DNSRecord, EDNSOption
from test_dns_server import WEB, FakeApi, Server, namespace, question, service, slice_of, until

pytestmark = pytest.mark.slow
COUNT = int(os.environ.get("NETLAB_FUZZ", "3000"))
GROWTH = 40 << 10  # KB of memory; what is kept of answers is bounded by about 30 MB
ODD = (
    question(WEB)[:12] + b"\xc0\x0c\0\1\0\1",  # a name that points to itself
    question(WEB)[:12] + b"\xc0\x0e\xc0\x0c\0\1\0\1",  # two that point to each other
    question(WEB)[:12] + b"\xc0\x0c" * 900,
    question(WEB)[:12] + (b"\x3f" + b"a" * 63) * 60 + b"\0\0\1\0\1",  # 3,840 bytes of labels
    question(WEB)[:12] + b"\x40" + b"a" * 64 + b"\0\0\1\0\1",
    question(WEB)[:4] + b"\xff\xff" + question(WEB)[6:] * 50,  # many questions
    question(WEB)[:4] + b"\0\1\xff\xff\xff\xff\xff\xff" + question(WEB)[12:] * 90,
    question(WEB)[:10] + b"\0\1" + question(WEB)[12:] + b"\0\0\x29\x10\0\0\0\0\0\xff\xff" + b"\0\x0a\xff\xff",
    b"", b"\0", b"\xff" * 4096, bytes(4096), bytes(65507),
)


def packets(count, seed=20240521):
    """Seeded: random bytes, odd packets, and good ones with changed, missing or added bytes."""
    dice = random.Random(seed)
    good = []
    for name, kind in ((WEB, "A"), ("db.default.svc.cluster.local", "SRV"), ("5.0.96.10.in-addr.arpa", "PTR"),
                       ("cluster.local", "ANY"), ("nobody.default.svc.cluster.local", "AAAA")):
        record = DNSRecord(DNSHeader(id=1, rd=1), q=DNSQuestion(name, getattr(QTYPE, kind)))
        good.append(bytes(record.pack()))
        record.add_ar(EDNS0(udp_len=1232, flags="do", opts=[EDNSOption(10, b"12345678")]))
        good.append(bytes(record.pack()))
    for _ in range(count):
        way = dice.randrange(10)
        if way == 0:
            yield dice.randbytes(dice.randrange(600))
        elif way == 1:
            yield dice.choice(ODD)
        elif way == 2:
            yield question(f"r{dice.getrandbits(64):x}.default.svc.cluster.local", dice.randrange(65536))
        else:
            data = bytearray(dice.choice(good))
            for _ in range(dice.randint(1, 6)):
                where = dice.randrange(len(data))
                if dice.random() < 0.6:
                    data[where] = dice.randrange(256)
                elif dice.random() < 0.5 and len(data) > 20:
                    del data[where:where + dice.randint(1, 8)]
                else:
                    data[where:where] = bytes(dice.choices((0, 1, 12, 41, 63, 192, 255), k=dice.randint(1, 8)))
            yield bytes(data)


class Watch:
    """A client that asks good questions all the time and wants every answer."""

    def __init__(self, server):
        self._server, self._stop = server, threading.Event()
        self._thread = threading.Thread(target=self._ask)
        self.times, self.wrong = [], []

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._stop.set()
        self._thread.join()

    def _ask(self):
        while not self._stop.wait(0.002):
            began = time.monotonic()
            try:
                data = self._server.udp(question(WEB, len(self.times) & 0xFFFF), limit=10)
            except OSError as error:
                self.wrong.append(repr(error))
                return
            self.times.append(time.monotonic() - began)
            if data[-4:] != bytes((10, 96, 0, 5)):
                self.wrong.append(data)


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """A server that knows a few Services."""
    api = FakeApi(tmp_path_factory.mktemp("fuzz") / "api.sock")
    api.put("namespaces", namespace())
    for name, ip in (("web", "10.96.0.5"), ("db", "None")):
        api.put("services", service(name, ip))
    api.put("endpointslices", slice_of("db", *(f"10.244.1.{number}" for number in range(1, 60))))
    api.start()
    made = Server(api.path)
    until(lambda: made.http(made.ready_port, "/ready")[0] == 200, "ready")
    until(lambda: len(api.watches) == 3, "all watched")
    yield made
    made.kill()
    api.stop()


def size(server):
    """(KB of memory, open files) of the server."""
    base = Path(f"/proc/{server.process.pid}")
    return int(re.findall(r"VmRSS:\s+(\d+)", (base / "status").read_text())[0]), len(os.listdir(base / "fd"))


def test_datagrams_that_nobody_should_send(server):
    memory, files = size(server)
    with Watch(server) as watch, socket.socket(type=socket.SOCK_DGRAM) as client:
        client.connect(("127.0.0.1", server.port))
        client.settimeout(10)
        for number, data in enumerate(packets(COUNT)):
            client.send(data)
            if number % 20 == 19:  # not faster than it can take them; what comes back must be responses
                mark = question("mark.default.svc.cluster.local", 0xA5A5)
                client.send(mark)
                while True:
                    got = client.recv(65535)
                    assert len(got) >= 12
                    assert got[2] & 0x80
                    if got[:2] == mark[:2] and b"\4mark" in got:
                        break
    assert not watch.wrong
    assert watch.times
    until(lambda: size(server)[1] <= files, "no more files are open than before")
    assert size(server)[0] - memory < GROWTH
    assert server.process.poll() is None


def test_streams_that_nobody_should_send(server):
    dice, memory = random.Random(7), size(server)[0]
    files = size(server)[1]
    sleeping = [socket.create_connection(("127.0.0.1", server.port), 10) for _ in range(100)]
    for client in sleeping:
        client.sendall(b"\xff\xffslow")
    answered = 0
    with Watch(server) as watch:
        stream = packets(COUNT // 3, seed=11)
        while batch := [data for data, _ in zip(stream, range(dice.randint(1, 12)), strict=False)]:
            with socket.create_connection(("127.0.0.1", server.port), 10) as client:
                client.settimeout(10)
                try:
                    for data in batch:
                        length = len(data) if dice.random() < 0.9 else dice.randrange(65536)
                        client.sendall(struct.pack("!H", length) + data)
                    client.shutdown(socket.SHUT_WR)
                    if dice.random() < 0.7:  # others go away without having read
                        while client.recv(65536):
                            answered += 1
                except TimeoutError:
                    raise
                except OSError:
                    continue  # the server had closed it already
    assert not watch.wrong
    assert answered
    for client in sleeping:
        client.close()
    until(lambda: size(server)[1] <= files, "the connections are closed", limit=20)
    assert size(server)[0] - memory < GROWTH
    assert server.addresses(WEB) == ["10.96.0.5"]


def test_all_this_ended_nothing_and_filled_no_log(server):
    code, out, err = server.end()
    assert (code, err) == (0, "")
    assert "Traceback" not in out
    assert len(out) < 200_000
