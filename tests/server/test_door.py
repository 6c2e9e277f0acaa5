import asyncio
import ssl
import subprocess

import pytest

from netlab.api import rbac
from netlab.api.attributes import Attributes
from netlab.api.tokens import Issuer
from netlab.api.users import ADMIN, ANONYMOUS
from netlab.kernel import keys
from netlab.model.errors import ApiError
from netlab.server import tls
from netlab.server.door import Door, named_by
from netlab.server.http import ApiServer
from tests.api.objects import NOW, registry

TOKEN = "t" * 43
HOST = {"host": "127.0.0.1:6443"}
ADMINS = HOST | {"authorization": f"Bearer {TOKEN}"}


@pytest.fixture
def door():
    made = registry()
    made.issuer = Issuer(b"k" * 32, "https://kubernetes.default.svc")
    made.create("serviceaccounts", {"metadata": {"name": "app", "namespace": "default"}})
    return Door(made, token=TOKEN, hosts=("127.0.0.1", "localhost", "kubernetes.default.svc"))


@pytest.mark.parametrize(("headers", "code"), [
    (ADMINS, 0), (ADMINS | {"authorization": f"bearer  {TOKEN}"}, 0), (ADMINS | {"host": "localhost"}, 0),
    (ADMINS | {"host": "KUBERNETES.default.svc:443"}, 0), (ADMINS | {"origin": "https://127.0.0.1:9999"}, 0),
    (HOST, None), (HOST | {"authorization": TOKEN}, None), (HOST | {"authorization": f"Basic {TOKEN}"}, None),
    (HOST | {"authorization": "Bearer "}, None), (HOST | {"authorization": f"Bearer {TOKEN[:-1]}"}, 401),
    (HOST | {"authorization": f"Bearer {TOKEN}é"}, 401), (HOST | {"authorization": "Bearer a.b.c"}, 401),
    (ADMINS | {"host": "evil.example"}, 403), (ADMINS | {"host": ""}, 403),
    (ADMINS | {"host": "127.0.0.1, evil.example"}, 403),
    (ADMINS | {"host": "127.0.0.1@evil.example"}, 403), (ADMINS | {"host": "[x"}, 403),
    (ADMINS | {"origin": "https://evil.example"}, 403), (ADMINS | {"origin": "null"}, 403),
])
def test_who_comes_in(door, headers, code):
    if not code:
        assert door.admit(headers) == (ANONYMOUS if code is None else ADMIN)
        return
    with pytest.raises(ApiError) as caught:
        door.admit(headers)
    assert caught.value.code == code
    if code == 401:
        assert (caught.value.reason, caught.value.message) == ("Unauthorized", "Unauthorized")


def test_the_administrator_may_act_as_others(door):
    user = door.admit(ADMINS | {"impersonate-user": "ann", "impersonate-group": "devs, ops"})
    assert (user.name, user.groups) == ("ann", ("devs", "ops", "system:authenticated"))
    user = door.admit(ADMINS | {"impersonate-user": "system:serviceaccount:default:app"})
    assert user.groups == ("system:serviceaccounts", "system:serviceaccounts:default", "system:authenticated")


@pytest.mark.parametrize(("name", "text"), [
    ("kubernetes-admin", 'users "kubernetes-admin" is forbidden: User "system:serviceaccount:default:app" cannot '
                         'impersonate resource "users" in API group "" at the cluster scope'),
    ("system:serviceaccount:kube-system:x", 'cannot impersonate resource "serviceaccounts" in API group "" in the '
                                            'namespace "kube-system"')])
def test_an_account_may_not(door, monkeypatch, name, text):
    monkeypatch.setattr("time.time", NOW.timestamp)
    account = door._registry.get("serviceaccounts", "app", "default")
    token = door._registry.issuer.issue(account, now=int(NOW.timestamp()), seconds=600)
    headers = HOST | {"authorization": f"Bearer {token}"}
    assert door.admit(headers).name == "system:serviceaccount:default:app"
    for more in ({"impersonate-user": name}, {"impersonate-user": name, "impersonate-group": "system:masters"}):
        with pytest.raises(ApiError) as caught:
            door.admit(headers | more)
        assert text in caught.value.message


def test_keys_are_private_and_good_for_every_name(tmp_path):
    keys.make(tmp_path / "pki", ["127.0.0.1", "kubernetes.default.svc"])
    assert (tmp_path / "pki").stat().st_mode & 0o077 == 0
    assert all((tmp_path / "pki" / name).stat().st_mode & 0o077 == 0 for name in ("ca.key", "server.key"))
    shown = subprocess.run(["openssl", "x509", "-in", tmp_path / "pki" / "server.crt", "-noout", "-text"],
                           capture_output=True, text=True, check=True).stdout
    assert "IP Address:127.0.0.1, DNS:kubernetes.default.svc" in shown
    assert "prime256v1" in shown
    before = (tmp_path / "pki" / "server.crt").read_bytes()
    keys.make(tmp_path / "pki", ["other"])
    assert (tmp_path / "pki" / "server.crt").read_bytes() == before


@pytest.mark.parametrize(("headers", "status"), [
    (f"Authorization: Bearer {TOKEN}\r\n", b"HTTP/1.1 404"), ("", b"HTTP/1.1 403"),
    ("Authorization: Bearer wrong\r\n", b"HTTP/1.1 401"),
    # Refused before the body is there, or read:
    ("Content-Length: 2000000\r\n", b"HTTP/1.1 403"), ("Content-Length: x\r\n", b"HTTP/1.1 400")])
def test_requests_by_tls_show_a_credential_first(tmp_path, door, headers, status):
    keys.make(tmp_path / "pki", ["127.0.0.1", "localhost"])
    context = tls.context(tmp_path / "pki" / "server.crt", tmp_path / "pki" / "server.key")
    client = ssl.create_default_context(cafile=tmp_path / "pki" / "ca.crt")
    client.verify_flags |= getattr(ssl, "VERIFY_X509_STRICT", 0)
    client.set_alpn_protocols(["h2", "http/1.1"])

    async def talk():
        import socket

        server, listener = ApiServer(door._registry), socket.create_server(("127.0.0.1", 0))
        await server.start_tls(listener, context, door)
        reader, writer = await asyncio.open_connection("localhost", listener.getsockname()[1], ssl=client)
        assert writer.get_extra_info("ssl_object").selected_alpn_protocol() == "http/1.1"
        writer.write(f"POST /nowhere HTTP/1.1\r\nHost: localhost\r\n{headers}\r\n".encode())
        async with asyncio.timeout(5):
            line = await reader.readline()
        writer.close()
        await server.close()
        return line

    assert asyncio.run(talk()).startswith(status)


@pytest.mark.parametrize(("subject", "name", "groups"), [
    ((("commonName", "ann"),), "ann", ("system:authenticated",)),
    ((("organizationName", "devs"), ("organizationName", "ops"), ("commonName", "ann")), "ann",
     ("devs", "ops", "system:authenticated")),
    ((("commonName", "first"), ("commonName", "last")), "last", ("system:authenticated",)),
    ((("organizationName", "devs"),), None, ()), ((("commonName", ""),), None, ()), ((), None, ())])
def test_a_certificate_names_user_and_groups(door, subject, name, groups):
    certificate = {"subject": tuple((pair,) for pair in subject)}
    assert (named_by(certificate) and (named_by(certificate).name, named_by(certificate).groups)) == (
        (name, groups) if name else None)
    assert door.admit(HOST, certificate).name == (name or "system:anonymous")
    assert named_by(None) is None


STRANGERS = [("get", "/healthz", True), ("get", "/readyz/etcd", True), ("get", "/version", True),
             ("post", "/version", False), ("get", "/api", False), ("get", "/healthzz", False)]


@pytest.mark.parametrize(("verb", "path", "allowed"), STRANGERS)
def test_strangers_see_health_and_version_only_whatever_bindings_say(verb, path, allowed):
    made = registry()
    made.create("clusterroles", {"metadata": {"name": "all"}, "rules": [
        {"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}, {"verbs": ["*"], "nonResourceURLs": ["*"]}]})
    made.create("clusterrolebindings", {
        "metadata": {"name": "open"}, "roleRef": {"kind": "ClusterRole", "name": "all"},
        "subjects": [{"kind": "User", "name": ANONYMOUS.name}, {"kind": "Group", "name": ANONYMOUS.groups[0]}]})
    assert rbac.decide(made, ANONYMOUS, Attributes(verb, path=path))[0] is allowed
    assert rbac.decide(made, ANONYMOUS, Attributes("create", resource="pods", namespace="default")) == (
        False, rbac.CLOSED)
