import contextlib
import socket
import threading
import time

import pytest

from netlab.workloads import redis, redis_cli
from netlab.workloads.serving import Server


@pytest.fixture(scope="module")
def port():
    server, data = Server(), redis.Database()
    server.tcp(0, lambda connection: redis.serve(connection, data), "127.0.0.1")
    thread = threading.Thread(target=server.run)
    thread.start()
    yield server.ports()[0]
    server.stop()
    thread.join(5)
    assert not thread.is_alive()


@pytest.fixture
def ask(port, capsys):
    def command(*words):
        """(exit code, what redis-cli printed)."""
        code = redis_cli.main(["-u", f"redis://127.0.0.1:{port}/0", *words])
        out, err = capsys.readouterr()
        return code, (out + err).rstrip("\n")

    command("FLUSHALL")
    return command


@pytest.mark.parametrize("story", [
    [("PING", "PONG"), ("ping hello", "hello"), ("ECHO hi", "hi"), ("SELECT 0", "OK"), ("QUIT", "OK")],
    [("SET a 1", "OK"), ("GET a", "1"), ("INCR a", "2"), ("INCRBY a 40", "42"), ("DECR a", "41"), ("DEL a b", "1"),
     ("GET a", ""), ("EXISTS a", "0")],
    [("RPUSH l b c", "2"), ("LPUSH l a", "3"), ("LRANGE l 0 -1", "a\nb\nc"), ("LRANGE l 1 1", "b"), ("LLEN l", "3"),
     ("LRANGE l -2 -1", "b\nc"), ("LPOP l", "a"), ("RPOP l", "c"), ("LPOP l", "b"), ("LPOP l", ""), ("TYPE l", "none")],
    [("SET k v NX", "OK"), ("SET k w NX", ""), ("SET k w XX", "OK"), ("GET k", "w"), ("EXPIRE k 100", "1"),
     ("TTL k", "100"), ("SET k v", "OK"), ("TTL k", "-1"), ("TTL none", "-2"), ("SET k v EX 0", "OK"), ("GET k", "")],
    [("SET ab 1", "OK"), ("SET cb 1", "OK"), ("KEYS *b", "ab\ncb"), ("KEYS a?", "ab"), ("DBSIZE", "2"),
     ("FLUSHALL", "OK"), ("DBSIZE", "0")],
])
def test_what_redis_answers(ask, story):
    for command, reply in story:
        assert ask(*command.split()) == (0, reply), command


@pytest.mark.parametrize(("before", "command", "error"), [
    ("", "NOSUCH a b", "ERR unknown command 'NOSUCH', with args beginning with: 'a' 'b'"),
    ("", "GET", "ERR wrong number of arguments for 'get' command"),
    ("SET a x", "INCR a", "ERR value is not an integer or out of range"),
    ("RPUSH l 1", "GET l", "WRONGTYPE Operation against a key holding the wrong kind of value"),
    ("SET a x", "LPUSH a 1", "WRONGTYPE Operation against a key holding the wrong kind of value"),
    ("", "SET a b MAYBE", "ERR syntax error"), ("", "SELECT 3", "ERR DB index is out of range"),
])
def test_what_redis_refuses(ask, before, command, error):
    if before:
        ask(*before.split())
    assert ask(*command.split()) == (1, error)


def test_info_says_who_it_is(ask):
    assert "role:master" in ask("INFO", "replication")[1]


@contextlib.contextmanager
def serving():
    server, data = Server(), redis.Database()
    server.tcp(0, lambda connection: redis.serve(connection, data), "127.0.0.1")
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        yield server.ports()[0], data
    finally:
        data.follow("", 0)
        server.stop()
        thread.join(5)


def until(holds):
    end = time.monotonic() + 10
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.005)


def test_a_follower_has_what_its_leader_had_and_gets():
    with serving() as (first, _), serving() as (second, follower):
        redis_cli.call("127.0.0.1", first, "SET", "before", "1")
        redis_cli.call("127.0.0.1", first, "RPUSH", "list", "a", "b")
        assert redis_cli.call("127.0.0.1", second, "REPLICAOF", "127.0.0.1", str(first)) == "OK"
        until(lambda: follower.values.get(b"list") == [b"a", b"b"])
        redis_cli.call("127.0.0.1", first, "INCR", "before")
        until(lambda: redis_cli.call("127.0.0.1", second, "GET", "before") == "2")
        assert "connected_slaves:1\r\nslave0:ip=127.0.0.1" in redis_cli.call("127.0.0.1", first, "INFO", "replication")
        assert "role:slave\r\nmaster_host:127.0.0.1" in redis_cli.call("127.0.0.1", second, "INFO")
        assert redis_cli.call("127.0.0.1", second, "ROLE")[3] == ("$", "connected")
        with pytest.raises(OSError, match="READONLY You can't write against a read only replica"):
            redis_cli.call("127.0.0.1", second, "SET", "before", "x")
        redis_cli.call("127.0.0.1", second, "REPLICAOF", "NO", "ONE")
        assert redis_cli.call("127.0.0.1", second, "SET", "before", "x") == "OK"


def test_a_taken_port_is_told_in_redis_words(capsys):
    with serving() as (port, _):
        assert redis.main(["--port", str(port)]) == 1
        assert capsys.readouterr().out.startswith(f"# Warning: Could not create server TCP listening socket *:{port}")


def test_versions_are_told(capsys):
    assert redis_cli.main(["--version"]) == redis.main(["--version"]) == 0
    assert capsys.readouterr().out.split()[:2] == ["redis-cli", "7.4.0"]


@pytest.mark.parametrize(("sent", "answer"), [
    (b"PING\r\n", b"+PONG\r\n"), (b"ping\n\r\nECHO a\r\n", b"+PONG\r\n$1\r\na\r\n"),
    (b"*1\r\n$4\r\nPING\r\n*2\r\n$4\r\nECHO\r\n$4\r\n\r\n\x00a\r\n", b"+PONG\r\n$4\r\n\r\n\x00a\r\n"),
    (b"*1\r\nPING\r\n", b"-ERR Protocol error: expected '$', got 'P'\r\n"),
    (b"*x\r\n", b"-ERR Protocol error: invalid multibulk length\r\n"),
    (b"*1\r\n$999999999999\r\n", b"-ERR Protocol error: invalid bulk length\r\n"),
    (b"*2\r\n$4\r\nECHO\r\n$9\r\nhalf", b""),
])
def test_the_protocol(port, sent, answer):
    with contextlib.closing(socket.create_connection(("127.0.0.1", port), 5)) as client:
        client.sendall(sent)
        client.shutdown(socket.SHUT_WR)
        assert b"".join(iter(lambda: client.recv(4096), b"")) == answer


def test_without_a_server_the_client_says_so(capsys):
    assert redis_cli.main(["-p", "1", "PING"]) == 1
    assert capsys.readouterr().err == "Could not connect to Redis at 127.0.0.1:1: Connection refused\n"


def test_a_terminal_shows_the_kinds_of_replies():
    assert redis_cli._shown("$", 'a"b', plain=False) == '"a\\"b"'
    assert redis_cli._shown(":", "3", plain=False) == "(integer) 3"
    assert redis_cli._shown("$", None, plain=False) == "(nil)"
    assert redis_cli._shown("-", "ERR x", plain=False) == "(error) ERR x"
    assert redis_cli._shown("*", [("$", "a"), (":", "1")], plain=False) == '1) "a"\n2) (integer) 1'
