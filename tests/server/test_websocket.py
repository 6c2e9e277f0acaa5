"""WebSocket frames: the bytes are those of RFC 6455, section 5.7, and of kubectl."""

import pytest

from netlab.server.websocket import (
    BINARY,
    CLOSE,
    PING,
    TEXT,
    TOO_LARGE,
    Message,
    WebSocketError,
    WebSocketServer,
    accept_key,
    close_frame,
    frame,
    unmask,
)


def masked(first, payload, mask=b"\x01\x02\x03\x04"):
    """A client's frame."""
    size = len(payload)
    length = bytes([0x80 | size]) if size < 126 else \
        b"\xfe" + size.to_bytes(2, "big") if size < 65536 else b"\xff" + size.to_bytes(8, "big")
    return bytes([first]) + length + mask + unmask(payload, mask)


def test_the_key_of_the_rfc_is_accepted_as_there():
    assert accept_key("dGhlIHNhbXBsZSBub25jZQ==") == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="


@pytest.mark.parametrize(("sent", "messages"), [
    (bytes.fromhex("81 85 37 fa 21 3d 7f 9f 4d 51 58"), [Message(TEXT, b"Hello")]),
    (masked(0x82, b"\x00hello\n"), [Message(BINARY, b"\x00hello\n")]),
    (masked(0x82, b"\xff\x00"), [Message(BINARY, b"\xff\x00")]),
    (masked(0x82, b""), [Message(BINARY, b"")]),
    (masked(0x82, b"x" * 126), [Message(BINARY, b"x" * 126)]),
    (masked(0x82, b"x" * 32769), [Message(BINARY, b"x" * 32769)]),
    (masked(0x82, b"x" * 70000), [Message(BINARY, b"x" * 70000)]),
    (masked(0x02, b"a") + masked(0x00, b"b") + masked(0x80, b"c"), [Message(BINARY, b"abc")]),
    (masked(0x02, b"a") + masked(0x89, b"?") + masked(0x80, b"c"), [Message(PING, b"?"), Message(BINARY, b"ac")]),
    (masked(0x88, b"\x03\xe8"), [Message(CLOSE, b"\x03\xe8")]),
    (masked(0x82, b"half")[:-1], []),
])
def test_messages_of_a_client(sent, messages):
    assert WebSocketServer().receive(sent) == messages
    server, found = WebSocketServer(), []
    if len(sent) < 1000:
        for byte in sent:
            found += server.receive(bytes([byte]))
        assert found == messages


@pytest.mark.parametrize("sent", [
    frame(BINARY, b"not masked"),
    masked(0xC2, b"an extension"),
    masked(0x83, b"no such opcode"),
    masked(0x80, b"nothing to continue"),
    masked(0x02, b"a") + masked(0x82, b"within"),
    masked(0x89, b"x" * 126),  # a long ping
    masked(0x09, b"a ping in parts"),
])
def test_what_breaks_the_protocol_is_refused(sent):
    with pytest.raises(WebSocketError):
        WebSocketServer().receive(sent)


def test_a_length_beyond_reason_is_refused_before_its_bytes_come():
    with pytest.raises(WebSocketError) as caught:
        WebSocketServer().receive(b"\x82\xff" + (1 << 40).to_bytes(8, "big"))
    assert caught.value.code == TOO_LARGE


@pytest.mark.parametrize(("frame", "sent"), [
    (frame(BINARY, b"\x01hi"), "82 03 01 68 69"),
    (close_frame(1000), "88 02 03 e8"),
    (frame(BINARY, b"x" * 126)[:4], "82 7e 00 7e"),
    (frame(BINARY, b"x" * 65536)[:10], "82 7f 00 00 00 00 00 01 00 00"),
])
def test_frames_of_the_server(frame, sent):
    assert frame.hex(" ") == sent
