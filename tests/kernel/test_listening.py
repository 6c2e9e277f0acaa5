"""One socket for all addresses that a netns has, and peers by their own addresses."""

import os
import socket
import subprocess

import pytest

from netlab.kernel import netns
from netlab.kernel.listening import listening, plain, wildcard

pytestmark = [pytest.mark.kernel, pytest.mark.skipif(os.geteuid() != 0, reason="network namespaces need root")]
NAME = f"nltlisten{os.getpid()}"


@pytest.fixture(params=[False, True], ids=["IPv4 only", "both families"])
def place(request):
    subprocess.run(["ip", "netns", "add", NAME], check=True)
    try:
        off = "0" if request.param else "1"
        subprocess.run(["ip", "netns", "exec", NAME, "sh", "-c",
                        f"echo {off} >/proc/sys/net/ipv6/conf/all/disable_ipv6; ip link set lo up"], check=True)
        yield request.param
    finally:
        subprocess.run(["ip", "netns", "del", NAME], check=True)


def test_a_server_listens_on_every_family_of_its_netns(place):
    family, _ = netns.visit(NAME, wildcard)
    assert family == (socket.AF_INET6 if place else socket.AF_INET)

    def talk():
        with listening(socket.SOCK_STREAM, 0) as server:
            server.listen(4)
            port = server.getsockname()[1]
            seen = []
            for address in ("127.0.0.1", "::1") if place else ("127.0.0.1",):
                with socket.create_connection((address, port), timeout=5):
                    connection, peer = server.accept()
                    connection.close()
                    seen.append(plain(peer[0]))
            return seen

    assert netns.visit(NAME, talk) == (["127.0.0.1", "::1"] if place else ["127.0.0.1"])


@pytest.mark.parametrize(("address", "expected"), [
    ("::ffff:10.244.1.5", "10.244.1.5"), ("10.244.1.5", "10.244.1.5"), ("fd00::1", "fd00::1"), ("::1", "::1"),
])
def test_peers_are_named_as_they_name_themselves(address, expected):
    assert plain(address) == expected
