"""Two nodes, their pods and a client as network namespaces, with servers in the pods: see tests/proxy/flows.py."""

import contextlib
import os
import selectors
import socket
import subprocess
import threading

from netlab.kernel import netns
from netlab.lab.dataplanes import tables_of
from netlab.proxy import MODES
from tests.proxy import flows

PREFIX = f"nltdp{os.getpid()}"
LIMIT = 0.4  # seconds after which a dropped packet is taken for dropped


def run(*argv, text=None):
    done = subprocess.run(argv, input=text, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{' '.join(argv)}: {done.stderr}"
    return done.stdout


class ServiceNet:
    """The nodes' tables for each mode are in `tables_of`; `connect` makes a real connection."""

    def __init__(self):
        self.names = {"client": f"{PREFIX}-client", "fabric": f"{PREFIX}-fabric"}
        self.names |= {name: f"{PREFIX}-{name}" for name in (*flows.NODES, *flows.PODS)}
        self.tables_of = {mode: {node: tables_of(mode)(self.names[node]) for node in flows.NODES} for mode in MODES}
        self._closing = contextlib.ExitStack()

    def __enter__(self):
        try:
            self._build()
            self._serve()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        self._closing.close()
        for name in self.names.values():
            if os.path.exists(netns.path(name)):
                run("ip", "netns", "del", name)

    def _build(self):
        batches = {key: ["link set lo up"] for key in self.names}
        fabric = batches["fabric"]
        fabric.append("link add br0 type bridge")
        hosts = {**flows.NODES, "client": flows.CLIENT[0]}
        for key, ip in hosts.items():
            fabric += [f"link add {key} type veth peer name eth0 netns {self.names[key]}",
                       f"link set {key} master br0 up"]
            batches[key] += [f"address add {ip}/16 dev eth0", "link set eth0 up"]
        fabric.append("link set br0 up")
        client = flows.CLIENT[0]
        batches["client"].append(f"address add {flows.CLIENT[1]}/32 dev eth0")
        for node in flows.NODES:
            batches[node].append(f"route add default via {client}")
        for pod, home in flows.PODS.items():
            veth = f"veth{pod.rpartition('.')[2]}"
            gateway = pod.rpartition(".")[0] + ".1"
            batches[home] += [f"link add {veth} type veth peer name eth0 netns {self.names[pod]}",
                              f"address add {gateway}/32 dev {veth}", f"link set {veth} up",
                              f"route add {pod}/32 dev {veth}"]
            batches[pod] += [f"address add {pod}/32 dev eth0", "link set eth0 up",
                             f"route add {gateway}/32 dev eth0", f"route add default via {gateway}"]
        for node, ip in flows.NODES.items():
            for other in flows.NODES.keys() - {node}:
                batches[other].append(f"route add 10.244.{node[1]}.0/24 via {ip}")
            batches["client"].append(f"route add 10.244.{node[1]}.0/24 via {ip}")
        for name in self.names.values():
            run("ip", "netns", "add", name)
        for key in ("fabric", *hosts, *flows.PODS):
            run("ip", "-n", self.names[key], "-batch", "-", text="\n".join(batches[key]) + "\n")
        for node in flows.NODES:
            netns.visit(self.names[node], self._sysctls)

    @staticmethod
    def _sysctls():
        for key, value in (("ip_forward", "1"), ("conf/all/rp_filter", "0"), ("conf/eth0/rp_filter", "0"),
                           ("conf/all/route_localnet", "1"), ("conf/all/send_redirects", "0"),
                           ("conf/eth0/send_redirects", "0"),
                           ("icmp_ratelimit", "0")):  # else the seventh refusal within a second takes a second
            with open(f"/proc/thread-self/root/proc/sys/net/ipv4/{key}", "w") as file:
                file.write(value)

    def _serve(self):
        selector = selectors.DefaultSelector()
        for pod in flows.BACKENDS:
            for kind, port in ((socket.SOCK_STREAM, flows.TCP_PORT), (socket.SOCK_DGRAM, flows.UDP_PORT)):
                server = netns.visit(self.names[pod], lambda kind=kind: socket.socket(socket.AF_INET, kind))
                self._closing.callback(server.close)
                server.bind(("", port))
                if kind == socket.SOCK_STREAM:
                    server.listen(64)
                server.setblocking(False)
                selector.register(server, selectors.EVENT_READ, pod)
        reader, writer = os.pipe()
        selector.register(reader, selectors.EVENT_READ, "")
        thread = threading.Thread(target=self._answer, args=(selector,))
        thread.start()
        self._closing.callback(lambda: (os.write(writer, b"."), thread.join(), os.close(reader), os.close(writer)))

    @staticmethod
    def _answer(selector):
        while True:
            for key, _ in selector.select():
                if not key.data:
                    selector.close()
                    return
                with contextlib.suppress(OSError):
                    if key.fileobj.type == socket.SOCK_STREAM:
                        connection, peer = key.fileobj.accept()
                        with connection:
                            connection.sendall(f"{key.data} {peer[0]}".encode())
                    else:
                        _, peer = key.fileobj.recvfrom(100)
                        key.fileobj.sendto(f"{key.data} {peer[0]}".encode(), peer)

    def route(self, address, node):
        """Makes the client send there through that node."""
        run("ip", "-n", self.names["client"], "route", "replace", f"{address}/32", "via", flows.NODES[node])

    def connect(self, key, address, port, protocol, *, source="", limit=LIMIT):
        """(backend, the client's address as the backend sees it), or flows.REJECT or flows.DROP."""
        kind = socket.SOCK_STREAM if protocol == "TCP" else socket.SOCK_DGRAM
        client = netns.visit(self.names[key], lambda: socket.socket(socket.AF_INET, kind))
        with client:
            client.settimeout(limit)
            if source:
                client.bind((source, 0))
            try:
                client.connect((address, port))
                if protocol == "UDP":
                    client.send(b"?")
                return tuple(client.recv(100).decode().split()) or flows.CLOSED
            except ConnectionResetError:
                return flows.CLOSED
            except ConnectionRefusedError:
                return flows.REJECT
            except TimeoutError:
                return flows.DROP
