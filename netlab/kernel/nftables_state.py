"""Short questions to a netns's nftables."""

from __future__ import annotations

import socket
import struct

from netlab.kernel.nftables_words import FAMILIES, GETTABLE, message, text
from netlab.model.errors import LabError
from netlab.netfilter.nft import NftTable

NETLINK = socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, 12  # NETLINK_NETFILTER
GETGEN = 16
ERROR = 2


def generation(through: socket.socket) -> int:
    """How many transactions this netns's nftables have seen (nft_gen in linux/netfilter/nf_tables.h)."""
    through.send(message(GETGEN, 0, socket.AF_UNSPEC, b""))
    answer = through.recv(4096)
    kind = struct.unpack_from("=H", answer, 4)[0]
    if kind == ERROR:
        raise LabError("the kernel has no nftables", hint="modprobe nf_tables", exit_code=3)
    return int(struct.unpack_from(">I", answer, 16 + 4 + 4)[0])  # behind nfgenmsg, the first attribute


def exists(table: NftTable, through: socket.socket) -> bool:
    """Whether this netns has a table of that name."""
    through.send(message(GETTABLE, 0, FAMILIES[table.family], text(1, table.name)))
    return bool(struct.unpack_from("=H", through.recv(4096), 4)[0] != ERROR)
