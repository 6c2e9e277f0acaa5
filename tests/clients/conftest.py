"""One lab for the Python clients, reached as users reach a cluster: by the kubeconfig, and in pods by the account."""

import os
import subprocess
import sys
import sysconfig
import types
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
LAB = f"pyc{os.getpid()}"
LAB_FILE = {
    "apiVersion": "netlab/v1", "kind": "Lab", "metadata": {"name": LAB},
    "spec": {"nodes": ["node"], "images": [{
        "name": "clients", "command": ["/usr/bin/python3", "-c"], "env": {"PYTHONPATH": "/clients"},
        "mounts": {sysconfig.get_path("purelib"): "/clients"}}]}}
RIGHTS = """
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: reader}
rules: [{apiGroups: [""], resources: [pods, configmaps], verbs: [get, list, watch]}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: reader}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: reader}
subjects: [{kind: ServiceAccount, name: default, namespace: default}]
"""


def pytest_ignore_collect(collection_path, config):
    """The clients take long to import: not where nothing of them is to run."""
    return True if "not lab" in config.getoption("markexpr") else None


@pytest.fixture(scope="session")
def lab(tmp_path_factory):
    """`kubeconfig` is its path; `netlab(...)` gives what a command printed."""
    if os.geteuid() != 0:
        pytest.skip("a lab needs root")
    home = tmp_path_factory.mktemp("clients")

    def netlab(*arguments, text=""):
        environment = {key: value for key, value in os.environ.items() if not key.startswith(("SUDO_", "NETLAB_"))}
        done = subprocess.run([sys.executable, "-P", "-m", "netlab", *arguments], check=False, timeout=60, cwd="/",
                              env=environment | {"PYTHONPATH": str(ROOT), "HOME": str(home), "NETLAB_NAME": LAB},
                              input=text, capture_output=True, text=True)
        assert done.returncode == 0, f"{arguments}\n{done.stdout}{done.stderr}"
        return done.stdout

    (home / "lab.yaml").write_text(yaml.safe_dump(LAB_FILE))
    try:
        netlab("up", str(home / "lab.yaml"))
        netlab("apply", "-f", "-", text=RIGHTS)
        yield types.SimpleNamespace(kubeconfig=str(home / ".kube/netlab" / f"{LAB}.yaml"), netlab=netlab)
    finally:
        netlab("down")


@pytest.fixture(scope="session")
def in_a_pod(lab):
    """What a Python program prints in a pod, with the clients installed."""
    if sys.base_prefix != "/usr":
        pytest.skip("pods have the machine's Python in /usr, and the clients are installed for another")

    def play(name, program):
        lab.netlab("kubectl", "run", name, "--image=clients", "--restart=Never", "--", program)
        lab.netlab("kubectl", "wait", f"pod/{name}", "--for=jsonpath={.status.containerStatuses[0].state.terminated}",
                   "--timeout=30s")
        said = lab.netlab("kubectl", "logs", name)
        lab.netlab("kubectl", "delete", "pod", name, "--now")
        return said

    return play
