"""Who a workload is: the pod that it runs in."""

from __future__ import annotations

import os
import socket
from dataclasses import dataclass


@dataclass(frozen=True)
class Identity:
    """The pod's name, namespace, node and address; "" where unknown."""

    pod: str
    namespace: str = ""
    node: str = ""
    pod_ip: str = ""


def identity() -> Identity:
    """What the kubelet says of the pod by the environment; the hostname where it says nothing."""
    get = os.environ.get
    return Identity(get("NETLAB_POD") or socket.gethostname(), get("NETLAB_NAMESPACE", ""), get("NETLAB_NODE", ""),
                    get("NETLAB_POD_IP", ""))
