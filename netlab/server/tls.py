"""TLS for the API: one context for all listeners."""

from __future__ import annotations

import ssl
from pathlib import Path


def context(certificate: Path, key: Path) -> ssl.SSLContext:
    """A server's context: TLS 1.2 or newer, HTTP/1.1 only, which kubectl's streams need."""
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.minimum_version = ssl.TLSVersion.TLSv1_2
    made.set_alpn_protocols(["http/1.1"])
    made.load_cert_chain(certificate, key)
    return made
