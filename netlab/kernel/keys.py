"""A certificate authority of a lab's own, and the API server's certificate: made once, by the openssl program.

That takes 10 ms; importing a library for it takes longer than that.
"""

from __future__ import annotations

import ipaddress
import os
import subprocess
from collections.abc import Iterable
from pathlib import Path

from netlab.kernel.lock import make_private_dir
from netlab.model.errors import LabError

DAYS = 3650
# Python 3.13 wants both key identifiers (RFC 5280, section 4.2.1).
_CONFIG = """[req]
distinguished_name = name
prompt = no
[name]
[ca]
basicConstraints = critical, CA:TRUE
keyUsage = critical, digitalSignature, keyEncipherment, keyCertSign
subjectKeyIdentifier = hash
subjectAltName = DNS:kubernetes
[server]
basicConstraints = critical, CA:FALSE
keyUsage = critical, digitalSignature, keyEncipherment
extendedKeyUsage = serverAuth
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
subjectAltName = """


def make(directory: Path, hosts: Iterable[str]) -> None:
    """ca.crt, server.crt and server.key below `directory`, which is made with mode 0700; present ones are kept.

    `hosts` are the names and addresses that the server is reached by. LabError when openssl cannot do it.
    """
    if (directory / "server.crt").exists():
        return
    make_private_dir(directory)
    (directory / "openssl.cnf").write_text(_CONFIG + ", ".join(map(_alternative, hosts)) + "\n")
    # Under other names first: one that was killed in the middle has left nothing that looks whole.
    _openssl(directory, "ca", "/CN=kubernetes")
    _openssl(directory, "server", "/CN=kube-apiserver", "-CA", "ca.crt", "-CAkey", "ca.key")
    (directory / "server.crt.new").rename(directory / "server.crt")


def _openssl(directory: Path, name: str, subject: str, *signer: str) -> None:
    certificate = "ca.crt" if name == "ca" else f"{name}.crt.new"
    command = ["openssl", "req", "-config", "openssl.cnf", "-x509", "-newkey", "ec", "-pkeyopt",
               "ec_paramgen_curve:P-256", "-nodes", "-days", str(DAYS), "-subj", subject, "-extensions", name,
               "-keyout", f"{name}.key", "-out", certificate, *signer]
    environment = {key: value for key, value in os.environ.items() if key == "PATH"} | {"OPENSSL_CONF": "openssl.cnf"}
    try:
        done = subprocess.run(command, cwd=directory, env=environment, stdin=subprocess.DEVNULL, capture_output=True,
                              text=True, check=False, umask=0o077)
    except FileNotFoundError:
        raise LabError("openssl is not installed", hint="apt-get install openssl", exit_code=3) from None
    if done.returncode:
        raise LabError(f"openssl could not make the {name} certificate: {done.stderr.strip()[-500:]}", exit_code=3,
                       hint="openssl version (3.0 or newer is needed)")


def _alternative(host: str) -> str:
    try:
        return f"IP:{ipaddress.ip_address(host)}"
    except ValueError:
        return f"DNS:{host}"
