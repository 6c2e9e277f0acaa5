"""Tables written as netlink batches, without nft: it would list the whole table before it changes a rule.

A batch is one transaction in one message. Everything in it is what nft itself sends (linux/netfilter/nf_tables.h);
what is not known here is left to nft.

A table that is there is changed in one transaction. A new one is made in several: for each anonymous map the kernel
goes through all that its transaction has done so far, so few at a time take half the time. Until the last one no base
chain has a rule, and no packet sees any of it.
"""

from __future__ import annotations

import errno
import os
import socket
import struct
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from netlab.kernel import nftables_sets
from netlab.kernel.nftables_chains import Chains, chain_words
from netlab.kernel.nftables_words import (
    ACK,
    CREATE,
    DELCHAIN,
    DELRULE,
    DELSET,
    DELSETELEM,
    EXCLUSIVE,
    FAMILIES,
    NEWSETELEM,
    NEWTABLE,
    SUBSYSTEM,
    LeftToNft,
    message,
    note,
    number,
    text,
)
from netlab.netfilter.nft import NftTable
from netlab.netfilter.nft_changes import Difference

SO_SNDBUFFORCE = 32
FEW = 64  # chains that are not worth to be remembered for other nodes
SLICE = 160_000  # bytes of a transaction of several: a process without privileges can send twice as much
BEGIN, END, GENERATION = 16, 17, 1  # NFNL_MSG_BATCH_BEGIN and END, NFNL_BATCH_GENID
_known: dict[tuple[str, str], Chains] = {}


def load(table: NftTable, through: socket.socket) -> int:
    """Makes a table that is not there yet; the number of transactions. OSError and LeftToNft: nft must do it.

    What was made until then is left there.
    """
    with _understood():
        transactions = list(loading(table))
    for one in transactions:
        send(one, table, through)
    return len(transactions)


def change(found: Difference, table: NftTable, through: socket.socket, *, stale: Iterable[str] = (),
           generation: int = 0) -> int:
    """Makes what differs so in one transaction; 0 when there is nothing to do, or 1. OSError and LeftToNft as above.

    The stale chains are deleted. With a generation the kernel refuses it (ERESTART) when there was one more since.
    """
    with _understood():
        written = messages(found, table, stale=stale)
    if written:
        send(written, table, through, generation=generation)
    return int(bool(written))


def forget() -> None:
    """Drops what was kept for further nodes, when it is old."""
    for known in _known.values():
        known.forget()


def loading(table: NftTable) -> Iterator[list[bytes]]:
    """The transactions that make a table."""
    family, name = FAMILIES[table.family], text(1, table.name)
    chains = _chains(table).words(table.chains.values())
    part = [message(NEWTABLE, CREATE | EXCLUSIVE, family,
                    name + number(2, 0) + (note(6, table.comment) if table.comment else b""))]
    part += [nftables_sets.named(name, family, one) for one in table.sets.values()]
    last = [words.rules for words in chains if words.chain.hook]
    for group, elements in table.elements.items():
        last += nftables_sets.elements(NEWSETELEM, name, family, group, elements.items())
    size = 0
    for words in (*(one.made for one in chains), *(one.rules for one in chains if not one.chain.hook)):
        part.append(words)
        size += len(words)
        if size > SLICE:
            yield part
            part, size = [], 0
    if size + sum(map(len, last)) > SLICE:
        yield part
        part = []
    yield part + last


def messages(found: Difference, table: NftTable, *, stale: Iterable[str] = ()) -> list[bytes]:
    """What changes a table, without the batch's ends. LeftToNft when something is not known here."""
    family, name = FAMILIES[table.family], text(1, table.name)
    changed = [*found.new_chains, *found.changed_chains]
    chains = _chains(table).words(changed) if len(changed) > FEW else \
        [chain_words(table.family, name, chain) for chain in changed]
    made = [nftables_sets.named(name, family, one) for one in found.new_sets]
    made += [one.made for one in chains[:len(found.new_chains)]]
    made += [message(DELRULE, 0, family, name + text(2, chain)) for chain in found.flushed_chains]
    for group, pairs in found.removed.items():
        made += nftables_sets.elements(DELSETELEM, name, family, group, pairs)
    made += [one.rules for one in chains]
    for group, pairs in found.added.items():
        made += nftables_sets.elements(NEWSETELEM, name, family, group, pairs)
    made += [message(DELSET, 0, family, name + text(2, one.name)) for one in found.gone_sets]
    made += [message(DELCHAIN, 0, family, name + text(3, chain)) for chain in stale]
    return made


def send(written: list[bytes], table: NftTable, through: socket.socket, *, generation: int = 0) -> None:
    """One transaction. OSError says what the kernel has against it."""
    # A table that is there is not changed by its name. The answer to that is the answer to all.
    last = message(NEWTABLE, ACK, FAMILIES[table.family], text(1, table.name))
    expected = struct.pack("=HH", 8, GENERATION) + struct.pack(">I", generation) if generation else b""
    whole = b"".join((_end(BEGIN, expected), *written, last, _end(END)))
    for option in (SO_SNDBUFFORCE, socket.SO_SNDBUF):
        try:
            through.setsockopt(socket.SOL_SOCKET, option, max(len(whole) * 2, 1 << 18))
            break
        except PermissionError:  # the first one is for root of the machine
            continue
    through.send(whole)
    try:
        answer = through.recv(1 << 16)  # of the last message, or of the first that failed
        kind, code = struct.unpack_from("=H", answer, 4)[0], -struct.unpack_from("=i", answer, 16)[0]
        if kind == 2 and code:
            raise OSError(code, f"nftables: {os.strerror(code)}")
    except OSError:
        _drain(through)
        raise


def _end(kind: int, body: bytes = b"") -> bytes:
    return struct.pack("=IHHIIBBH", 20 + len(body), kind, 1, 0, 0, socket.AF_UNSPEC, 0, socket.htons(SUBSYSTEM)) + body


def _drain(through: socket.socket) -> None:
    """Reads what else was wrong: it would be taken for the next answer."""
    while True:
        try:
            through.recv(1 << 16, socket.MSG_DONTWAIT)
        except BlockingIOError:
            return
        except OSError as error:
            if error.errno != errno.ENOBUFS:  # more than a socket keeps
                raise


@contextmanager
def _understood() -> Iterator[None]:
    """What does not fit is nft's to judge."""
    try:
        yield
    except (ValueError, KeyError, struct.error, OSError) as error:
        raise LeftToNft from error


def _chains(table: NftTable) -> Chains:
    return _known.setdefault((table.family, table.name), Chains(table.family, table.name))
