"""Who gets in: kubectl with the kubeconfig, programs in pods with their account's token, and nobody else."""

import base64
import json
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml

from netlab.topology import names

ROOT = Path(__file__).resolve().parents[2]
LAB = f"acc{os.getpid()}"
NOBODY = pwd.getpwnam("nobody")
TOKEN_DIR = "/var/run/secrets/kubernetes.io/serviceaccount"
API = "https://kubernetes.default.svc"
PODS = """
apiVersion: v1
kind: Pod
metadata: {name: tool}
spec: {containers: [{name: c, image: nicolaka/netshoot, command: [sleep, infinity]}]}
---
apiVersion: v1
kind: Pod
metadata: {name: without}
spec:
  automountServiceAccountToken: false
  containers: [{name: c, image: nicolaka/netshoot, command: [sleep, infinity]}]
"""
pytestmark = pytest.mark.lab


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    return tmp_path_factory.mktemp("home")


def netlab(*arguments, home, check=True, **options):
    """A netlab command, with what it printed."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("SUDO_", "NETLAB_"))}
    done = subprocess.run([sys.executable, "-P", "-m", "netlab", "--name", LAB, *arguments], check=False, timeout=60,
                          env=environment | {"PYTHONPATH": str(ROOT), "HOME": str(home)} | options,
                          capture_output=True, text=True, cwd="/")
    assert not check or done.returncode == 0, f"{arguments}\n{done.stdout}{done.stderr}"
    return done


@pytest.fixture(scope="module")
def lab(home):
    try:
        netlab("up", home=home)
        (home / "pods.yaml").write_text(PODS)
        netlab("apply", "-f", str(home / "pods.yaml"), home=home)
        client("wait", "--for=condition=Ready", "pod/tool", "pod/without", "--timeout=20s", home=home) \
            if shutil.which("kubectl") else until(lambda: "Running" in netlab("get", "pod", "tool", home=home).stdout)
        yield home
    finally:
        netlab("down", home=home)
    assert not (home / ".kube" / "netlab").exists(), "the kubeconfig goes with the lab"


def client(*arguments, home, **options):
    return netlab("kubectl", *arguments, home=home, **options)


def until(condition, limit=20.0):
    end = time.monotonic() + limit
    while not condition():
        assert time.monotonic() < end, "it did not come true in time"
        time.sleep(0.02)


def config(home):
    """(server, CA, token) of the kubeconfig."""
    found = yaml.safe_load((home / ".kube" / "netlab" / f"{LAB}.yaml").read_text())
    cluster = found["clusters"][0]["cluster"]
    (home / "ca.crt").write_bytes(base64.b64decode(cluster["certificate-authority-data"]))
    return cluster["server"], str(home / "ca.crt"), found["users"][0]["user"]["token"]


def curl(*arguments, **options):
    """(HTTP code, body); code 0 when there was no answer."""
    done = subprocess.run(["curl", "-sS", "-m", "5", "-w", "\n%{http_code}", *arguments], capture_output=True,
                          text=True, check=False, **options)
    body, _, code = done.stdout.rpartition("\n")
    return int(code), body


def ask(pod, path, *, token=f"$(cat {TOKEN_DIR}/token)", home):
    """What the API answers to a program in a pod."""
    header = f'-H "Authorization: Bearer {token}"' if token else ""
    script = f'curl -sS -m 5 -w "\\n%{{http_code}}" --cacert {TOKEN_DIR}/ca.crt {header} "{API}{path}"'
    done = netlab("exec", pod, "--", "sh", "-c", script, home=home, check=False)
    body, _, code = done.stdout.rpartition("\n")
    assert code, done.stderr
    return int(code), body


def test_the_kubeconfig_is_private_and_the_commands_lead_to_it(lab):
    path = lab / ".kube" / "netlab" / f"{LAB}.yaml"
    assert path.stat().st_mode & 0o077 == 0
    assert netlab("env", home=lab).stdout == f"export KUBECONFIG={path}\n"
    assert netlab("env", "--unset", home=lab).stdout == "unset KUBECONFIG\n"
    assert yaml.safe_load(path.read_text())["current-context"] == f"netlab-{LAB}"
    assert f"netlab --name {LAB} kubectl" in netlab("up", home=lab).stdout


def test_without_kubectl_its_remedy_is_told(lab):
    done = client("get", "pods", home=lab, check=False, PATH="/nonexistent")
    assert done.returncode == 3
    assert "kubectl is not installed" in done.stderr
    assert "kubernetes.io/docs/tasks/tools" in done.stderr


@pytest.mark.skipif(not shutil.which("kubectl"), reason="kubectl is not installed")
class TestKubectl:
    def test_it_is_the_administrator(self, lab):
        assert "Running" in client("get", "pods", "-A", home=lab).stdout
        assert client("auth", "can-i", "*", "*", home=lab).stdout == "yes\n"
        assert "kubernetes-admin" in client("auth", "whoami", home=lab).stdout

    def test_roles_are_kept(self, lab):
        account = "--as=system:serviceaccount:default:robot"
        client("create", "serviceaccount", "robot", home=lab)
        assert client("auth", "can-i", "list", "pods", account, home=lab, check=False).stdout == "no\n"
        client("create", "role", "lister", "--verb=list", "--resource=pods", home=lab)
        client("create", "rolebinding", "robot", "--role=lister", "--serviceaccount=default:robot", home=lab)
        assert client("auth", "can-i", "list", "pods", account, home=lab).stdout == "yes\n"
        assert "tool" in client("get", "pods", account, home=lab).stdout
        done = client("delete", "pod", "tool", account, home=lab, check=False)
        assert done.stderr == (
            'Error from server (Forbidden): pods "tool" is forbidden: User "system:serviceaccount:default:robot" '
            'cannot delete resource "pods" in API group "" in the namespace "default"\n')

    def test_create_token_gives_one_that_works_here_and_in_a_pod(self, lab):
        client("create", "serviceaccount", "guest", home=lab)
        token = client("create", "token", "guest", home=lab).stdout.strip()
        server, ca, _ = config(lab)
        assert curl("--cacert", ca, "-H", f"Authorization: Bearer {token}", f"{server}/version")[0] == 200
        assert ask("tool", "/version", token=token, home=lab)[0] == 200
        client("delete", "serviceaccount", "guest", home=lab)
        assert ask("tool", "/version", token=token, home=lab)[0] == 401

    @pytest.mark.parametrize("generator", [
        ("clusterrole", "x", "--verb=get", "--resource=nodes"), ("quota", "x", "--hard=pods=3"),
        ("clusterrolebinding", "x", "--clusterrole=view", "--user=ann"),
        ("ingress", "x", "--rule=a.example/*=web:80"), ("secret", "generic", "x", "--from-literal=a=b")])
    def test_generators_and_tables_know_the_kinds(self, lab, generator):
        client("create", *generator, home=lab)
        kind = generator[0]
        shown = client("get", kind, "x", home=lab).stdout.splitlines()
        assert shown[0].startswith("NAME")
        assert shown[1].startswith("x ")
        assert client("describe", kind, "x", home=lab).stdout.startswith("Name:")
        client("delete", kind, "x", home=lab)


def test_other_users_of_the_machine_get_nothing(lab):
    server, ca, token = config(lab)
    assert curl("--cacert", ca, f"{server}/api")[0] == 403
    assert curl("--cacert", ca, f"{server}/readyz") == (200, "ok")
    assert curl("--cacert", ca, "-H", "Authorization: Bearer wrong", f"{server}/readyz")[0] == 401
    assert curl("--cacert", ca, "-H", f"Authorization: Bearer {token}", f"{server}/api")[0] == 200
    files = [names.api_socket(LAB), names.view_socket(LAB), names.kubeconfig(LAB), names.run_dir(LAB) / "access.json",
             names.run_dir(LAB) / "pki" / "ca.key", lab / ".kube" / "netlab" / f"{LAB}.yaml"]
    program = f"""
import os, socket, subprocess, sys
for path in {[str(path) for path in files]!r}:
    try:
        os.close(os.open(path, os.O_RDONLY)); print("opened", path)
    except PermissionError:
        pass
    except OSError as error:
        print(path, error)
for path in {[str(path) for path in files[:2]]!r}:
    try:
        socket.socket(socket.AF_UNIX).connect(path); print("connected", path)
    except PermissionError:
        pass
print(subprocess.run(["curl", "-sk", "-m", "5", "-w", "%{{http_code}}", "-o", "/dev/null", "-d", "{{}}",
                      "{server}/api/v1/namespaces/default/pods"], capture_output=True, text=True).stdout)
"""
    done = subprocess.run(["setpriv", f"--reuid={NOBODY.pw_uid}", f"--regid={NOBODY.pw_gid}", "--clear-groups",
                           sys.executable, "-c", program], capture_output=True, text=True, check=False, cwd="/")
    assert (done.stdout, done.stderr) == ("403\n", "")


def test_under_sudo_the_kubeconfig_is_the_users(lab, tmp_path, monkeypatch):
    from netlab.kernel import user_files
    from netlab.lab import kubeconfig

    for directory in (tmp_path, *tmp_path.parents[:2]):
        os.chmod(directory, 0o755)
    home = tmp_path / "home"
    home.mkdir(mode=0o700)
    os.chown(home, NOBODY.pw_uid, NOBODY.pw_gid)
    owner = user_files.Owner(NOBODY.pw_uid, NOBODY.pw_gid, home)
    monkeypatch.setattr(user_files, "invoking_user", lambda: owner)
    path = kubeconfig.give(LAB)
    found = path.stat()
    assert (path, found.st_uid, found.st_mode & 0o777) == (home / ".kube" / "netlab" / f"{LAB}.yaml", NOBODY.pw_uid,
                                                            0o600)


def test_a_program_in_a_pod_gets_in_as_its_account(lab):
    assert ask("tool", "/version", home=lab)[0] == 200
    assert ask("tool", "/version", token="", home=lab)[0] == 200
    assert ask("tool", "/api", token="", home=lab)[0] == 403
    assert ask("tool", "/version", token="wrong", home=lab)[0] == 401
    code, body = ask("tool", "/api/v1/namespaces/default/pods", home=lab)
    assert (code, json.loads(body)["message"]) == (
        403, 'pods is forbidden: User "system:serviceaccount:default:default" cannot list resource "pods" in API '
             'group "" in the namespace "default"')
    assert ask("tool", "/netlab/v1/status", home=lab)[0] == 403
    assert netlab("exec", "tool", "--", "cat", f"{TOKEN_DIR}/namespace", home=lab).stdout == "default"
    assert netlab("exec", "without", "--", "ls", TOKEN_DIR, home=lab, check=False).returncode != 0


def test_names_that_are_not_the_apis_are_refused(lab):
    server, ca, token = config(lab)
    for header in ("Host: evil.example", "Origin: https://evil.example"):
        assert curl("--cacert", ca, "-H", f"Authorization: Bearer {token}", "-H", header, f"{server}/api")[0] == 403


def kill_daemon():
    _, pid, _ = json.loads((names.run_dir(LAB) / "daemon.json").read_text())
    os.kill(pid, signal.SIGKILL)


def taken(port):
    """A listener at the port, as soon as the dead daemon's last thread has let go of it; None until then."""
    other = socket.socket()
    other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        other.bind(("127.0.0.1", port))
        other.listen()
    except OSError:
        other.close()
        return None
    return other


def test_a_daemon_that_starts_again_is_reached_as_before(lab):
    before = config(lab)
    kill_daemon()
    netlab("up", home=lab)
    assert config(lab) == before
    assert curl("--cacert", before[1], "-H", f"Authorization: Bearer {before[2]}", f"{before[0]}/api")[0] == 200
    assert ask("tool", "/version", home=lab)[0] == 200


def test_a_port_that_another_took_meanwhile_is_replaced(lab):
    server, ca, token = config(lab)
    kill_daemon()
    found = []
    until(lambda: found.append(taken(int(server.rpartition(":")[2]))) or found[-1])
    with found[-1]:
        netlab("up", home=lab)
        now = config(lab)
        assert now[0] != server
        assert now[1:] == (ca, token)
        assert curl("--cacert", ca, "-H", f"Authorization: Bearer {token}", f"{now[0]}/api")[0] == 200
