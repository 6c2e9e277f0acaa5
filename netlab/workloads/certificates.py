"""Certificates of workloads that serve TLS. Imported where TLS is wanted only: ssl is slow to load."""

from __future__ import annotations

import os
import socket
import ssl
import subprocess

from netlab.workloads.serving import Wrap

OWN = ("/localhost.crt", "/localhost.key")  # where agnhost has its own


def server_side(certificate: str, key: str, *, clients: str = "") -> Wrap:
    """What begins TLS on a connection; with `clients` (a file of authorities) only for clients that these know.

    OSError when a file cannot be read, ssl.SSLError (one too) when it has no certificate or no key of it.
    """
    if (certificate, key) == OWN:
        _make_own()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key or None)
    if clients:
        context.load_verify_locations(clients)
        context.verify_mode = ssl.CERT_REQUIRED

    def wrap(connection: socket.socket) -> socket.socket:
        return context.wrap_socket(connection, server_side=True)

    return wrap


def _make_own() -> None:
    """The container's own, for localhost. OSError without the openssl program."""
    if not all(map(os.path.exists, OWN)):
        done = subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days",
             "36500", "-subj", "/O=Acme Co", "-addext", "subjectAltName=DNS:example.com,IP:127.0.0.1,IP:::1", "-out",
             OWN[0], "-keyout", OWN[1]], stdin=subprocess.DEVNULL, capture_output=True, check=False)
        if done.returncode:
            raise OSError(done.returncode, f"openssl: {done.stderr.decode(errors='replace').strip()[-200:]}")
