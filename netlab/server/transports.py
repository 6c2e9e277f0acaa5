"""The end of a connection, on whatever it runs."""

from __future__ import annotations

import asyncio
from contextlib import suppress


def abort(transport: asyncio.BaseTransport) -> None:
    """Drops the connection now, with what has not been sent; fine when it has ended already."""
    assert isinstance(transport, asyncio.WriteTransport)
    with suppress(AttributeError):  # that of TLS has lost its protocol when it has ended
        transport.abort()
