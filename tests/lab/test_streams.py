"""exec, attach, port-forward, cp and proxy by real kubectl, by its oldest and newest protocols, and by WebSockets."""

import contextlib
import fcntl
import json
import os
import pty
import re
import select
import shutil
import signal
import socket
import struct
import subprocess
import sys
import termios
import time
from pathlib import Path

import pytest
from stream_client import Bridge, WebSocket

from netlab.kernel.process import read_record
from netlab.lab.lab import Lab
from netlab.model.lab_spec import LabSpec
from netlab.topology import names

pytestmark = pytest.mark.lab
NAME = f"stream{os.getpid()}"
PODS = "/api/v1/namespaces/default/pods"
ROUNDS = 200
MANIFESTS = """
apiVersion: v1
kind: Pod
metadata: {name: web, labels: {app: web}}
spec: {containers: [{name: c, image: netlab/echo, ports: [{containerPort: 80}]}]}
---
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {selector: {app: web}, ports: [{port: 80}]}
---
apiVersion: v1
kind: Pod
metadata: {name: box}
spec:
  terminationGracePeriodSeconds: 1
  containers:
  - {name: c, image: busybox, command: [sleep, infinity], workingDir: /tmp}
  - {name: ticker, image: busybox, command: [sh, -c, "while :; do echo tick; sleep 0.05; done"]}
"""


def _versions():
    found = shutil.which("kubectl")
    if not found:
        return {}
    place = Path(found).resolve().parent
    several = {v: str(place / f"kubectl.{v}") for v in ("1.27", "1.30", "1.33") if (place / f"kubectl.{v}").exists()}
    return several or {"installed": found}


KUBECTL = _versions()
each_kubectl = pytest.mark.parametrize("version", list(KUBECTL) or [pytest.param("", marks=pytest.mark.skip(
    reason="no kubectl on the PATH"))])


@pytest.fixture(scope="module")
def lab():
    lab = Lab.up(LabSpec(name=NAME, nodes=("node",)))
    bridge = None
    try:
        command = [sys.executable, "-P", "-m", "netlab", "--name", NAME, "apply", "-f", "-"]
        root = str(Path(__file__).resolve().parents[2])
        subprocess.run(command, input=MANIFESTS, text=True, check=True, capture_output=True,
                       env=os.environ | {"PYTHONPATH": root})
        until(lambda: all(ready(lab, name) for name in ("web", "box")), 20, "the pods are ready")
        lab.settled()
        bridge = Bridge(lab.api.path)
        lab.port = bridge.port
        yield lab
    finally:
        if bridge:
            bridge.close()
        lab.down()


def ready(lab, pod):
    conditions = lab.api.get(f"{PODS}/{pod}").get("status", {}).get("conditions") or ()
    return any(c["type"] == "Ready" and c["status"] == "True" for c in conditions)


def until(condition, limit, what):
    end = time.monotonic() + limit
    while not (found := condition()):
        assert time.monotonic() < end, f"not within {limit} s: {what}"
        time.sleep(0.02)
    return found


def command(lab, version, *arguments):
    return [KUBECTL[version], f"--server=http://127.0.0.1:{lab.port}", "--kubeconfig=/dev/null", *arguments]


def kubectl(lab, version, *arguments, data=None, spdy=False, limit=60):
    env = os.environ | ({"KUBECTL_REMOTE_COMMAND_WEBSOCKETS": "false"} if spdy else {})
    return subprocess.run(command(lab, version, *arguments), input=data, capture_output=True, env=env, timeout=limit,
                          check=False, **({} if data is not None else {"stdin": subprocess.DEVNULL}))


def processes(text):
    """The numbers of the processes on this machine whose command line is that."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            if path.read_bytes().replace(b"\0", b" ").decode(errors="replace").strip() == text:
                found.append(int(path.parent.name))
    return found


@each_kubectl
@pytest.mark.parametrize("spdy", [False, True])
def test_exec_gives_output_and_exit_code(lab, version, spdy):
    done = kubectl(lab, version, "exec", "box", "-c", "c", "--", "sh", "-c", "echo out; echo err >&2; exit 3",
                   spdy=spdy)
    assert (done.returncode, done.stdout) == (3, b"out\n")
    assert done.stderr == b"err\ncommand terminated with exit code 3\n"
    done = kubectl(lab, version, "exec", "box", "-c", "c", "--", "sh", "-c", "pwd; kill -9 $$", spdy=spdy)
    assert (done.returncode, done.stdout) == (137, b"/tmp\n")
    done = kubectl(lab, version, "exec", "-i", "web", "--", "cat", data=b"hello\n", spdy=spdy)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"hello\n", b"")


@each_kubectl
def test_what_cannot_be_executed_is_said_in_upstreams_words(lab, version):
    done = kubectl(lab, version, "exec", "web", "--", "nosuch")
    assert done.returncode == 1
    assert re.match(
        rb'error: Internal error occurred: error executing command in container: failed to exec in container: failed '
        rb'to start exec "[0-9a-f]{64}": OCI runtime exec failed: exec failed: unable to start container process: '
        rb'exec: "nosuch": executable file not found in \$PATH: unknown\n$', done.stderr)
    for arguments, text in [
            (("exec", "-c", "x", "web", "--", "ls"),
             b"Error from server (BadRequest): container x is not valid for pod web\n"),
            (("exec", "none", "--", "ls"), b'Error from server (NotFound): pods "none" not found\n')]:
        done = kubectl(lab, version, *arguments)
        assert (done.returncode, done.stderr) == (1, text)


@each_kubectl
@pytest.mark.parametrize("spdy", [False, True])
def test_five_megabytes_go_both_ways_unchanged(lab, version, spdy, tmp_path):
    data = os.urandom(5_000_000)
    done = kubectl(lab, version, "exec", "-i", "web", "--", "cat", data=data, spdy=spdy)
    assert (done.returncode, done.stdout == data, done.stderr) == (0, True, b"")


@each_kubectl
def test_cp_copies_into_a_pod_and_out_of_it(lab, version, tmp_path):
    (tmp_path / "there").write_bytes(os.urandom(1_000_000))
    for arguments in (["there", "box:/tmp/a"], ["box:/tmp/a", "back"]):
        done = subprocess.run(command(lab, version, "cp", "-c", "c", *arguments), cwd=tmp_path, capture_output=True,
                              check=False, timeout=60)
        assert done.returncode == 0, done.stderr
    assert (tmp_path / "back").read_bytes() == (tmp_path / "there").read_bytes()


class Terminal:
    """A program on a terminal of 33 rows and 101 columns."""

    def __init__(self, argv):
        self.pid, self.master = pty.fork()
        if self.pid == 0:
            fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", 33, 101, 0, 0))
            os.execv(argv[0], argv)
        self.output = b""

    def until(self, text, limit=20):
        """Waits for the text; `before` is then what came before it."""
        end = time.monotonic() + limit
        while text not in self.output:
            left = end - time.monotonic()
            assert left > 0, f"{text!r} does not come: {self.output!r}"
            if select.select([self.master], [], [], left)[0]:
                try:
                    self.output += os.read(self.master, 4096)
                except OSError:
                    break
        assert text in self.output, self.output
        self.before, self.output = self.output.split(text, 1)

    def type(self, text):
        os.write(self.master, text)

    def resize(self, rows, columns):
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def code(self):
        with contextlib.suppress(OSError):
            while os.read(self.master, 4096):
                pass
        os.close(self.master)
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])


@each_kubectl
def test_a_terminal_has_the_clients_size_follows_it_and_gives_the_exit_code(lab, version):
    terminal = Terminal(command(lab, version, "exec", "-it", "box", "-c", "c", "--", "sh"))
    terminal.type(b"stty size; echo $TERM\n")
    terminal.until(b"33 101\r\nxterm\r\n")
    terminal.resize(40, 120)

    def size():
        terminal.type(b"stty size\n")
        terminal.until(b"stty size\r\n")
        terminal.until(b"\r\n")
        return terminal.before == b"40 120"

    until(size, 10, "the new size")
    terminal.type(b"exit 5\n")
    assert terminal.code() == 5


@each_kubectl
def test_run_with_a_terminal_is_a_session_that_leaves_nothing(lab, version):
    name = f"run{version.replace('.', '')}"
    terminal = Terminal(command(lab, version, "run", name, "-it", "--rm", "--image=busybox", "--restart=Never", "--",
                                "sh"))
    terminal.until(b"# ")
    terminal.type(b"echo $((6*7))\n")
    terminal.until(b"42\r\n")
    terminal.type(b"exit 6\n")
    assert terminal.code() == 6
    done = kubectl(lab, version, "run", f"{name}p", "-i", "--image=busybox", "--restart=Never", "--", "sh",
                   data=b"echo kept; exit 4\n")
    assert (done.returncode, done.stdout) == (4, b"kept\n"), done.stderr
    assert kubectl(lab, version, "logs", f"{name}p").stdout == b"kept\n"
    done = kubectl(lab, version, "run", f"{name}q", "-i", "--rm", "--image=busybox", "--restart=Never", "--", "nosuch",
                   data=b"")
    assert done.returncode != 0
    assert name not in [pod["metadata"]["name"] for pod in lab.api.get(PODS)["items"]]


@each_kubectl
def test_attach_follows_a_container_that_runs_already(lab, version):
    with subprocess.Popen(command(lab, version, "attach", "box", "-c", "ticker"), stdout=subprocess.PIPE,
                          stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL) as process:
        assert [process.stdout.readline() for _ in range(3)] == [b"tick\n"] * 3
        process.kill()
    done = kubectl(lab, version, "logs", "box", "-c", "ticker", "--tail=2")
    assert done.stdout == b"tick\ntick\n"


@contextlib.contextmanager
def forwarded(lab, version, *arguments):
    """(process, local port) of a kubectl port-forward."""
    with subprocess.Popen(command(lab, version, "port-forward", *arguments), stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, stdin=subprocess.DEVNULL) as process:
        try:
            yield process, int(re.search(rb"127\.0\.0\.1:(\d+) ->", process.stdout.readline())[1])
        finally:
            process.kill()


def page(port, *, half_close=False):
    with socket.create_connection(("127.0.0.1", port), 10) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        if half_close:
            connection.shutdown(socket.SHUT_WR)
        return b"".join(iter(lambda: connection.recv(65536), b""))


@each_kubectl
@pytest.mark.parametrize("target", ["pod/web", "service/web"])
def test_a_forwarded_port_takes_many_connections(lab, version, target):
    with forwarded(lab, version, target, ":80") as (_, port):
        for half_close in (False, True, False):
            assert page(port, half_close=half_close).startswith(b"HTTP/1.1 200 OK")
        several = [socket.create_connection(("127.0.0.1", port), 10) for _ in range(20)]
        for connection in several:
            connection.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        for connection in reversed(several):
            with connection:
                assert connection.recv(15) == b"HTTP/1.1 200 OK"


@each_kubectl
def test_a_port_where_nobody_listens_is_refused_in_upstreams_words(lab, version):
    with forwarded(lab, version, "pod/box", ":81") as (process, port):
        with contextlib.suppress(ConnectionError):
            page(port)
        _, said = process.communicate(timeout=20)
    assert b"IPv4: dial tcp4 127.0.0.1:81: connect: connection refused IPv6 dial tcp6 [::1]:81: connect: " in said
    assert said.endswith(b"error: lost connection to pod\n")


@each_kubectl
def test_proxied_paths_reach_pods_and_services(lab, version):
    for place in ("services/web", "services/web:80", "pods/web", "pods/web:80", "services/http:web:"):
        done = kubectl(lab, version, "get", "--raw", f"/api/v1/namespaces/default/{place}/proxy/")
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout)["pod"] == "web"
    done = kubectl(lab, version, "get", "--raw", "/api/v1/namespaces/default/pods/web:81/proxy/")
    address = lab.api.get(f"{PODS}/web")["status"]["podIP"]
    assert done.stderr.decode() == ("Error from server (ServiceUnavailable): error trying to reach service: "
                                    f"dial tcp {address}:81: connect: connection refused\n")


@each_kubectl
def test_a_program_ends_when_its_client_dies(lab, version):
    number = 73000 + list(KUBECTL).index(version)
    client = subprocess.Popen(command(lab, version, "exec", "box", "-c", "c", "--", "sleep", str(number)))
    until(lambda: processes(f"sleep {number}"), 10, "the program runs")
    client.send_signal(signal.SIGKILL)
    client.wait()
    until(lambda: not processes(f"sleep {number}"), 10, "the program ended with its client")


def test_a_program_that_does_not_read_its_input_ends_with_its_client_too(lab):
    with WebSocket(lab.api.path, exec_path("web", "sleep", "73009", stdin="true"), "v5.channel.k8s.io") as client:
        until(lambda: processes("sleep 73009"), 10, "the program runs")
        client.socket.settimeout(1)
        with contextlib.suppress(TimeoutError):
            for _ in range(10_000):  # until the server takes no more
                client.send(bytes(32768))
            pytest.fail("the server takes more than 300 MB for a program that reads nothing")
    until(lambda: not processes("sleep 73009"), 10, "the program ended with its client")


def exec_path(pod, *argv, **flags):
    flags = {"stdout": "true", "container": "c"} | flags
    return f"{PODS}/{pod}/exec?" + "&".join([*(f"command={part}" for part in argv),
                                             *(f"{name}={value}" for name, value in flags.items())])


@pytest.mark.parametrize(("protocols", "echoed", "status"), [
    (["v5.channel.k8s.io", "v4.channel.k8s.io"], "v5.channel.k8s.io", b'{"metadata":{},"status":"Success"}'),
    (["v4.channel.k8s.io"], "v4.channel.k8s.io", b'{"metadata":{},"status":"Success"}'),
    ([], None, None),
])
def test_websockets_of_every_protocol(lab, protocols, echoed, status):
    with WebSocket(lab.api.path, exec_path("web", "head", "-c6", stdin="true", stderr="True"), *protocols) as client:
        assert (client.code, client.headers.get("sec-websocket-protocol")) == (101, echoed)
        client.send(b"?", opcode=9)
        client.send(b"\0hel", opcode=1)  # Python clients send text
        client.send(b"\0lo\n")
        answers = client.everything()
    assert answers[1] == b"hello\n"
    assert answers.get(3) == status
    assert answers["close"] == b"\x03\xe8"


def test_an_exit_code_is_told_in_the_status(lab):
    with WebSocket(lab.api.path, exec_path("web", "false"), "v5.channel.k8s.io") as client:
        assert json.loads(client.everything()[3]) == {
            "metadata": {}, "status": "Failure", "reason": "NonZeroExitCode",
            "message": "command terminated with non-zero exit code: exit status 1",
            "details": {"causes": [{"reason": "ExitCode", "message": "1"}]}}


def test_the_end_of_stdin_is_a_message_in_v5(lab):
    with WebSocket(lab.api.path, exec_path("web", "cat", stdin="true"), "v5.channel.k8s.io") as client:
        client.send(b"\0abc")
        client.send(b"\xff\0")
        assert client.everything()[1] == b"abc"


def test_what_a_program_leaves_in_the_background_is_not_waited_for(lab):
    begin = time.monotonic()
    with WebSocket(lab.api.path, exec_path("web", "sh", "-c", "sleep+9%26+echo+a"), "v5.channel.k8s.io") as client:
        assert client.everything()[1] == b"a\n"
    assert time.monotonic() - begin < 5


def test_ports_of_python_clients_begin_with_their_number(lab):
    with WebSocket(lab.api.path, f"{PODS}/web/portforward?ports=80,81") as client:
        first = [client.receive()[1] for _ in range(4)]
        assert first == [b"\0P\0", b"\1P\0", b"\2Q\0", b"\3Q\0"]
        client.send(b"\0GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        answers = client.everything()
    assert answers[0].startswith(b"HTTP/1.1 200 OK")
    assert b"connection refused" in answers[3]


@pytest.mark.parametrize(("target", "protocols", "code"), [
    (f"{PODS}/none/exec?command=ls&stdout=1", ["v5.channel.k8s.io"], 404),
    (f"{PODS}/web/exec?command=ls&stdout=1", ["v9.channel.k8s.io"], 403),
    (f"{PODS}/web/exec?command=ls", ["v5.channel.k8s.io"], 400),
    (f"{PODS}/web/portforward", ["v4.channel.k8s.io"], 400),
])
def test_refusals_come_before_the_upgrade(lab, target, protocols, code):
    with WebSocket(lab.api.path, target, *protocols) as client:
        assert client.code == code


def test_the_socket_for_reading_refuses_streams_and_proxies(lab):
    for target in (exec_path("web", "ls"), f"{PODS}/web/attach?stdout=1", f"{PODS}/web/portforward",
                   f"{PODS}/web/proxy/"):
        with WebSocket(names.view_socket(NAME), target, "v5.channel.k8s.io") as client:
            assert client.code == 403


def daemon():
    """(descriptors, threads, processes of the lab)."""
    pid = read_record(names.run_dir(NAME) / "daemon.json")[0]
    inits = [read_record(pod / "init.json") for pod in (names.run_dir(NAME) / "pods").iterdir()]
    places = {os.readlink(f"/proc/{init[0]}/ns/pid") for init in inits if init}
    inside = 0
    for path in Path("/proc").glob("[0-9]*/ns/pid"):
        with contextlib.suppress(OSError):
            inside += os.readlink(path) in places
    return len(os.listdir(f"/proc/{pid}/fd")), len(os.listdir(f"/proc/{pid}/task")), inside


@each_kubectl
def test_many_in_a_row_leak_nothing(lab, version):
    def execute(rounds):
        for number in range(rounds):
            with WebSocket(lab.api.path, exec_path("web", "echo", str(number)), "v5.channel.k8s.io") as client:
                assert client.everything()[1] == b"%d\n" % number

    def execute_by_spdy(rounds):
        for _ in range(rounds):
            done = kubectl(lab, version, "exec", "web", "--", "echo", "x", spdy=True)
            assert (done.stdout, done.stderr) == (b"x\n", b"")

    def forward(rounds):
        with forwarded(lab, version, "pod/web", ":80") as (_, port):
            for _ in range(rounds):
                assert page(port).startswith(b"HTTP/1.1 200 OK")

    execute(10)
    execute_by_spdy(2)
    forward(3)
    lab.settled()
    before = daemon()
    execute(ROUNDS)
    execute_by_spdy(ROUNDS // 10)
    forward(ROUNDS)

    def as_before():
        after = daemon()  # the thread pool of the loop may still grow to its bound
        return after[0] <= before[0] and after[1] <= before[1] + 6 and after[2] <= before[2]

    until(as_before, 10, f"descriptors, threads, processes were {before}, are {daemon()}")


def test_the_daemon_met_nothing_unforeseen_in_its_streams(lab):
    log = (names.run_dir(NAME) / "daemon.log").read_text()
    assert not [word for word in ("/server/", "streaming.py", "asyncio") if word in log], log
