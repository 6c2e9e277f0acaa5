"""Connections of clients that are slow, greedy, half-closed or gone."""

import contextlib
import socket
import threading

import pytest

from netlab.server import dns_stream
from netlab.server.dns_stream import StreamServer, dns_messages


def message(text):
    return len(text).to_bytes(2, "big") + text


def reader(client):
    lines = client.makefile("rb")
    return lambda: lines.read(int.from_bytes(lines.read(2), "big"))


@pytest.fixture
def server():
    """Starts servers that answer a message with itself in capitals, large ones a hundredfold."""
    with contextlib.ExitStack() as stack:
        def start(**options):
            with socket.socket() as probe:
                probe.bind(("127.0.0.1", 0))
                port = probe.getsockname()[1]
            made = StreamServer(**options)
            made.listen(port, dns_messages(lambda data, *_: data.upper() * (100 if len(data) > 100 else 1) or None))
            threading.Thread(target=made.run, daemon=True).start()

            def connect(source="127.0.0.1"):
                client = stack.enter_context(socket.create_connection(("127.0.0.1", port), 10, (source, 0)))
                client.settimeout(10)
                return client

            return made, connect

        yield start


def test_pipelined_messages_are_answered_in_order_whatever_their_number(server):
    _, connect = server()
    client = connect()
    sender = threading.Thread(target=client.sendall, args=(b"".join(message(b"m%d" % n) for n in range(5000)),))
    sender.start()
    take = reader(client)
    assert [take() for _ in range(5000)] == [b"M%d" % n for n in range(5000)]
    sender.join()


def test_a_greedy_client_does_not_keep_the_others_waiting(server):
    _, connect = server()
    greedy, other = connect(), connect()
    greedy.sendall(message(b"x" * 200) * 200)  # nothing is taken of what comes back
    other.sendall(message(b"hello"))
    assert reader(other)() == b"HELLO"
    take = reader(greedy)
    assert all(take() == b"X" * 20000 for _ in range(200))


def test_a_half_closed_connection_gets_all_its_answers(server):
    _, connect = server()
    client = connect()
    client.sendall(b"".join(message(b"m%d" % n) for n in range(50)) + b"\0\x10half")
    client.shutdown(socket.SHUT_WR)
    take = reader(client)
    assert [take() for _ in range(50)] == [b"M%d" % n for n in range(50)]
    assert client.recv(1) == b""


def test_who_sends_nothing_whole_is_closed(server):
    made, connect = server(idle=0.05)
    silent, dripping = connect(), connect()
    dripping.sendall(b"\0\x10drip")
    assert silent.recv(1) == b""
    assert dripping.recv(1) == b""
    assert not made._connections


def test_the_many_connections_of_one_address_push_out_each_other_only(server, monkeypatch):
    monkeypatch.setattr(dns_stream, "MAX_PEER", 4)
    made, connect = server(max_connections=10)
    quiet = connect()
    quiet.sendall(message(b"first"))
    assert reader(quiet)() == b"FIRST"
    crowd = [connect("127.0.0.2") for _ in range(40)]
    crowd[-1].sendall(message(b"last"))
    assert reader(crowd[-1])() == b"LAST"
    assert len(made._connections) == 10
    quiet.sendall(message(b"still"))
    assert reader(quiet)() == b"STILL"


def test_a_message_that_is_none_ends_its_connection(server):
    _, connect = server()
    client = connect()
    client.sendall(b"\0\0")
    assert client.recv(1) == b""
