"""kubectl and env: the real kubectl, pointed at a lab."""

from __future__ import annotations

import os
import shlex
import sys
from pathlib import Path

from netlab.cli.arguments import Arguments
from netlab.cli.context import lab_name
from netlab.model.errors import LabError


def kubectl(arguments: Arguments) -> int:
    """Becomes kubectl, with the lab's kubeconfig."""
    from netlab.lab.kubeconfig import find

    environment = os.environ | {"KUBECONFIG": str(find(lab_name(arguments)))}
    if os.geteuid() == 0:  # root's cache goes with the lab, and never into the home of whoever called sudo
        environment.setdefault("KUBECACHEDIR", f"{Path(environment['KUBECONFIG']).parent}/kubectl-cache")
    sys.stdout.flush()
    try:
        os.execvpe("kubectl", ["kubectl", *arguments.program], environment)
    except FileNotFoundError:
        raise LabError("kubectl is not installed", exit_code=3,
                       hint="install it (https://kubernetes.io/docs/tasks/tools/, or Debian's package "
                            "kubernetes-client), or use netlab's own get, apply, exec and logs") from None


def env(arguments: Arguments) -> int:
    """Prints what a shell evaluates so that kubectl there speaks to the lab, or (`--unset`) no longer does."""
    if arguments.flag("unset"):
        print("unset KUBECONFIG")
        return 0
    from netlab.lab.kubeconfig import find, give

    path = find(lab_name(arguments))
    if os.geteuid() == 0:
        path = give(lab_name(arguments))
    print(f"export KUBECONFIG={shlex.quote(str(path))}")
    return 0
