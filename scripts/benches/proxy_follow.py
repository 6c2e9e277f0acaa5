"""From a write in a lab's API to the first packet that arrives at the new backend, on every node of the lab.

One Service of two pods changes its selector from one pod to the other, beside a thousand other Services with three
endpoints each. On a node, one after the other, a process sends datagrams to the Service, each from a new port, until
the wanted pod answers; the time when it sent the answered one counts. Between the write and that lie HTTP, validation,
the store, the EndpointSlice controller, kube-proxy's wait for more changes, and the kernel.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from typing import Any

from netlab.lab.lab import Lab
from netlab.model.lab_spec import LabSpec
from netlab.topology import names

SERVICES, ENDPOINTS, CHANGES = 1000, 3, 7
ADDRESS = "10.96.0.200"  # of the part that is given to those only who ask for it
NS = "/api/v1/namespaces/default"
CLIENT = """
import socket, sys, time
for line in sys.stdin:
    pod = line.strip().encode()
    while True:
        start = time.perf_counter()
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as made:
            made.settimeout(0.02)
            try:
                made.connect((sys.argv[1], 80))
                made.send(b"x")
                if pod in made.recv(2000):
                    break
            except OSError:
                pass
        time.sleep(0.002)
    print(start, flush=True)
"""


def follow(mode: str, budget: float) -> bool:
    """Prints the figures; whether the median is within the budget (ms)."""
    lab = Lab.up(LabSpec(name=f"bench{os.getpid()}", proxy_mode=mode), new=True)
    try:
        start = time.perf_counter()
        fill(lab)
        filled = time.perf_counter() - start
        took: list[float] = []
        for node in lab.spec.nodes:
            inside = ["ip", "netns", "exec", names.node_netns(lab.spec.name, node)]
            with subprocess.Popen([*inside, sys.executable, "-c", CLIENT, ADDRESS], stdin=subprocess.PIPE,
                                  stdout=subprocess.PIPE, text=True) as client:
                try:
                    took += [move(lab, client, "ba"[number % 2]) for number in range(CHANGES + 2)][2:]
                finally:
                    client.kill()
            lab.api.json("PATCH", f"{NS}/services/moving", {"spec": {"selector": {"which": "a"}}},
                         content_type="application/merge-patch+json")
    finally:
        lab.down()
    middle = statistics.median(took)
    print(f"{mode}, beside {SERVICES}x{ENDPOINTS}, created in {filled:.1f} s: a write in the API until the first "
          f"packet to the new backend,\n  {CHANGES} changes seen from each of {len(lab.spec.nodes)} nodes: "
          f"best {min(took):.1f}  median {middle:.1f}  worst {max(took):.1f} ms   (median at most {budget:g})"
          f"{'  ok' if middle <= budget else '  MISSED'}", flush=True)
    return middle <= budget


def move(lab: Lab, client: subprocess.Popen[str], pod: str) -> float:
    """Milliseconds until the client sends the first datagram that this pod answers."""
    time.sleep(0.3)  # the lab rests, as it does when nothing happens
    assert client.stdin is not None
    assert client.stdout is not None
    start = time.perf_counter()
    lab.api.json("PATCH", f"{NS}/services/moving", {"spec": {"selector": {"which": pod}}},
                 content_type="application/merge-patch+json")
    client.stdin.write(f"pod={pod} \n")
    client.stdin.flush()
    return (float(client.stdout.readline()) - start) * 1000


def fill(lab: Lab) -> None:
    """The other Services with addresses that nobody has, and the two pods."""
    for number in range(SERVICES):
        name = f"service-{number:05}"
        lab.api.json("POST", f"{NS}/services", {
            "metadata": {"name": name}, "spec": {"ports": [{"port": 80, "targetPort": 8080}]}})
        ends = [{"addresses": [f"10.250.{n >> 8}.{n & 255}"], "conditions": {"ready": True}}
                for n in range(number * ENDPOINTS, (number + 1) * ENDPOINTS)]
        lab.api.json("POST", f"/apis/discovery.k8s.io/v1{NS.removeprefix('/api/v1')}/endpointslices", {
            "metadata": {"name": f"{name}-x", "labels": {"kubernetes.io/service-name": name}},
            "addressType": "IPv4", "ports": [{"name": "", "port": 8080, "protocol": "TCP"}], "endpoints": ends})
    port: dict[str, Any] = {"port": 80, "targetPort": 80, "protocol": "UDP"}
    lab.api.json("POST", f"{NS}/services", {"metadata": {"name": "moving"}, "spec": {
        "clusterIP": ADDRESS, "selector": {"which": "a"}, "ports": [port]}})
    for name in "ab":
        lab.api.json("POST", f"{NS}/pods", {"metadata": {"name": name, "labels": {"which": name}}, "spec": {
            "containers": [{"name": "c", "image": "coffee:1"}]}})
    lab.settled(60)
