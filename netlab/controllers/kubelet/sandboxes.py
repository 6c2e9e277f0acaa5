"""Makes a pod's sandbox: its network, its /etc files, its init."""

from __future__ import annotations

from ipaddress import ip_address

from netlab.controllers.kubelet import hosts, resolv_conf
from netlab.controllers.kubelet.context import NodeContext
from netlab.controllers.kubelet.doors import PodHandle
from netlab.controllers.kubelet.records import PodRecord
from netlab.controllers.kubelet.volumes import Volume, write
from netlab.kernel.pod_spec import Mount, Sandbox
from netlab.model import meta
from netlab.model.meta import Manifest
from netlab.topology import names


def make(pod: Manifest, record: PodRecord, planned: tuple[Volume, ...], context: NodeContext) \
        -> tuple[PodHandle, list[str]]:
    """(the pod's init, newly made; messages of DNSConfigForming events). Blocks for milliseconds.

    MountError, OSError or ValueError says what cannot be had.
    """
    domain, directory = context.spec.cluster_domain, context.directory(record.uid)
    hostname = hosts.kernel_hostname(pod, domain=domain, node=context.node)
    record.write(directory)
    write(planned)
    conf, cut = resolv_conf.for_pod(pod, domain=domain, dns_ip=str(context.spec.dns_ip),
                                    host=context.host_resolv_conf())
    files = {
        "resolv.conf": conf.render(), "hostname": hostname + "\n",
        "hosts": hosts.hosts_file(pod, domain=domain, addresses=record.addresses, node_hosts=_node_hosts(context)),
    }
    mounts = []
    for name, text in files.items():
        path = directory / f"etc-{name}"
        path.write_text(text)
        path.chmod(0o644)  # whatever the umask is: programs in the pod may run as other users
        mounts.append(Mount(str(path), f"/etc/{name}", read_only=False))
    if record.netns:
        context.network.attach(node=context.node, netns=record.netns,
                               addresses=tuple(map(ip_address, record.addresses)))
        context.network.write_resolv_conf(record.netns, files["resolv.conf"])
    programs = names.run_dir(context.spec.name) / "bin"
    handle = context.runtime.create(Sandbox(
        uid=record.uid, netns=str(names.NETNS / (record.netns or context.netns)), hostname=hostname,
        directory=str(directory), mounts=tuple(mounts), bin_directory=str(programs) if programs.is_dir() else "",
        python=True, builtins=tuple(context.catalogue.builtins.items())))
    return handle, cut


def record_of(pod: Manifest, context: NodeContext) -> PodRecord:
    """The pod's record, its address given. LabError when the node's range is full."""
    own = not meta.spec(pod).get("hostNetwork")
    namespace, name, uid = meta.namespace(pod), meta.name(pod), meta.uid(pod)
    given = tuple(entry["ip"] for entry in meta.status(pod).get("podIPs") or ())
    over = given if meta.status(pod).get("phase") in ("Succeeded", "Failed") else ()
    addresses = (over or tuple(map(str, context.give_addresses(uid)))) if own else context.addresses
    return PodRecord(
        uid=uid, namespace=namespace, name=name, node=context.node,
        netns=names.pod_netns(context.spec.name, namespace, name) if own else "",
        address=addresses[0], secondary="".join(addresses[1:]))


def _node_hosts(context: NodeContext) -> str:
    return "127.0.0.1\tlocalhost\n" + "".join(f"{address}\t{context.node}\n" for address in context.addresses)
