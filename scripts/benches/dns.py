"""How fast the DNS server is, against dnsmasq, unbound and CoreDNS with the same names in the same run.

    PYTHONPATH=. python scripts/benches/dns.py [SECONDS]

5,000 Services of 10 endpoints each. Server and dnsperf stand in the netns of two pods on two nodes of a lab (its
wiring alone) and on a core each. Ours lists and watches them at an API that this program plays; the others read them
as host names. Needs dnsperf; a peer that is not installed is named and left out. In the table

    hot        queries/s for the Services' names, asked again and again (best of three)
    cold       queries/s for every endpoint's and Service's name, each asked once
    p50, p99   ms at 10,000 queries/s
    CPU        microseconds of user and system time of the server per query, hot and cold
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from dns_cluster import PlayedApi, cluster, endpoint_names, hosts, query, service_names, with_service

from netlab.kernel import netns, sweep, wiring
from netlab.model.lab_settings import parse
from netlab.topology.names import pod_netns
from netlab.topology.plan import plan_lab, plan_pod
from netlab.topology.wiring import in_order

LAB = "nltbench-dns"
SERVER, CLIENT = pod_netns(LAB, "default", "server"), pod_netns(LAB, "default", "client")
RATE = 10_000  # queries/s at which latency is taken
OURS = "import sys\nfrom netlab.server.dns import main\nsys.exit(main(sys.argv[1:]))"
KUBEADM = """.:53 {
    errors
    health {
        lameduck 5s
    }
    ready
    kubernetes cluster.local in-addr.arpa ip6.arpa {
        pods insecure
        fallthrough in-addr.arpa ip6.arpa
        ttl 30
    }
    prometheus :9153
    cache 30 {
        disable success cluster.local
        disable denial cluster.local
    }
    loop
    reload
    loadbalance
}
"""
PACKAGES = {"dnsmasq": "dnsmasq-base", "unbound": "unbound", "coredns": "coredns, from its releases"}


@dataclass(frozen=True)
class Row:
    """What is measured of one server."""

    server: str
    hot: float
    cold: float
    p50: float
    p99: float
    cpu: float
    cpu_cold: float
    lost: int
    memory: float

    def __str__(self) -> str:
        return (f"{self.server:10}{self.hot:10,.0f}{self.cold:10,.0f}{self.p50:9.3f}{self.p99:9.3f}{self.cpu:9.1f}"
                f"{self.cpu_cold:9.1f}{self.lost:7}{self.memory:9.1f}")

    HEAD = f"{'':10}{'hot q/s':>10}{'cold q/s':>10}{'p50 ms':>9}{'p99 ms':>9}{'CPU hot':>9}{'CPU cold':>9}{'lost':>7}" \
           f"{'RSS MB':>9}"


def build() -> str:
    """The wiring of two pods on two nodes; the address of the server's."""
    spec = parse({}, name=LAB)
    addresses = [spec.node_pod_cidr(node)[9] for node in spec.nodes[:2]]
    parts = [part for node, place, address in zip(spec.nodes, (SERVER, CLIENT), addresses, strict=False)
             for part in plan_pod(spec, node=node, netns=place, addresses=[address])]
    wiring.build(in_order([*plan_lab(spec), *parts]))
    return str(addresses[0])


def start(command: Sequence[str], place: str, core: int, **options: object) -> subprocess.Popen[bytes]:
    """The command in a netns, on one core."""
    cores = sorted(os.sched_getaffinity(0))
    return subprocess.Popen(["ip", "netns", "exec", place, "taskset", "-c", str(cores[core % len(cores)]), *command],
                            **options)  # type: ignore[call-overload,no-any-return]


def commands(directory: Path, address: str) -> dict[str, list[str]]:
    """How each server is started."""
    zone = "cluster.local"
    (directory / "hosts").write_text(hosts())
    (directory / "unbound.conf").write_text(
        f"server:\n interface: {address}\n port: 53\n username: \"\"\n chroot: \"\"\n pidfile: \"\"\n"
        f" do-daemonize: no\n num-threads: 1\n access-control: 0.0.0.0/0 allow\n local-zone: \"{zone}.\" static\n"
        " use-syslog: no\n logfile: /dev/null\n module-config: \"iterator\"\n so-rcvbuf: 4m\n"
        + "".join(f" local-data: \"{name}. 30 IN A {ip}\"\n" for ip, name in map(str.split, hosts().splitlines())))
    (directory / "kubeadm").write_text(KUBEADM)
    (directory / "Corefile").write_text(f".:53 {{\n hosts {directory}/hosts {{\n ttl 30\n no_reverse\n }}\n}}\n")
    return {
        "netlab": [sys.executable, "-c", OURS, "--api-socket", str(directory / "api.sock"), "-conf",
                   str(directory / "kubeadm")],
        "dnsmasq": ["dnsmasq", "-k", "-C", "/dev/null", "--no-resolv", "--no-hosts", f"--addn-hosts={directory}/hosts",
                    f"--local=/{zone}/", "--local-ttl=30", "--user=root", "--log-facility=/dev/null", "--pid-file="],
        "unbound": ["unbound", "-d", "-c", str(directory / "unbound.conf")],
        "coredns": ["coredns", "-conf", str(directory / "Corefile")],
    }


def perf(address: str, file: Path, *flags: str) -> str:
    """What dnsperf says."""
    with start(["dnsperf", "-s", address, "-d", str(file), "-c", "8", "-q", "100", "-t", "2", *flags], CLIENT, 1,
               stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        return process.communicate(timeout=120)[0].decode()


def figure(text: str, name: str) -> float:
    """A figure of dnsperf's summary."""
    found = re.search(rf"{name}:\s+([\d.]+)", text)
    if not found:
        sys.exit(f"dnsperf says no {name!r}:\n{text}")
    return float(found[1])


def latencies(text: str) -> list[float]:
    """The milliseconds of each query of `dnsperf -v`, sorted."""
    return sorted(float(line.split()[-1]) * 1000 for line in text.splitlines() if line.startswith("> NOERROR"))


def cpu(pid: int) -> float:
    """Seconds of user and system time so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def memory(pid: int) -> float:
    """Resident MB."""
    return int(re.findall(r"VmRSS:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())[0]) / 1024


class Asker:
    """Single questions from the client's pod."""

    def __init__(self, address: str) -> None:
        self._socket = netns.visit(CLIENT, lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        self._socket.connect((address, 53))
        self._socket.settimeout(0.5)

    def has(self, name: str) -> bool:
        """Whether the name has an answer."""
        try:
            self._socket.send(query(name))
            return self._socket.recv(4096)[7] > 0
        except OSError:
            return False

    def close(self) -> None:
        """Gives the socket back."""
        self._socket.close()


@contextlib.contextmanager
def serving(command: Sequence[str], address: str) -> Iterator[subprocess.Popen[bytes]]:
    """The server, once it answers the last names."""
    process = start(command, SERVER, 0, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    asker = Asker(address)
    try:
        end = time.monotonic() + 60
        while not (asker.has(service_names()[-1]) and asker.has(endpoint_names()[-1])):
            if process.poll() is not None or time.monotonic() > end:
                process.kill()
                sys.exit(f"{command[0]} does not serve: {(process.stderr.read() if process.stderr else b'').decode()}")
            time.sleep(0.05)
        yield process
    finally:
        asker.close()
        process.send_signal(signal.SIGKILL)
        process.communicate()


def measure(name: str, command: Sequence[str], address: str, directory: Path, seconds: int) -> Row:
    """All figures of one server."""
    with serving(command, address) as process:
        before = cpu(process.pid)
        cold = perf(address, directory / "cold", "-n", "1")
        cpu_cold = (cpu(process.pid) - before) / figure(cold, "Queries completed") * 1e6
        perf(address, directory / "hot", "-n", "2")
        before = cpu(process.pid)
        hot = [perf(address, directory / "hot", "-l", str(seconds)) for _ in range(3)]
        cpu_hot = (cpu(process.pid) - before) / sum(figure(text, "Queries completed") for text in hot) * 1e6
        times = latencies(perf(address, directory / "hot", "-l", str(seconds), "-Q", str(RATE), "-v"))
        return Row(name, max(figure(text, "Queries per second") for text in hot), figure(cold, "Queries per second"),
                   times[len(times) // 2], times[len(times) * 99 // 100], cpu_hot, cpu_cold,
                   int(sum(figure(text, "Queries lost") for text in (*hot, cold))), memory(process.pid))


def new_services(api: PlayedApi, address: str, count: int = 30) -> list[float]:
    """Milliseconds from the change in the API to the answer, of names that were asked for before, sorted."""
    times, asker = [], Asker(address)
    for number in range(count):
        name = f"late-{number}.default.svc.cluster.local"
        if asker.has(name):
            sys.exit(f"{name} is there before it is made")
        began = time.perf_counter()
        api.put("services", with_service(f"late-{number}", f"10.111.{number}.1"))
        while not asker.has(name):
            pass
        times.append((time.perf_counter() - began) * 1000)
    asker.close()
    return sorted(times)


def ours_alone(api: PlayedApi, command: Sequence[str], address: str, directory: Path, seconds: int) -> None:
    """New Services, and what a flood of random names does."""
    with serving(command, address) as process:
        perf(address, directory / "hot", "-n", "3")
        before = figure(perf(address, directory / "hot", "-l", str(seconds)), "Queries per second")
        small = memory(process.pid)
        times = new_services(api, address)
        flood = perf(address, directory / "random", "-n", "1")
        kept = latencies(perf(address, directory / "hot", "-n", "1", "-Q", str(RATE), "-v"))
        after = figure(perf(address, directory / "hot", "-l", str(seconds)), "Queries per second")
        print(f"a new Service beside 5,000 others answers after {times[len(times) // 2]:.2f} ms (median), "
              f"{times[-1]:.2f} ms (worst of {len(times)})")
        print(f"100,000 random names: {figure(flood, 'Queries per second'):,.0f} q/s; hot names before and after "
              f"{before:,.0f} and {after:,.0f} q/s, at once after it {kept[len(kept) // 2]:.3f} ms (median); "
              f"memory {small:.0f} MB before, {memory(process.pid):.0f} MB after")


def main(seconds: int) -> None:
    """Prints the table and the ratios."""
    if not shutil.which("dnsperf"):
        sys.exit("scripts/bench dns needs dnsperf: apt-get install dnsperf")
    with tempfile.TemporaryDirectory() as text:
        directory = Path(text)
        try:
            address = build()
            names = {"hot": service_names(), "cold": [*endpoint_names(), *service_names()],
                     "random": [f"r{number:x}.default.svc.cluster.local" for number in range(100_000)]}
            for kind, listed in names.items():
                (directory / kind).write_text("".join(f"{name} A\n" for name in listed))
            api = PlayedApi(directory / "api.sock", cluster())
            rows = {}
            print(Row.HEAD)
            started = commands(directory, address)
            for name, command in started.items():
                if name != "netlab" and not shutil.which(name):
                    print(f"{name:10}is not installed ({PACKAGES[name]}): left out")
                    continue
                rows[name] = measure(name, command, address, directory, seconds)
                print(rows[name], flush=True)
            ours_alone(api, started["netlab"], address, directory, seconds)
            if "dnsmasq" in rows:
                ours, theirs = rows["netlab"], rows["dnsmasq"]
                print(f"against dnsmasq: hot queries/s {ours.hot / theirs.hot:.2f}, "
                      f"CPU per query {ours.cpu / theirs.cpu:.2f}, p99 {ours.p99 / theirs.p99:.2f}")
            print(f"the machine's load was {os.getloadavg()[1]:.1f} on {os.cpu_count()} cores: above {os.cpu_count()}, "
                  "latencies are those of waiting for a core")
        finally:
            sweep.sweep(LAB)
            Path(f"/run/netlab/.{LAB}.lock").unlink(missing_ok=True)


if __name__ == "__main__":
    if os.geteuid() != 0:
        sys.exit("needs root")
    main(int(sys.argv[1]) if sys.argv[1:] else 3)
