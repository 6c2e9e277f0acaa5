"""Tables of kube-proxy's nftables mode in a netns of a test's own, and what nft says about them."""

import os
import socket
import subprocess
from contextlib import contextmanager

from netlab.kernel import netns, nftables, nftables_state
from netlab.kernel.nftables import NftTables
from netlab.model.family import IPV4
from netlab.proxy import MODES
from netlab.proxy.snapshot import NodeView, Snapshots
from tests.proxy import flows
from tests.proxy.families import TABLES, six
from tests.proxy.manifests import endpoint_slice, service
from tests.proxy.worked import WORKED

NAME = f"nltnf{os.getpid()}"


def compiled(services, slices=flows.SLICES, **view):
    view = {"name": "n1", "addresses": ("172.18.0.2",), "cluster_cidr": flows.CLUSTER_CIDR,
            "service_cidrs": (flows.SERVICE_CIDR,)} | view
    return MODES["nftables"](Snapshots().take(services, slices), NodeView(**view))


def nft(*words, text=""):
    done = subprocess.run(["ip", "netns", "exec", NAME, "nft", *words], input=text, capture_output=True, text=True,
                          check=True)
    return done.stdout


def listed():
    return nft("--stateless", "list", "ruleset")


def transactions():
    def ask():
        with socket.socket(*nftables_state.NETLINK) as through:
            return nftables_state.generation(through)

    return netns.visit(NAME, ask)


EVERYTHING = compiled(flows.SERVICES)


def worked(name, family):
    objects = (([], []) if name is None else WORKED[name])
    rows = Snapshots(family).take(*(objects if family == IPV4 else six(objects)))
    return MODES["nftables"](rows, TABLES[family].view("n1"))


@contextmanager
def fresh_tables():
    """The tables of a netns that is there meanwhile."""
    subprocess.run(["ip", "netns", "add", NAME], check=True)
    try:
        yield NftTables(NAME)
    finally:
        subprocess.run(["ip", "netns", "del", NAME], check=True)


def without_nft(monkeypatch):
    """What must be written now is written by ourselves, or it is an error."""
    known = nftables.run

    def run(arguments, text=""):
        assert "-f" not in arguments, text
        return known(arguments, text)

    monkeypatch.setattr(nftables, "run", run)


def many(services=300, endpoints=4, **fields):
    rows = [service(f"s{number:03}", f"10.96.{number >> 8}.{number & 255}", **fields) for number in range(services)]
    slices = [endpoint_slice(f"s{number:03}", *({"addresses": [f"10.244.{number % 200}.{end + 1}"], "conditions": {}}
                                                for end in range(endpoints))) for number in range(services)]
    return compiled(rows, slices)
