"""Bodies of proxied requests go to the backend as they come, however long they are."""

import asyncio

import pytest

from netlab.api.registry import Registry
from netlab.api.response import ProxyRequest, Response
from netlab.model.lab_spec import LabSpec
from netlab.server.http import ApiServer
from netlab.server.proxy import Proxy
from netlab.store import Store
from tests.server.test_proxy import PREFIX, _nonblocking

MEGABYTE = 1024 * 1024
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


def play(tmp_path, backend, client):
    """Runs `client(reader, writer, server)` against an API server whose one backend is `backend(reader, writer)`."""
    async def run():
        listening = await asyncio.start_server(backend, "127.0.0.1", 0)
        port = listening.sockets[0].getsockname()[1]
        server = ApiServer(Registry(Store(), LabSpec()), proxy=Proxy(_nonblocking))
        server.api.handle = lambda request: ProxyRequest("http", "127.0.0.1", port, "/up", PREFIX) \
            if "proxy" in request.path else Response(200, b"here")
        await server.start(tmp_path / "api.sock")
        reader, writer = await asyncio.open_unix_connection(str(tmp_path / "api.sock"))
        try:
            async with asyncio.timeout(20):
                return await client(reader, writer, server)
        finally:
            writer.close()
            await server.close()
            listening.close()

    return asyncio.run(run())


def head(*lines):
    return "\r\n".join([f"POST {PREFIX}/up HTTP/1.1", "Host: lab", *lines, "", ""]).encode()


@pytest.mark.parametrize("chunked", [False, True])
def test_a_body_beyond_the_limit_of_manifests_reaches_the_backend_whole(tmp_path, chunked):
    size = 8 * MEGABYTE
    got = {}

    async def backend(reader, writer):
        got["head"] = await reader.readuntil(b"\r\n\r\n")
        got["size"] = 0
        if chunked:
            while piece := int(await reader.readline(), 16):
                got["size"] += len(await reader.readexactly(piece))
                await reader.readline()
        else:
            got["size"] = len(await reader.readexactly(size))
        writer.write(OK)
        writer.close()

    async def client(reader, writer, server):
        writer.write(head("Transfer-Encoding: chunked" if chunked else f"Content-Length: {size}",
                          "X-Forwarded-For: 192.0.2.7"))
        for _ in range(8):
            writer.write(b"%x\r\n%b\r\n" % (MEGABYTE, b"x" * MEGABYTE) if chunked else b"x" * MEGABYTE)
            await writer.drain()
        writer.write(b"0\r\n\r\n" if chunked else b"")
        answer = await reader.readuntil(b"\r\n\r\n") + await reader.readexactly(2)
        writer.write(b"GET / HTTP/1.1\r\nConnection: close\r\n\r\n")  # the connection goes on
        return answer, await reader.read()

    answer, second = play(tmp_path, backend, client)
    assert answer.startswith(b"HTTP/1.1 200 OK")
    assert second.endswith(b"here")
    assert got["size"] == size
    assert b"X-Forwarded-For: 192.0.2.7\r\n" in got["head"]
    assert got["head"].lower().count(b"x-forwarded-for") == 1


def test_a_backend_that_does_not_read_stops_the_client_and_not_the_server(tmp_path):
    async def backend(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        await asyncio.sleep(30)

    async def client(reader, writer, server):
        writer.write(head(f"Content-Length: {1000 * MEGABYTE}"))
        sent = 0
        try:
            async with asyncio.timeout(0.3):
                while True:
                    writer.write(b"x" * MEGABYTE)
                    await writer.drain()
                    sent += 1
        except TimeoutError:
            pass
        (connection,) = server.connections
        return sent, connection._upload._size

    sent, waiting = play(tmp_path, backend, client)
    assert sent < 50
    assert waiting < MEGABYTE


def test_an_answer_before_the_end_of_the_body_is_passed_on_and_ends_the_connection(tmp_path):
    async def backend(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n")
        await writer.drain()
        writer.close()

    async def client(reader, writer, server):
        writer.write(head(f"Content-Length: {1000 * MEGABYTE}") + b"x" * 1000)
        answer = await reader.read()
        await asyncio.sleep(0)
        return answer, len(server.connections)

    answer, left = play(tmp_path, backend, client)
    assert answer.startswith(b"HTTP/1.1 413 Too Large")
    assert left == 0


def test_a_client_that_leaves_in_the_middle_leaves_nothing_behind(tmp_path):
    ended = asyncio.Event()

    async def backend(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        while await reader.read(65536):
            pass
        ended.set()

    async def client(reader, writer, server):
        writer.write(head(f"Content-Length: {MEGABYTE}") + b"x" * 1000)
        await writer.drain()
        while not server.connections or not next(iter(server.connections))._task:
            await asyncio.sleep(0.001)
        writer.close()
        await ended.wait()
        while server.connections:
            await asyncio.sleep(0.001)
        return [task for task in asyncio.all_tasks() if "_send" in repr(task)]

    assert play(tmp_path, backend, client) == []
