"""A netns's nftables tables of ours: read by `nft list`, changed by netlink, or by `nft -f -` where nft knows more.

The kernel counts the transactions of a netns. As long as the count is where our last one left it, nobody else has
changed anything, and a look costs a tenth of a millisecond instead of a list of everything.
"""

from __future__ import annotations

import os
import socket
import subprocess
import threading
import time
from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace

from netlab.kernel import conntrack, netns, nftables_batch
from netlab.kernel.bin_directory import which
from netlab.kernel.nftables_state import NETLINK, exists, generation
from netlab.kernel.nftables_words import LeftToNft
from netlab.model.errors import LabError
from netlab.model.family import IPV4
from netlab.netfilter.layered import layered
from netlab.netfilter.nft import Chain, NftRuleset, NftTable
from netlab.netfilter.nft_changes import changes, difference
from netlab.netfilter.nft_parse import parse_nft
from netlab.netfilter.parse import NotUnderstood

INSTALL = "apt-get install nftables"
STALE = 1.0  # seconds after which a chain that nothing leads to any more is deleted: older kernels are slow to notice
UNKNOWN = -1


class NftTables:
    """The tables of one netns. All methods block, for milliseconds; OSError when there is no such netns."""

    def __init__(self, netns: str) -> None:
        self.netns = netns
        self._lock = threading.Lock()
        self._through: tuple[int, socket.socket] | None = None
        self._held: dict[str, NftTable | None] = {}  # by family, as the kernel has them, emptied chains included
        self._generation = UNKNOWN
        self._emptied: dict[tuple[str, str], float] = {}

    def replace(self, ruleset: NftRuleset) -> None:
        """Makes our tables what the ruleset says: one transaction, with just what differs. Others are left alone.

        A table that is not there yet takes several; no packet sees it before the last one.
        """
        with self._lock:
            self._replace(ruleset)

    def matches(self, ruleset: NftRuleset) -> bool:
        """Whether the kernel holds exactly that; chains that were emptied a moment ago do not count."""
        with self._lock:
            self._look(ruleset)
        nftables_batch.forget()
        return not self._due(ruleset) and all(self._without_emptied(table.family) == table for table in ruleset.tables)

    def forget_udp(self, serving: Mapping[tuple[str, int], Collection[str]], family: str = IPV4) -> None:
        """Ends tracked UDP flows to a Service that none of its backends answers: see `conntrack.delete_udp`."""
        netns.visit(self.netns, lambda: conntrack.delete_udp(serving, family=family))

    def close(self) -> None:
        """Closes what it keeps open; rules work by themselves."""
        with self._lock:
            self._hang_up()

    def __del__(self) -> None:
        self._hang_up()

    def remove(self, ruleset: NftRuleset) -> None:
        """Deletes our tables; they may be gone already."""
        commands = "".join(f"add table {table.family} {table.name}\ndelete table {table.family} {table.name}\n"
                           for table in ruleset.tables)
        with self._lock:
            self._nft("-f", "-", text=commands)
            self._held, self._generation, self._emptied = {}, UNKNOWN, {}

    def _look(self, ruleset: NftRuleset) -> None:
        """Reads the tables, unless nothing has changed since we last knew them."""
        now = generation(self._netlink())
        if now != self._generation:
            self._held, self._emptied = {}, {}
        for table in ruleset.tables:
            if table.family in self._held:
                continue
            found = self._held[table.family] = self._listed(table)
            if found:
                since = time.monotonic()
                self._emptied |= {(table.family, name): since for name, chain in found.chains.items()
                                  if name not in table.chains and not chain.rules and not chain.hook}
        self._generation = now

    def _replace(self, ruleset: NftRuleset) -> None:
        if len(ruleset.tables) == 1 and self._at_once(ruleset.tables[0], self._due(ruleset)):
            return
        self._look(ruleset)
        due = self._due(ruleset)
        if len(ruleset.tables) == 1 and self._by_batch(ruleset.tables[0], [name for _, name in due]):
            return
        commands = "".join(changes(self._held.get(table.family), table,
                                   stale=[name for family, name in due if family == table.family])
                           for table in ruleset.tables)
        before, self._generation = self._generation, UNKNOWN  # until it is done we know nothing
        if commands:
            try:
                self._nft("-f", "-", text=commands)
            except LabError:  # it was not as we thought
                self._held, self._emptied = {}, {}
                self._nft("-f", "-", text="".join(changes(None, table) for table in ruleset.tables))
                before = generation(self._netlink()) - 1
        for table in ruleset.tables:
            old = self._held.get(table.family)
            self._take_over(table, old.chains.keys() - table.chains.keys() if old else (), due)
        if generation(self._netlink()) == before + bool(commands):  # else somebody came between
            self._generation = before + bool(commands)

    def _at_once(self, table: NftTable, due: Collection[tuple[str, str]]) -> bool:
        """Writes what differs from what was there last, without a look; whether it still was there."""
        old = self._held.get(table.family)
        found = difference(old, table) if old and self._generation != UNKNOWN else None
        if found is None or self._through is None:
            return False
        stale = [name for name in found.gone_chains if (table.family, name) in due]
        try:
            if not nftables_batch.change(found, table, self._through[1], stale=stale, generation=self._generation):
                return False
        except (LeftToNft, OSError):  # others have written, or something is wrong: a look will tell
            return False
        if os.stat(netns.path(self.netns)).st_ino != self._through[0]:  # that was a former netns of this name
            return False
        self._take_over(table, found.gone_chains, due)
        self._generation += 1
        return True

    def _by_batch(self, table: NftTable, due: Collection[str]) -> bool:
        """Writes the table without nft; whether it could."""
        old, through = self._held.get(table.family), self._netlink()
        found = difference(old, table) if old else None
        if old and not found:
            return False
        before, self._generation = self._generation, UNKNOWN
        try:
            if found:
                stale = [name for name in found.gone_chains if name in due]
                done = nftables_batch.change(found, table, through, stale=stale)
            else:
                done = nftables_batch.load(table, through)
        except (LeftToNft, OSError):  # nft says more about it
            now = generation(through)
            if not old or now == before:  # of a new table something may stand; nft begins with its removal
                self._generation = now
            return False
        self._take_over(table, found.gone_chains if found else (), [(table.family, name) for name in due])
        if generation(through) == before + done:  # else somebody came between
            self._generation = before + done
        return True

    def _netlink(self) -> socket.socket:
        """A socket to the netns's nftables, kept: what is sent there needs no visit.

        To close one after a transaction takes until the kernel has freed what went: 10 ms and more.
        """
        here = os.stat(netns.path(self.netns)).st_ino
        if self._through is None or self._through[0] != here:  # another netns may have got the name
            self._hang_up()
            self._generation = UNKNOWN
            self._through = here, netns.visit(self.netns, lambda: socket.socket(*NETLINK))
        return self._through[1]

    def _nft(self, *arguments: str, text: str = "") -> str:
        return netns.visit(self.netns, lambda: run(list(arguments), text))

    def _listed(self, table: NftTable) -> NftTable | None:
        """The table as it is; None when there is none, or one that is not ours in some way: it is written anew then."""
        if not exists(table, self._netlink()):
            return None
        try:
            return parse_nft(self._nft("--stateless", "list", "table", table.family, table.name)).tables[0]
        except (LabError, NotUnderstood, ValueError):
            return None

    def _hang_up(self) -> None:
        if self._through is not None:
            self._through[1].close()
        self._through = None

    def _take_over(self, table: NftTable, gone: Iterable[str], deleted: Collection[tuple[str, str]]) -> None:
        """Remembers that the kernel has the table, and those of the gone chains that are not deleted, without rules."""
        now = time.monotonic()
        left = {(table.family, name): self._emptied.get((table.family, name), now) for name in gone}
        for key in deleted:
            left.pop(key, None)
        self._emptied = {key: since for key, since in self._emptied.items() if key[0] != table.family} | left
        self._held[table.family] = table if not left else \
            replace(table, chains=layered(table.chains).changed({name: Chain(name) for _, name in left}))

    def _due(self, ruleset: NftRuleset) -> list[tuple[str, str]]:
        now, families = time.monotonic(), {table.family for table in ruleset.tables}
        return [key for key, since in self._emptied.items() if now - since >= STALE and key[0] in families]

    def _without_emptied(self, family: str) -> NftTable | None:
        held = self._held.get(family)
        names = {name for of, name in self._emptied if of == family}
        if held is None or not names:
            return held
        return replace(held, chains=layered(held.chains).changed({}, without=names))


def run(arguments: list[str], text: str = "") -> str:
    """What nft prints, in this thread's netns. LabError with its words when it fails, and when there is none."""
    nft = which("nft")
    if nft is None:
        raise LabError("nft is not installed", hint=INSTALL, exit_code=3)
    done = subprocess.run([nft, *arguments], input=text, capture_output=True, text=True, check=False)
    if done.returncode:
        words = next(iter(done.stderr.strip().splitlines()), f"exit code {done.returncode}")
        raise LabError(f"nft: {words}", exit_code=5)
    return done.stdout
