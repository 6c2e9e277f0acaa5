"""From a write in a lab's API to the first packet that arrives at the new backend, on every node of the lab.

One Service of two pods changes its selector from one pod to the other, beside a thousand other Services with three
endpoints each. On each node a process sends datagrams to the Service, each from a new port, until the wanted pod
answers. Between the write and the answer lie HTTP, validation, the store, the EndpointSlice controller, kube-proxy's
wait for more changes, and the kernel.
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

SERVICES, ENDPOINTS, CHANGES = 1000, 3, 15
ADDRESS = "10.96.200.1"
NS = "/api/v1/namespaces/default"
CLIENT = """
import socket, sys, time
for line in sys.stdin:
    pod = line.strip().encode()
    while True:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as made:
            made.settimeout(0.01)
            try:
                made.connect((sys.argv[1], 80))
                made.send(b"x")
                if pod in made.recv(2000):
                    break
            except OSError:
                pass
            time.sleep(0.001)
    print(time.perf_counter(), flush=True)
"""


def follow(mode: str, budget: float) -> bool:
    """Prints the figures; whether the median is within the budget (ms)."""
    lab = Lab.up(LabSpec(name=f"bench{os.getpid()}", proxy_mode=mode), new=True)
    try:
        fill(lab)
        clients = [subprocess.Popen(["ip", "netns", "exec", names.node_netns(lab.spec.name, node), sys.executable, "-c",
                                     CLIENT, ADDRESS], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
                   for node in lab.spec.nodes]
        try:
            took = [move(lab, clients, "ab"[number % 2]) for number in range(CHANGES + 2)][2:]
        finally:
            for client in clients:
                client.kill()
                client.wait()
    finally:
        lab.down()
    print(f"{mode}, beside {SERVICES}x{ENDPOINTS}: a write in the API until the new backend answers, "
          f"{CHANGES} changes, {len(clients)} nodes, ms")
    middle = statistics.median(one for times in took for one in times)
    for label, found in (("the first node that follows", [min(times) for times in took]),
                         ("any node", [one for times in took for one in times]),
                         ("the last node that follows", [max(times) for times in took])):
        print(f"  {label:42} best {min(found):8.2f}  median {statistics.median(found):8.2f}  worst {max(found):8.2f}")
    print(f"  median {middle:.1f} of {budget:g}: {'ok' if middle <= budget else 'MISSED'}", flush=True)
    return middle <= budget


def move(lab: Lab, clients: list[subprocess.Popen[str]], pod: str) -> list[float]:
    """Milliseconds until each client gets an answer of that pod."""
    time.sleep(0.4)  # the lab rests, as it does when nothing happens
    start = time.perf_counter()
    lab.api.json("PATCH", f"{NS}/services/moving", {"spec": {"selector": {"which": pod}}},
                  content_type="application/merge-patch+json")
    for client in clients:
        assert client.stdin is not None
        client.stdin.write(f"pod={pod} \n")
        client.stdin.flush()
    return [(float(client.stdout.readline()) - start) * 1000 for client in clients if client.stdout]


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
