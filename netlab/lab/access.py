"""What lets clients in: certificates, the administrator's token, the key of ServiceAccounts' tokens, the port.

All of it is made at a lab's first start, and kept in its run directory: a daemon that starts again uses the same.
"""

from __future__ import annotations

import json
import secrets
import socket
from pathlib import Path

from netlab.api.tokens import Issuer
from netlab.kernel import keys
from netlab.lab import kubeconfig
from netlab.model.errors import LabError
from netlab.model.lab_spec import LabSpec
from netlab.topology import names

LOOPBACK = "127.0.0.1"


class Access:
    """The credentials of one lab. Making them takes 15 ms, so it is done beside other work."""

    def __init__(self, spec: LabSpec) -> None:
        self.spec = spec
        self.directory = names.run_dir(spec.name) / "pki"
        self._file = names.run_dir(spec.name) / "access.json"
        keys.make(self.directory, hosts(spec))
        try:
            found = json.loads(self._file.read_text())
        except (OSError, ValueError):
            found = {"token": secrets.token_urlsafe(32), "key": secrets.token_hex(32), "port": 0}
        self.token: str = found["token"]
        self.port: int = found["port"]
        self._key: str = found["key"]

    @property
    def certificate(self) -> Path:
        """The server's certificate."""
        return self.directory / "server.crt"

    @property
    def key(self) -> Path:
        """The key of the server's certificate."""
        return self.directory / "server.key"

    @property
    def authority(self) -> Path:
        """The certificate of the lab's authority; its key lies beside it as ca.key."""
        return self.directory / "ca.crt"

    @property
    def ca(self) -> str:
        """The certificate of the lab's authority, by which clients know the server."""
        return self.authority.read_text()

    def issuer(self) -> Issuer:
        """Who signs the tokens of ServiceAccounts."""
        return Issuer(bytes.fromhex(self._key), f"https://kubernetes.default.svc.{self.spec.cluster_domain}",
                      admin=self.token)

    def listen(self) -> socket.socket:
        """The listener for the machine's users: at the port of the last time if that is free, else at another.

        The kubeconfig in the run directory says which.
        """
        listener = _bind(self.port) or _bind(0)
        if listener is None:
            raise LabError(f"cannot listen at {LOOPBACK}", exit_code=3, hint="ip addr show lo")
        self.port = listener.getsockname()[1]
        _write(self._file, json.dumps({"token": self.token, "key": self._key, "port": self.port}))
        _write(names.kubeconfig(self.spec.name), kubeconfig.text(
            self.spec.name, server=f"https://{LOOPBACK}:{self.port}", ca=self.ca.encode(), token=self.token))
        return listener


def hosts(spec: LabSpec) -> tuple[str, ...]:
    """Every name and address by which the API may be asked for."""
    service = ("kubernetes", "kubernetes.default", "kubernetes.default.svc",
               f"kubernetes.default.svc.{spec.cluster_domain}")
    return (LOOPBACK, "localhost", *service, str(spec.api_ip), *map(str, spec.node_ips(spec.nodes[0])),
            spec.nodes[0])


def _bind(port: int) -> socket.socket | None:
    listener = socket.socket()
    try:
        # Connections of the daemon before may still be in TIME_WAIT; who listens there keeps us out all the same.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((LOOPBACK, port))
        listener.listen(1024)
        listener.setblocking(False)
    except OSError:
        listener.close()
        return None
    return listener


def _write(path: Path, text: str) -> None:
    temporary = path.with_name(f"{path.name}.new")
    temporary.write_text(text)  # the daemon's umask keeps it private
    temporary.rename(path)
