"""SPDY/3.1 frames: the bytes are those of kubectl, or follow from the SPDY Protocol Draft 3.1."""

import hashlib
import struct
import zlib

import pytest

from netlab.server.spdy import (
    CANCEL,
    CONTROL_LIMIT,
    Data,
    GoAway,
    Opened,
    Ping,
    Reset,
    SpdyError,
    SpdyServer,
    data_frames,
    ping,
    reset,
)
from netlab.server.spdy_dictionary import DICTIONARY

FIRST = bytes.fromhex("80 03 00 01 00 00 00 29 00 00 00 01 00 00 00 00 00 00 78 f9 e3 c6 a7 c2 62 60 60 60 04 a7 b3 92"
                      " a2 d4 c4 5c 68 51 c2 9a 0a 0a 68 00 00 00 00 ff ff")
REPLIES = ["80 03 00 02 00 00 00 14 00 00 00 01 78 f9 e3 c6 a7 c2 02 a6 23 06 00 00 00 00 ff ff",
           "80 03 00 02 00 00 00 0c 00 00 00 03 02 01 00 00 00 00 ff ff"]


class Client:
    """What a client sends, with the compression's state of its direction."""

    def __init__(self):
        self.pack = zlib.compressobj(9, zlib.DEFLATED, 15, 8, zlib.Z_DEFAULT_STRATEGY, DICTIONARY)

    def open(self, stream, headers, *, flags=0, kind=1):
        texts = [text.encode() for pair in headers.items() for text in pair]
        block = struct.pack(">I", len(headers)) + b"".join(struct.pack(">I", len(text)) + text for text in texts)
        head = struct.pack(">IIBB", stream, 0, 0, 0) if kind == 1 else struct.pack(">I", stream)
        payload = head + self.pack.compress(block) + self.pack.flush(zlib.Z_SYNC_FLUSH)
        return struct.pack(">HHI", 0x8003, kind, flags << 24 | len(payload)) + payload


def test_the_dictionary_is_the_one_of_the_draft():
    assert len(DICTIONARY) == 1423
    assert zlib.adler32(DICTIONARY) == 0xE3C6A7C2
    assert hashlib.sha256(DICTIONARY).hexdigest() == "51d27341373f923f3cd88e1eb7162aeaa3723d7585ff2399201dc06498407f02"


def test_kubectls_first_stream_is_understood_and_answered_byte_for_byte():
    server = SpdyServer()
    assert server.receive(FIRST) == [Opened(1, {"streamtype": "error"})]
    assert [server.reply(1).hex(" "), server.reply(3).hex(" ")] == REPLIES


def test_bytes_that_come_one_by_one_say_the_same():
    server, events = SpdyServer(), []
    for byte in FIRST + data_frames(1, b"", end=True) + ping(1):
        events += server.receive(bytes([byte]))
    assert events == [Opened(1, {"streamtype": "error"}), Data(1, b"", ended=True), Ping(1)]


def test_every_stream_of_a_connection_is_compressed_with_those_before():
    client, server = Client(), SpdyServer()
    asked = [{"streamtype": "error", "port": "80", "requestid": "0"}, {"streamtype": "data", "port": "80"}, {}]
    for number, headers in enumerate(asked):
        assert server.receive(client.open(2 * number + 1, headers)) == [Opened(2 * number + 1, headers)]
    assert server.receive(client.open(1, {"more": "x"}, kind=8)) == []  # HEADERS
    assert server.receive(client.open(9, {"streamtype": "data"}, flags=1)) == [
        Opened(9, {"streamtype": "data"}, ended=True)]


@pytest.mark.parametrize(("frame", "events"), [
    ("80 03 00 03 00 00 00 08 00 00 00 05 00 00 00 05", [Reset(5, CANCEL)]),
    ("80 03 00 06 00 00 00 04 00 00 00 07", [Ping(7)]),
    ("80 03 00 07 00 00 00 08 00 00 00 05 00 00 00 00", [GoAway()]),
    ("80 03 00 04 00 00 00 0c 00 00 00 01 00 00 00 04 00 00 00 64", []),  # SETTINGS
    ("80 03 00 09 00 00 00 08 00 00 00 01 00 00 10 00", []),  # WINDOW_UPDATE
    ("00 00 00 03 00 00 00 02 68 69", [Data(3, b"hi")]),
    ("00 00 00 03 01 00 00 02 68 69", [Data(3, b"hi", ended=True)]),
    ("00 00 00 03 00 00 00 00", [Data(3, b"")]),
    ("00 00 00 03 01 00 00 05 68 69", [Data(3, b"hi")]),  # the first part of a frame is given already
])
def test_frames(frame, events):
    assert SpdyServer().receive(bytes.fromhex(frame)) == events


@pytest.mark.parametrize("frame", [
    "80 02 00 01 00 00 00 00",  # SPDY/2
    "80 03 00 01 01 ff ff ff",  # a huge control frame
    "80 03 00 03 00 00 00 04 00 00 00 05",  # RST_STREAM of four bytes
    "80 03 00 01 00 00 00 0c 00 00 00 01 00 00 00 00 00 00 ff ff",  # headers that are not compressed
    "80 03 00 01 00 00 00 02 00 00",
])
def test_what_is_no_spdy_ends_the_connection(frame):
    with pytest.raises(SpdyError):
        SpdyServer().receive(bytes.fromhex(frame))


def test_headers_that_grow_when_unpacked_are_refused():
    with pytest.raises(SpdyError, match="too large"):
        SpdyServer().receive(Client().open(1, {"a": "x" * (CONTROL_LIMIT + 1)}))


def test_long_data_is_sent_in_frames_of_which_the_last_ends_the_stream():
    sent = data_frames(5, b"x" * 70000, end=True)
    events = SpdyServer().receive(sent)
    assert [(len(event.data), event.ended) for event in events] == [(32768, False), (32768, False), (4464, True)]
    assert data_frames(5, b"", end=True).hex(" ") == "00 00 00 05 01 00 00 00"
    assert reset(5, CANCEL).hex(" ") == "80 03 00 03 00 00 00 08 00 00 00 05 00 00 00 05"
