"""The kubeconfig of a lab: its text, and where users have it.

    /run/netlab/LAB/kubeconfig      root's own, written by the daemon
    ~/.kube/netlab/LAB.yaml         that of the user who typed `netlab up`, under sudo too; it goes with the lab
"""

from __future__ import annotations

import os
from base64 import b64encode
from pathlib import Path

from netlab.model.errors import LabError
from netlab.model.lab_spec import DEFAULT_NAME
from netlab.topology import names


def context(lab: str) -> str:
    """The name of the lab's cluster, user and context: `netlab`, or `netlab-LAB`."""
    return DEFAULT_NAME if lab == DEFAULT_NAME else f"{DEFAULT_NAME}-{lab}"


def text(lab: str, *, server: str, ca: bytes, token: str) -> str:
    """A kubeconfig with one cluster, one user and one context."""
    name = context(lab)
    return f"""apiVersion: v1
kind: Config
clusters:
- name: {name}
  cluster:
    certificate-authority-data: {b64encode(ca).decode()}
    server: {server}
contexts:
- name: {name}
  context:
    cluster: {name}
    user: {name}
current-context: {name}
users:
- name: {name}
  user:
    token: {token}
"""


def user_path(lab: str, home: Path) -> Path:
    """Where a user has the kubeconfig of a lab."""
    return home / ".kube" / "netlab" / f"{lab}.yaml"


def give(lab: str) -> Path:
    """Writes it into the home of the user who typed the command; gives its path. OSError when that cannot be."""
    from netlab.kernel import user_files

    owner = user_files.invoking_user()
    path = user_path(lab, owner.home)
    user_files.remember(names.run_dir(lab), owner, path)
    user_files.write(owner, path, names.kubeconfig(lab).read_text())
    return path


def find(lab: str) -> Path:
    """The kubeconfig of a running lab, for the user of this process. LabError (exit code 4) when there is none."""
    named = "" if lab == DEFAULT_NAME else f" --name {lab}"
    if os.geteuid() == 0:
        path = names.kubeconfig(lab)
    else:
        path = user_path(lab, Path(os.environ.get("HOME") or "/"))
    if not path.exists():
        raise LabError(f'no lab named "{lab}" is running, or another user started it: {path} is not there',
                       hint=f"sudo netlab up{named}", exit_code=4)
    return path
