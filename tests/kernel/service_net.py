"""Two nodes, their pods and a client as network namespaces, with servers in the pods: see tests/proxy/flows.py."""

import contextlib
import os
import selectors
import socket
import subprocess
import threading

from netlab.kernel import netns
from netlab.lab.dataplanes import tables_of
from netlab.model.family import IPV4, IPV6, host_range
from tests.proxy import flows
from tests.proxy.families import CASES, TABLES, gateway, six

PREFIX = f"nltdp{os.getpid()}"
LIMIT = 0.4  # seconds after which a dropped packet is taken for dropped
REFUSAL = 5.0  # for what must be refused: a TCP client may hear it at its second SYN only, in IPv6 (tcp_v6_err)


def run(*argv, text=None):
    done = subprocess.run(argv, input=text, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{' '.join(argv)}: {done.stderr}"
    return done.stdout


class ServiceNet:
    """The nodes' tables for each mode are in `tables_of`; `connect` makes a real connection."""

    def __init__(self, family=IPV4):
        self.family, self.table = family, TABLES[family]
        self.socket_family = socket.AF_INET6 if family == IPV6 else socket.AF_INET
        prefix = f"{PREFIX}-{family[-1]}"
        self.names = {"client": f"{prefix}-client", "fabric": f"{prefix}-fabric"}
        self.names |= {name: f"{prefix}-{name}" for name in (*self.table.NODES, *self.table.PODS)}
        self.tables_of = {mode: {node: tables_of(mode)(self.names[node]) for node in self.table.NODES}
                          for mode, of in CASES if of == family}
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
        fabric, nodad = batches["fabric"], "nodad" if self.family == IPV6 else ""
        fabric.append("link add br0 type bridge")
        hosts = {**self.table.NODES, "client": self.table.CLIENT[0]}
        for key, ip in hosts.items():
            fabric += [f"link add {key} type veth peer name eth0 netns {self.names[key]}",
                       f"link set {key} master br0 up"]
            batches[key] += [f"address add {self._net(ip, 16)} dev eth0 {nodad}", "link set eth0 up"]
        fabric.append("link set br0 up")
        client = self.table.CLIENT[0]
        batches["client"].append(f"address add {host_range(self.table.CLIENT[1])} dev eth0 {nodad}")
        for node in self.table.NODES:
            batches[node].append(f"route add default via {client}")
        for pod, home in self.table.PODS.items():
            veth, near = f"veth{pod.rpartition(':' if self.family == IPV6 else '.')[2]}", gateway(pod)
            batches[home] += [f"link add {veth} type veth peer name eth0 netns {self.names[pod]}",
                              f"address add {host_range(near)} dev {veth} {nodad}", f"link set {veth} up",
                              f"route add {host_range(pod)} dev {veth}"]
            batches[pod] += [f"address add {host_range(pod)} dev eth0 {nodad}", "link set eth0 up",
                             f"route add {host_range(near)} dev eth0", f"route add default via {near}"]
        for node, ip in self.table.NODES.items():
            for other in self.table.NODES.keys() - {node}:
                batches[other].append(f"route add {self._pods_of(node)} via {ip}")
            batches["client"].append(f"route add {self._pods_of(node)} via {ip}")
        for name in self.names.values():
            run("ip", "netns", "add", name)
        if self.family == IPV6:
            for name in self.names.values():
                netns.visit(name, self._at_once)
        for key in ("fabric", *hosts, *self.table.PODS):
            which = "-6" if self.family == IPV6 else "-4"
            run("ip", which, "-n", self.names[key], "-batch", "-", text="\n".join(batches[key]) + "\n")
        for node in self.table.NODES:
            netns.visit(self.names[node], self._sysctls6 if self.family == IPV6 else self._sysctls)

    def form(self, value):
        """The value with its IPv4 addresses as this net has them."""
        return six(value) if self.family == IPV6 else value

    def _net(self, ip, bits):
        return f"{ip}/{3 * bits}" if self.family == IPV6 else f"{ip}/{bits}"

    def _pods_of(self, node):
        return self.form(f"10.244.{node[1]}.0/24")

    @staticmethod
    def _at_once():
        """No detection of duplicate addresses: it would take the first two seconds."""
        for key, value in (("disable_ipv6", "0"), ("accept_dad", "0"), ("accept_ra", "0")):
            for which in ("all", "default"):
                with open(f"/proc/thread-self/root/proc/sys/net/ipv6/conf/{which}/{key}", "w") as file:
                    file.write(value)

    @staticmethod
    def _sysctls6():
        for key, value in (("conf/all/forwarding", "1"), ("icmp/ratelimit", "0")):
            with open(f"/proc/thread-self/root/proc/sys/net/ipv6/{key}", "w") as file:
                file.write(value)

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
        for pod in self.table.BACKENDS:
            for kind, port in ((socket.SOCK_STREAM, flows.TCP_PORT), (socket.SOCK_DGRAM, flows.UDP_PORT)):
                server = netns.visit(self.names[pod], lambda kind=kind: socket.socket(self.socket_family, kind))
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
        run("ip", "-n", self.names["client"], "route", "replace", host_range(address), "via", self.table.NODES[node])

    def connect(self, key, address, port, protocol, *, source="", limit=LIMIT):
        """(backend, the client's address as the backend sees it), or flows.REJECT or flows.DROP."""
        kind = socket.SOCK_STREAM if protocol == "TCP" else socket.SOCK_DGRAM
        client = netns.visit(self.names[key], lambda: socket.socket(self.socket_family, kind))
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
