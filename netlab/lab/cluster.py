"""The control plane of one lab: store, API server, controllers, one kube-proxy and one kubelet per node."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import struct
import time
from functools import partial

from netlab.api.registry import Registry
from netlab.api.request import Request
from netlab.api.response import Response, json_response
from netlab.controllers.certificates import CertificateSigning
from netlab.controllers.control_plane import control_plane
from netlab.controllers.endpointslices import EndpointSlices
from netlab.controllers.events import EventRecorder
from netlab.controllers.kube_proxy import KubeProxy
from netlab.controllers.kubelet.controller import kubelets
from netlab.controllers.kubelet.logs import PodLogs
from netlab.controllers.kubelet.streaming import PodStreams
from netlab.controllers.pod_network import PodNetwork
from netlab.controllers.runtime import Controller, Manager
from netlab.controllers.service_lb import ServiceLoadBalancers
from netlab.kernel import bin_directory, signing, sockets, wiring
from netlab.kernel.nft_table import KeptTable
from netlab.lab.access import Access, hosts
from netlab.lab.bootstrap import API_PORT, bootstrap
from netlab.lab.dataplanes import tables_of
from netlab.lab.load_balancer import LoadBalancerHost
from netlab.lab.runtime import Runtime
from netlab.model.errors import LabError
from netlab.model.lab_spec import LabSpec
from netlab.server import tls
from netlab.server.door import Door
from netlab.server.http import ApiServer
from netlab.server.pages import pages_in
from netlab.server.probe import probe_from
from netlab.server.proxy import Proxy
from netlab.server.streams import Streams
from netlab.store import Store
from netlab.topology import names
from netlab.topology.plan import plan_lab
from netlab.topology.pod_nat import TABLE
from netlab.workloads.catalogue import LAUNCHERS, catalogue

DNS_LIMIT = 20.0  # seconds until a new lab's DNS must answer
UNROUTED_LIMIT = 5.0  # seconds that a pod's SIGTERM waits for the rules: on a quiet machine it is a tenth of one


class Cluster:
    """Everything that the daemon runs. `start` returns when API and DNS answer; `stop` leaves the dataplane alone."""

    def __init__(self, spec: LabSpec, runtime: Runtime) -> None:
        self.spec = spec
        self.runtime = runtime
        self.directory = names.run_dir(spec.name)
        self.started = time.monotonic()

    async def start(self) -> None:
        """Builds or adopts the wiring and the lab init, then serves and reconciles."""
        init = asyncio.create_task(asyncio.to_thread(self.runtime.start))
        access = asyncio.create_task(asyncio.to_thread(Access, self.spec))
        self.store = Store(self.directory / "state.db")
        if self.store.warning:
            print(f"WARNING: {self.store.warning}", flush=True)
        self.registry = Registry(self.store, self.spec)
        await asyncio.to_thread(self._build)
        self.access = await access
        self.registry.issuer = self.access.issuer()
        bootstrap(self.registry)
        self.manager = Manager(self._controllers())
        logs = PodLogs(self.registry)
        control_plane = names.node_netns(self.spec.name, self.spec.nodes[0])
        self.server = ApiServer(self.registry, logs=logs, streams=Streams(PodStreams(self.registry, logs)),
                                proxy=Proxy(lambda family: sockets.tcp(control_plane, family)), extra_routes={
            "/netlab/v1/status": self._status, "/netlab/v1/settled": self._settled,
            "/netlab/v1/controllers": self._control})
        for path, read_only in ((names.api_socket, False), (names.view_socket, True)):
            path(self.spec.name).parent.mkdir(exist_ok=True)
            await self.server.start(path(self.spec.name), read_only=read_only)
        await self._let_in(self.access)
        await init
        late = [name for name in self.manager.controllers if name.startswith("cni/")]
        self.manager.start(*(name for name in self.manager.controllers if name not in late))
        await self._dns_answers()
        self.manager.start(*late)  # the pods' way out of the cluster: cluster DNS needs none, and `up` waits for it
        self.background = asyncio.create_task(asyncio.to_thread(self._make_alternatives))
        asyncio.get_running_loop().call_soon(_freeze)  # when `up` has been told

    async def stop(self) -> None:
        """Ends the control plane. Pods, rules and links stay and go on working."""
        if hasattr(self, "background"):
            await asyncio.gather(self.background, return_exceptions=True)
        if hasattr(self, "manager"):
            await self.manager.stop()
        if hasattr(self, "server"):
            await self.server.close()
        if hasattr(self, "store"):
            self.store.close()

    async def _let_in(self, access: Access) -> None:
        """HTTPS on the machine's loopback, and inside of the lab where default/kubernetes leads to."""
        context = tls.context(access.certificate, access.key, clients=access.authority)
        door = Door(self.registry, token=access.token, hosts=hosts(self.spec))
        control_plane_node = self.spec.nodes[0]
        inside = [sockets.listen(names.node_netns(self.spec.name, control_plane_node), str(address), API_PORT,
                                 backlog=1024) for address in self.spec.node_ips(control_plane_node)]
        for listener in (access.listen(), *inside):
            await self.server.start_tls(listener, context, door)

    def _build(self) -> None:
        wiring.build(plan_lab(self.spec))
        programs = bin_directory.make(self.directory / "bin", needed=self.spec.proxy_mode != "nftables")
        bin_directory.add_launchers(programs, LAUNCHERS)
        servers = self.spec.internet.resolver_ips if self.spec.internet else ()
        text = "".join(f"nameserver {server}\n" for server in servers) or "# this host knows no DNS server\n"
        for node in (*self.spec.nodes, *self.spec.outside):
            wiring.write_resolv_conf(names.node_netns(self.spec.name, node), text)

    def _make_alternatives(self) -> None:
        """For what people type behind `ip netns exec`; `up` does not wait for these hundreds of links."""
        alternatives = bin_directory.make_alternatives(self.directory / "alternatives")
        if alternatives is None:
            return
        for node in (*self.spec.nodes, *self.spec.outside):
            wiring.link_alternatives(names.node_netns(self.spec.name, node), alternatives)

    def _controllers(self) -> list[Controller]:
        spec = self.spec
        found: list[Controller] = control_plane(self.registry, api_address=str(spec.node_ip(spec.nodes[0])),
                                                api_port=API_PORT, ca=self.access.ca)
        found.append(CertificateSigning(self.registry, partial(signing.sign, self.access.directory)))
        tables = tables_of(spec.proxy_mode or "iptables")
        found += [KubeProxy(self.registry, node=node, tables=tables(names.node_netns(spec.name, node)),
                            serve=pages_in(names.node_netns(spec.name, node))) for node in spec.nodes]
        found += [PodNetwork(self.registry, node=node, table=KeptTable(names.node_netns(spec.name, node), TABLE))
                  for node in spec.nodes]
        if spec.load_balancer:
            found.append(ServiceLoadBalancers(
                self.registry, balancing=spec.load_balancer, host=LoadBalancerHost(spec),
                probe=probe_from(names.load_balancer_netns(spec.name))))
        if spec.internet:
            from netlab.controllers.outside_world import OutsideWorld  # brings DNS along, which labs without need not

            found.append(OutsideWorld(self.registry, internet=spec.internet, runtime=self.runtime,
                                      catalogue=catalogue(spec)))
        found += kubelets(self.registry, runtime=self.runtime, catalogue=catalogue(spec),
                          recorder=lambda node: EventRecorder(self.registry, "kubelet", node),
                          unrouted=self._unrouted)
        return sorted(found, key=_turn)

    async def _unrouted(self) -> None:
        """Waits until every node's rules follow the pods as they are now, but not long: rules never hold up a pod."""
        proxies = [name for name in self.manager.controllers if name.startswith("kube-proxy/")]
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(UNROUTED_LIMIT):
                await self.manager.caught_up("endpointslices")
                await self.manager.caught_up(*proxies)

    async def _dns_answers(self) -> None:
        """Asks for the API server's name through the DNS Service, from a node, until an answer comes."""
        question = _question(f"kubernetes.default.svc.{self.spec.cluster_domain}")
        target = (str(self.spec.dns_ip), 53)
        node = names.node_netns(self.spec.name, self.spec.nodes[-1])
        loop = asyncio.get_running_loop()
        end = loop.time() + DNS_LIMIT
        while loop.time() < end:
            query = sockets.udp(node, sockets.family_of(target[0]))
            with query:
                try:
                    await loop.sock_connect(query, target)
                    await loop.sock_sendall(query, question)
                    async with asyncio.timeout(0.05):
                        answer = await loop.sock_recv(query, 512)
                    if answer[3] & 15 == 0:
                        return
                except (OSError, TimeoutError):
                    pass  # no rules yet (unreachable), no endpoint yet (refused), or not synced yet
            await asyncio.sleep(0.005)
        waiting = ", ".join(self.manager.unsettled()) or "nothing"
        pods = [f"{pod['metadata']['name']} {pod.get('status', {}).get('phase')}"
                for pod in self.registry.list("pods", "kube-system")]
        raise LabError(f"cluster DNS does not answer after {DNS_LIMIT:g} s; unsettled: {waiting}; pods: {pods}",
                       exit_code=124)

    async def _status(self, request: Request) -> Response:
        controllers = {name: {"observed": c.observed_revision, "error": c.last_error, "settled": c.settled,
                              "running": self.manager.running(name)} for name, c in self.manager.controllers.items()}
        return json_response({"name": self.spec.name, "revision": self.store.revision, "controllers": controllers,
                      "uptime": round(time.monotonic() - self.started, 3), "nodes": list(self.spec.nodes),
                      "unsettled": self.manager.unsettled(),
                      "api": {"requests": self.server.requests, "seconds": round(self.server.seconds, 6)}})

    async def _settled(self, request: Request) -> Response:
        try:
            await self.manager.settled(float(request.text("limit", "10")))
        except LabError as error:
            return json_response({"kind": "Status", "status": "Failure", "message": error.message, "code": 504}, 504)
        return json_response({"revision": self.store.revision})

    async def _control(self, request: Request) -> Response:
        name, action = request.text("name"), request.text("action")
        if name not in self.manager.controllers or action not in ("start", "stop", "cleanup"):
            return json_response({"kind": "Status", "status": "Failure", "code": 404, "reason": "NotFound",
                          "message": f'there is no controller "{name}" to {action or "start or stop"}'}, 404)
        controller = self.manager.controllers[name]
        if action == "cleanup":
            if not isinstance(controller, KubeProxy):
                return json_response({"kind": "Status", "status": "Failure", "code": 400, "reason": "BadRequest",
                                      "message": f"{name} has no rules to take away"}, 400)
            await self.manager.stop(name)
            await controller.cleanup()
        elif action == "stop":
            await self.manager.stop(name)
        else:
            self.manager.start(name)
        return json_response({"name": name, "running": self.manager.running(name)})


def _question(name: str) -> bytes:
    """A DNS query for an A record (RFC 1035, section 4.1), id 1, recursion desired."""
    labels = b"".join(bytes([len(label)]) + label.encode() for label in name.split("."))
    return struct.pack(">6H", 1, 0x0100, 1, 0, 0, 0) + labels + b"\0" + struct.pack(">2H", 1, 1)


def _freeze() -> None:
    """What is there by now stays: no collection looks at it again."""
    gc.collect()
    gc.freeze()


def _turn(controller: Controller) -> int:
    """Who is told of a write first: what leads packets. A proxy that came before the slices would look twice."""
    return 0 if isinstance(controller, EndpointSlices) else 1 if isinstance(controller, KubeProxy) else 2
