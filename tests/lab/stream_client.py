"""Clients of the streaming subresources: a TCP bridge for kubectl, and WebSockets over the unix socket."""

import asyncio
import base64
import os
import socket
import struct
import threading

from netlab.server.websocket import unmask


class Bridge:
    """A port of 127.0.0.1 that leads to a unix socket: kubectl knows no unix sockets. A thread per connection."""

    def __init__(self, path):
        self.path = str(path)
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self._run)
        self.ready = threading.Event()
        self.thread.start()
        self.ready.wait(10)

    def _run(self):
        self.loop.run_until_complete(self._serve())
        self.loop.close()

    async def _serve(self):
        self.over = asyncio.Event()
        server = await asyncio.start_server(self._client, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        self.ready.set()
        await self.over.wait()
        server.close()
        tasks = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _client(self, reader, writer):
        theirs, to_them = await asyncio.open_unix_connection(self.path)

        async def copy(source, target):
            try:
                while data := await source.read(65536):
                    target.write(data)
                    await target.drain()
            except OSError:
                pass
            target.close()

        await asyncio.gather(copy(reader, to_them), copy(theirs, writer))

    def close(self):
        self.loop.call_soon_threadsafe(self.over.set)
        self.thread.join(10)


class WebSocket:
    """One WebSocket of the API server."""

    def __init__(self, path, target, *protocols):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(20)
        self.socket.connect(str(path))
        key = base64.b64encode(os.urandom(16)).decode()
        offer = f"Sec-WebSocket-Protocol: {','.join(protocols)}\r\n" if protocols else ""
        self.socket.sendall((f"GET {target} HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
                             f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n{offer}\r\n").encode())
        self.file = self.socket.makefile("rb")
        self.code = int(self.file.readline().split()[1])
        self.headers = {}
        while (line := self.file.readline().strip()):
            name, _, value = line.decode().partition(":")
            self.headers[name.lower()] = value.strip()

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.file.close()
        self.socket.close()

    def send(self, payload, *, opcode=2):
        size = bytes([0x80 | len(payload)]) if len(payload) < 126 else b"\xfe" + struct.pack(">H", len(payload))
        mask = os.urandom(4)
        self.socket.sendall(bytes([0x80 | opcode]) + size + mask + unmask(payload, mask))

    def receive(self):
        """(opcode, payload) of the next frame."""
        first, size = self.file.read(2)
        if size >= 126:
            (size,) = struct.unpack(">H" if size == 126 else ">Q", self.file.read(2 if size == 126 else 8))
        return first & 15, self.file.read(size)

    def everything(self):
        """Bytes by channel until the close frame, which is answered."""
        found = {}
        while True:
            opcode, payload = self.receive()
            if opcode == 8:
                self.send(payload, opcode=8)
                found["close"] = payload
                return found
            if opcode == 2:
                found[payload[0]] = found.get(payload[0], b"") + payload[1:]
