"""Names of everything a lab puts on the machine; all follow from the lab's name, so nothing needs a journal.

    /run/netns/LAB.NODE  LAB.client  LAB.fabric  LAB.NAMESPACE.POD     network namespaces
    /run/netns/LAB.load-balancer                                       one more, in labs that have one
    /run/netns/LAB.internet  LAB.internet-dns  LAB.HOST                the outside world, in labs that have one
    /etc/netns/NETNS/resolv.conf                                       what `ip netns exec NETNS` resolves by
    /run/netlab/.LAB.lock                                              held while a daemon or a helper runs
    /run/netlab/LAB/                                                   the run directory, mode 0700
        lab.json        the lab's settings          state.db      the store
        api/api.sock    the API, all verbs          view/api.sock the API, reading only (what pods may be given)
        daemon.json     process record              daemon.log
        pki/            the API's certificates      access.json   tokens and port of the API
        kubeconfig      root's way in               kubeconfigs.json  copies of it in homes
        init.json       process record of the lab init            init.sock
        pods/UID/       a pod: its socket, exit codes, logs, /etc files
        outside/HOST/   the same of a host of the outside world
        bin/            `iptables` and its kin, legacy variant, for the PATH of nodes and pods
"""

from __future__ import annotations

from pathlib import Path

from netlab.model.lab_spec import CLIENT, FABRIC, LOAD_BALANCER

RUN = Path("/run/netlab")
NETNS = Path("/run/netns")
ETC_NETNS = Path("/etc/netns")


def run_dir(lab: str) -> Path:
    """The lab's run directory."""
    return RUN / lab


def lock_file(lab: str) -> Path:
    """The lock of a lab name; only who holds it removes it."""
    return RUN / f".{lab}.lock"


def api_socket(lab: str) -> Path:
    """The API's unix socket: every verb, root only."""
    return run_dir(lab) / "api" / "api.sock"


def view_socket(lab: str) -> Path:
    """The API's unix socket that allows reading only."""
    return run_dir(lab) / "view" / "api.sock"


def kubeconfig(lab: str) -> Path:
    """Root's kubeconfig."""
    return run_dir(lab) / "kubeconfig"


def pod_dir(lab: str, uid: str) -> Path:
    """Everything of one pod that is not in the store."""
    return run_dir(lab) / "pods" / uid


def outside_dir(lab: str, host: str) -> Path:
    """Everything of one host of the outside world."""
    return run_dir(lab) / "outside" / host


def node_netns(lab: str, node: str) -> str:
    """The netns of a node, or of another host that has a name of its own, such as those of the outside world."""
    return f"{lab}.{node}"


def client_netns(lab: str) -> str:
    """The netns of the host outside of the cluster."""
    return f"{lab}.{CLIENT}"


def fabric_netns(lab: str) -> str:
    """The netns of the bridge that joins nodes and client."""
    return f"{lab}.{FABRIC}"


def load_balancer_netns(lab: str) -> str:
    """The netns of the lab's load balancer, outside of the cluster."""
    return f"{lab}.{LOAD_BALANCER}"


def pod_netns(lab: str, namespace: str, pod: str) -> str:
    """The netns of a pod (pods on the host network have none of their own).

    A file name has at most 255 characters, a pod's name alone 253: longer ones are cut and end in a hash.
    """
    name = f"{lab}.{namespace}.{pod}"
    if len(name) <= 255:
        return name
    from hashlib import sha256  # rarely needed, and slow to import

    return f"{name[:244]}-{sha256(name.encode()).hexdigest()[:10]}"


def is_of_lab(netns: str, lab: str) -> bool:
    """Whether a netns of that name belongs to the lab: `a.worker` to `a`, `a-b.worker` not."""
    return netns.startswith(f"{lab}.")
