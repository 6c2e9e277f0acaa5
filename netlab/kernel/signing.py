"""Client certificates from the lab's authority, made by the openssl program."""

from __future__ import annotations

import os
import subprocess
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path

from netlab.model.errors import LabError

_KEY_USAGES = {"digital signature": "digitalSignature", "key encipherment": "keyEncipherment"}
_CONFIG = """[ca]
default_ca = lab
[lab]
database = index
rand_serial = yes
unique_subject = no
default_md = sha256
policy = any
email_in_dn = no
[any]
commonName = supplied
[client]
basicConstraints = critical, CA:FALSE
extendedKeyUsage = clientAuth
authorityKeyIdentifier = keyid
"""


def sign(directory: Path, request: bytes, seconds: int, usages: Iterable[str]) -> bytes:
    """The certificate (PEM) of a request (PEM), by the ca.crt and ca.key in `directory`. LabError when it is bad."""
    used = [_KEY_USAGES[usage] for usage in usages if usage in _KEY_USAGES]
    now = int(time.time())
    with tempfile.TemporaryDirectory(prefix="netlab-csr-") as place:
        (Path(place) / "index").touch()
        (Path(place) / "request").write_bytes(request)
        (Path(place) / "openssl.cnf").write_text(
            _CONFIG + (f"keyUsage = critical, {', '.join(used)}\n" if used else ""))
        command = ["openssl", "ca", "-config", "openssl.cnf", "-batch", "-notext", "-preserveDN", "-in", "request",
                   "-cert", str(directory / "ca.crt"), "-keyfile", str(directory / "ca.key"), "-outdir", place,
                   "-extensions", "client", "-startdate", _moment(now - 300), "-enddate", _moment(now + seconds)]
        environment = {key: value for key, value in os.environ.items() if key == "PATH"}
        done = subprocess.run(command, cwd=place, env=environment | {"OPENSSL_CONF": "openssl.cnf"}, check=False,
                              stdin=subprocess.DEVNULL, capture_output=True, umask=0o077)
    if done.returncode:
        raise LabError(f"unable to sign the request: {done.stderr.decode(errors='replace').strip()[-300:]}")
    return done.stdout


def _moment(seconds: int) -> str:
    return time.strftime("%Y%m%d%H%M%SZ", time.gmtime(seconds))
