"""TLS for the API: one context for all listeners."""

from __future__ import annotations

import ssl
from pathlib import Path


def context(certificate: Path, key: Path, *, clients: Path | None = None) -> ssl.SSLContext:
    """A server's context: TLS 1.2 or newer, HTTP/1.1 only, which kubectl's streams need.

    `clients` is the authority whose client certificates are taken. A client need not have one; the handshake fails
    with one of another authority, or with one that has expired or is not meant for clients.
    """
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.minimum_version = ssl.TLSVersion.TLSv1_2
    made.set_alpn_protocols(["http/1.1"])
    made.load_cert_chain(certificate, key)
    if clients is not None:
        made.verify_mode = ssl.CERT_OPTIONAL
        made.load_verify_locations(clients)
    return made
