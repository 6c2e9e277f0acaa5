"""How fast a lab's API answers: kubectl as a process, lists, creates under watches, watch latency, a bulk apply.

    PYTHONPATH=. python scripts/benches/api.py

One lab with 100 running pods is asked by processes of their own, over the unix socket; kubectl comes by TLS. The list
client sends its requests in bunches (pipelined, keep-alive), so that it costs less than the server: what is measured
is the server. The peers, in the same run: `kubectl version --client`, which asks nobody, and Python's http.server
that serialises the same list for every request.
"""

from __future__ import annotations

import json
import os
import selectors
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from netlab.kernel.process import read_record
from netlab.lab.lab import Lab
from netlab.model.lab_spec import LabSpec
from netlab.server.client import ApiClient
from netlab.topology import names

LAB = f"bench{os.getpid()}"
NS = "/api/v1/namespaces/default"
ROUNDS = 12
PODS = 100
WATCHES = 100
CREATES = 3000
APPLIED = 500
KUBECTL = os.environ.get("KUBECTL", "")
HEAD = b"HTTP/1.1 200 OK\r\n"


def best(series: list[float]) -> str:
    """Best and median in ms."""
    return f"best {min(series) * 1000:7.1f} ms   median {sorted(series)[len(series) // 2] * 1000:7.1f} ms"


def cpu(pid: int) -> float:
    """The seconds of processor time that all threads of a process have taken."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@contextmanager
def helper(*arguments: object) -> Iterator[subprocess.Popen[str]]:
    """This file in another process; it says a line when it is ready, and is killed at the end."""
    with subprocess.Popen([sys.executable, "-P", __file__, *map(str, arguments)], stdin=subprocess.PIPE,
                          stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            process.stdout.readline()
            yield process
        finally:
            process.kill()


# kubectl as a whole process


def find_kubectl() -> str:
    """A kubectl that is one program: some are dispatchers, which start twice and ask for the server's version first."""
    found = shutil.which("kubectl")
    several = Path(found).resolve().parent.glob("kubectl.1.*") if found else ()
    return str(max(several, key=lambda path: int(path.suffix[1:]), default=found or ""))


def kubectl(*arguments: str, data: str = "") -> float:
    """Seconds of one kubectl."""
    start = time.perf_counter()
    done = subprocess.run([KUBECTL, *arguments], input=data, text=True, capture_output=True, check=False)
    seconds = time.perf_counter() - start
    if done.returncode:
        sys.exit(f"kubectl {' '.join(arguments)}: {done.stderr}")
    return seconds


def bench_kubectl(place: Path) -> None:
    """`get svc` with discovery cached and not, against `version --client`."""
    at = ("--kubeconfig", str(names.run_dir(LAB) / "kubeconfig"), "--cache-dir")
    times: dict[str, list[float]] = {"kubectl version --client": [], "kubectl get svc": [],
                                     "kubectl get svc, no cache": []}
    kubectl(*at, str(place / "warm"), "get", "svc")
    for number in range(ROUNDS):
        times["kubectl version --client"].append(kubectl("version", "--client"))
        times["kubectl get svc"].append(kubectl(*at, str(place / "warm"), "get", "svc"))
        times["kubectl get svc, no cache"].append(kubectl(*at, str(place / f"cold{number}"), "get", "svc"))
    for name, series in times.items():
        print(f"  {name:30} {best(series)}")
    alone, asking, cold = (min(series) for series in times.values())
    limit = 1.2 * alone + 0.010
    print(f"  get svc / (1.2 x version + 10 ms): {asking / limit:.2f}, without a cache {cold / limit:.2f}   (target 1)")


# Lists


def load(path: str, target: str, seconds: float, connections: int, bunch: int) -> None:
    """What the load client does: `bunch` requests are under way on each connection; it prints what came back."""
    request = f"GET {target} HTTP/1.1\r\nHost: lab\r\nAccept: application/json\r\n\r\n".encode()
    chosen = selectors.DefaultSelector()
    for _ in range(connections):
        made = socket.socket(socket.AF_UNIX)
        made.connect(path)
        made.sendall(request * bunch)
        chosen.register(made, selectors.EVENT_READ, [b"", 0])
    buffer = memoryview(bytearray(1 << 20))
    count = size = 0
    print("ready", flush=True)
    start, spent = time.perf_counter(), time.process_time()
    while (now := time.perf_counter()) - start < seconds:
        for key, _ in chosen.select(1.0):
            made, state = key.fileobj, key.data
            assert isinstance(made, socket.socket)
            got = made.recv_into(buffer)
            answers = answers_in(buffer[:got], state)
            count, size = count + answers, size + got
            if not got:
                sys.exit("the server closed the connection")
            if answers:
                made.sendall(request * answers)
    print(json.dumps({"rate": count / (now - start), "size": size / max(count, 1),
                      "client": (time.process_time() - spent) / (now - start)}))


def answers_in(piece: memoryview, state: list[Any]) -> int:
    """How many answers end in these bytes; `state` is the head that has begun, and what a body lacks."""
    count = 0
    while piece or not state[1]:
        taken = min(state[1], len(piece))
        state[1] -= taken
        piece = piece[taken:]
        if state[1] or not piece:
            break
        text = state[0] + piece[:1024].tobytes()
        end = text.find(b"\r\n\r\n")
        if end < 0:
            state[0] = text
            break
        if not text.startswith(HEAD):
            sys.exit(f"the server answers {text[:100]!r}")
        piece = piece[end + 4 - len(state[0]):]
        state[0], state[1] = b"", int(text[:end].lower().partition(b"content-length: ")[2].partition(b"\r")[0])
        count += 1
    return count


def constant(place: str, list_file: str) -> None:
    """The peer that does nothing but send: a thread per connection, the same bytes for whatever comes."""
    body = Path(list_file).read_bytes()
    answer = HEAD + b"Content-Length: %d\r\n\r\n" % len(body) + body

    def serve(connection: socket.socket) -> None:
        with suppress(ConnectionError):
            while data := connection.recv(65536):
                for _ in range(data.count(b"\r\n\r\n")):
                    connection.sendall(answer)

    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(place)
        listener.listen(64)
        print("ready", flush=True)
        while True:
            threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()


def naive(place: str, list_file: str) -> None:
    """The peer: http.server, and json.dumps of the list for each request."""
    from http.server import BaseHTTPRequestHandler
    from socketserver import ThreadingMixIn, UnixStreamServer

    value = json.loads(Path(list_file).read_text())

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            body = json.dumps(value).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def address_string(self) -> str:
            return "unix"

        def log_message(self, format: str, *args: Any) -> None:
            pass

        def handle(self) -> None:
            with suppress(ConnectionError):
                super().handle()

    class Server(ThreadingMixIn, UnixStreamServer):
        daemon_threads = True

    server = Server(place, Handler)
    print("ready", flush=True)
    server.serve_forever()


def rate(path: str, target: str, pid: int, *, seconds: float = 1.5, bunch: int = 1) -> tuple[float, str]:
    """Answers per second, and that in words."""
    with helper("--load", path, target, seconds, 8, bunch) as process:
        assert process.stdout is not None
        spent, start = cpu(pid), time.perf_counter()
        found = json.loads(process.stdout.readline())
        share = (cpu(pid) - spent) / (time.perf_counter() - start)
    return found["rate"], (f"{found['rate']:9,.0f} /s   {found['size'] / 1000:5.1f} kB each   processor: server "
                           f"{share:4.0%}, client {found['client']:4.0%}")


def bench_lists(lab: Lab, pid: int, place: Path) -> None:
    """Lists of 100 pods, against the naive server; a get of one, and a Table."""
    target = f"{NS}/pods"
    (place / "list.json").write_bytes(lab.api.request("GET", target))
    results: dict[str, list[tuple[float, str]]] = {}
    for number in range(3):
        results.setdefault(f"netlab, list of {PODS} pods", []).append(rate(lab.api.path, target, pid))
        for name, what in (("--constant", "the same bytes, only sent"), ("--naive", "http.server with json.dumps")):
            socket_path = str(place / f"{name}{number}.sock")
            with helper(name, socket_path, place / "list.json") as peer:
                results.setdefault(what, []).append(rate(socket_path, target, peer.pid))
    for name, series in results.items():
        print(f"  {name:30} {max(series)[1]}")
    ours, sent, dumped = (max(series)[0] for series in results.values())
    print(f"  {'netlab, one pod':30} {rate(lab.api.path, f'{target}/p1', pid, bunch=16)[1]}")
    print(f"  {'netlab, 100 small objects':30} {rate(lab.api.path, '/api/v1/namespaces/small/configmaps', pid)[1]}")
    print(f"  lists, netlab / http.server: {ours / dumped:.1f}, netlab / only sent: {ours / sent:.2f};  "
          f"of 10,000 /s: {ours / 10_000:.2f}")


# Creates under watches


def watch(path: str, target: str, count: int, wanted: int) -> None:
    """What the watching client does: it prints how many of `wanted` events each watch got, when all have them."""
    chosen = selectors.DefaultSelector()
    for _ in range(count):
        made = socket.socket(socket.AF_UNIX)
        made.connect(path)
        made.sendall(f"GET {target} HTTP/1.1\r\nHost: lab\r\n\r\n".encode())
        chosen.register(made, selectors.EVENT_READ, [0, made.recv(65536)[-20:]])
    print("ready", flush=True)
    buffer, mark = memoryview(bytearray(1 << 20)), b'{"type":"ADDED"'
    missing = count
    while missing:
        for key, _ in chosen.select(60.0) or sys.exit("no events within a minute"):
            made, state = key.fileobj, key.data
            assert isinstance(made, socket.socket)
            got = made.recv_into(buffer)
            if not got:
                sys.exit(f"a watch ended after {state[0]} events")
            piece = state[1] + bytes(buffer[:got])
            before, state[0], state[1] = state[0], state[0] + piece.count(mark), piece[-len(mark) + 1:]
            missing -= before < wanted <= state[0]
    print(time.perf_counter(), time.process_time(), *sorted({key.data[0] for key in chosen.get_map().values()}))


def configmap(name: str) -> dict[str, Any]:
    """What is created."""
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "labels": {"app": "bench"}},
            "data": {"colour": "blue", "text": "x" * 200}}


def bench_creates(lab: Lab, pid: int) -> None:
    """One client creates, one request after the other, while 100 watches are open."""
    lab.api.json("POST", "/api/v1/namespaces", {"metadata": {"name": "bench"}})
    place = "/api/v1/namespaces/bench/configmaps"
    while not lab.api.get(place)["items"]:
        time.sleep(0.01)  # the namespace gets its kube-root-ca.crt
    revision = lab.api.get(place)["metadata"]["resourceVersion"]
    target = f"{place}?watch=true&resourceVersion={revision}"
    for watches in (0, WATCHES):
        with helper("--watch", lab.api.path, target, watches or 1, CREATES) as watchers:
            spent, start = cpu(pid), time.perf_counter()
            for number in range(CREATES):
                lab.api.request("POST", f"{place}?fieldManager=bench", configmap(f"c{watches}-{number}"))
            seconds = time.perf_counter() - start
            assert watchers.stdout is not None
            answer = watchers.stdout.readline().split()
            if not answer:
                sys.exit("the watching process failed")
            share = (cpu(pid) - spent) / seconds
            complete = "every one complete" if answer[2:] == [str(CREATES)] else f"NOT COMPLETE: {answer[2:]}"
            print(f"  {CREATES / seconds:6,.0f} creates/s with {watches or 1:3} watches: {complete}, the last event "
                  f"{(float(answer[0]) - start - seconds) * 1000:.0f} ms after the last create; processor: server "
                  f"{share:.0%}, watchers {float(answer[1]) / seconds:.0%}")
        revision = lab.api.get(place)["metadata"]["resourceVersion"]
        target = f"{place}?watch=true&resourceVersion={revision}"
    with helper("--watch", lab.api.path, target, WATCHES, 10_000):
        bench_latency(lab, place)
    lab.api.json("DELETE", place)


def bench_latency(lab: Lab, place: str) -> None:
    """From the moment that a create is sent until a watcher has read its event."""
    events = ApiClient(lab.api.path).watch(place + "?resourceVersion=" + lab.api.get(place)["metadata"][
        "resourceVersion"], timeout=60)
    waits: dict[str, list[float]] = {"answer": [], "event": []}
    for number in range(100):
        time.sleep(0.02)  # each by itself: what follows at once is gathered for some milliseconds
        start = time.perf_counter()
        lab.api.request("POST", place, configmap(f"latency{number}"))
        waits["answer"].append(time.perf_counter() - start)
        while next(events)["object"]["metadata"]["name"] != f"latency{number}":
            pass
        waits["event"].append(time.perf_counter() - start)
    events.close()
    for name, series in waits.items():
        print(f"  create until its {name:6} with {WATCHES} watches  {best(series)}")


# A bulk apply


def bench_apply(lab: Lab, pid: int, place: Path) -> None:
    """`kubectl apply` of 500 objects: new, changed and unchanged."""
    at = ("--kubeconfig", str(names.run_dir(LAB) / "kubeconfig"), "--cache-dir", str(place / "warm"))
    for colour, what in (("blue", "new"), ("red", "changed"), ("red", "unchanged")):
        items: list[dict[str, Any]] = []
        for number in range(APPLIED // 5 * 4):
            items.append(configmap(f"a{number}") | {"data": {"colour": colour}})
        for number in range(APPLIED // 5):
            items.append({"apiVersion": "v1", "kind": "Service",
                          "metadata": {"name": f"s{number}", "labels": {"colour": colour}},
                          "spec": {"selector": {"app": f"s{number}"}, "ports": [{"port": 80}]}})
        text = json.dumps({"apiVersion": "v1", "kind": "List", "items": items})
        before, spent = lab.api.get("/netlab/v1/status")["api"], cpu(pid)
        seconds = kubectl(*at, "apply", "-f", "-", data=text)
        after = lab.api.get("/netlab/v1/status")["api"]
        print(f"  kubectl apply of {len(items)} {what:9} {seconds:5.2f} s (target 10), of which the API server "
              f"{after['seconds'] - before['seconds']:.2f} s (target 1) in {after['requests'] - before['requests']} "
              f"requests; the daemon with its controllers {cpu(pid) - spent:.2f} s")


def start_pods(lab: Lab) -> None:
    """Waits until 100 pods run."""
    for number in range(PODS):
        lab.api.json("POST", f"{NS}/pods", {"metadata": {"name": f"p{number}", "labels": {"app": "bench"}},
                                            "spec": {"containers": [{"name": "c", "image": "netlab/echo"}]}})
    lab.api.json("POST", "/api/v1/namespaces", {"metadata": {"name": "small"}})
    for number in range(PODS):
        lab.api.json("POST", "/api/v1/namespaces/small/configmaps", configmap(f"s{number}"))
    end = time.monotonic() + 120
    while not all(pod["status"].get("phase") == "Running" for pod in lab.api.get(f"{NS}/pods")["items"]):
        if time.monotonic() > end:
            sys.exit("the pods do not run")
        time.sleep(0.1)
    lab.settled(60)


def main() -> None:
    """Prints all of it."""
    lab = Lab.up(LabSpec(name=LAB), new=True)
    try:
        pid, _ = read_record(names.run_dir(LAB) / "daemon.json")
        start_pods(lab)
        with tempfile.TemporaryDirectory() as directory:
            parts: list[Callable[[], None]] = [
                lambda: bench_lists(lab, pid, Path(directory)), lambda: bench_creates(lab, pid)]
            if KUBECTL:
                parts += [lambda: bench_kubectl(Path(directory)), lambda: bench_apply(lab, pid, Path(directory))]
            print(f"api: a lab with {PODS} running pods, over its unix socket; {KUBECTL or 'no kubectl'} by TLS")
            for part in parts:
                part()
    finally:
        lab.down()


if __name__ == "__main__":
    if sys.argv[1:2] == ["--load"]:
        load(sys.argv[2], sys.argv[3], float(sys.argv[4]), int(sys.argv[5]), int(sys.argv[6]))
    elif sys.argv[1:2] == ["--constant"]:
        constant(sys.argv[2], sys.argv[3])
    elif sys.argv[1:2] == ["--naive"]:
        naive(sys.argv[2], sys.argv[3])
    elif sys.argv[1:2] == ["--watch"]:
        watch(sys.argv[2], sys.argv[3], int(sys.argv[4]), int(sys.argv[5]))
    elif os.geteuid() != 0:
        sys.exit("needs root")
    else:
        KUBECTL = KUBECTL or find_kubectl()
        main()
