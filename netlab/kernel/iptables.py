"""A netns's iptables or ip6tables (the legacy tables), read and written whole.

libiptc takes packed rules and writes a table in one commit: so are small tables written for the first time, as when a
lab starts. Later tables, and large ones, are handed to the kernel in the same layout without it: then only changed
Services are packed, and nothing of the old table is read. What the kernel does not take so libiptc writes. If it
refuses how rules are packed, the program iptables-legacy-restore writes them. What is in the tables beside these rules
is lost; `shared_tables` keeps it.
"""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from collections.abc import Callable, Collection, Mapping
from typing import Any

from netlab.kernel import conntrack, iptables_binding, iptables_raw
from netlab.kernel import netns as netnses
from netlab.kernel.collector import without_collector
from netlab.kernel.iptables_binding import LOCK_LIMIT, binding, failure, locked
from netlab.kernel.iptables_raw import holds
from netlab.kernel.iptables_table import PROGRAMS, PackedTable, packed_table
from netlab.model.errors import LabError
from netlab.model.family import IPV4
from netlab.netfilter.render import render, render_table
from netlab.netfilter.ruleset import BUILTIN, Ruleset, Table
from netlab.netfilter.ruleset import table as empty_table

_REFUSALS = (errno.EINVAL, errno.ENOENT, errno.EPROTOTYPE)  # another size, name or revision than the kernel's
_taken: set[tuple[str, str]] = set()  # family and name of the tables that libiptc has written: they have our layout
SMALL = 500  # entries of a table that libiptc writes first
_OTHER_LOCK = "/proc/self/fd/0"  # what a program may lock while we hold the lock that it would wait for: its own input
_refused = False  # whether this kernel took other revisions of extensions than ours


class NodeTables:
    """The legacy tables of one netns, of both families. Methods block, for milliseconds; OSError if it is not there."""

    def __init__(self, netns: str) -> None:
        self.netns = netns

    def replace(self, ruleset: Ruleset) -> None:
        """Makes the tables of the ruleset, for its family, exactly what it says, filter first; others stay."""
        write_each(ruleset, self.netns, write)

    def matches(self, ruleset: Ruleset) -> bool:
        """Whether the kernel holds exactly these tables, counters aside."""
        if _refused:
            return self.save(ruleset.family) == render(ruleset)
        with without_collector():
            # Filter first, as in replace: the kernel makes a table when it is asked for, and lists the newest first.
            tables = [packed_table(table) for table in reversed(ruleset.tables)]
            return netnses.visit(self.netns, lambda: all(map(holds, tables)))

    def forget_udp(self, serving: Mapping[tuple[str, int], Collection[str]], family: str = IPV4) -> None:
        """Ends tracked UDP flows to a Service that none of its backends answers: see `conntrack.delete_udp`."""
        netnses.visit(self.netns, lambda: conntrack.delete_udp(serving, family=family))

    def close(self) -> None:
        """Nothing to end: rules work by themselves."""

    def remove(self, ruleset: Ruleset) -> None:
        """Empties the tables that the ruleset has."""
        self.replace(Ruleset(tuple(empty_table(table.name, {}, family=table.family) for table in ruleset.tables)))

    def save(self, family: str = IPV4) -> str:
        """What iptables-legacy-save (ip6tables-legacy-save) prints, without its `#` lines, counters as [0:0]."""
        return normalise(netnses.visit(self.netns, lambda: run([f"{PROGRAMS[family]}-legacy-save"])))


def write_each(ruleset: Ruleset, netns: str, one: Callable[[Table], None]) -> None:
    """Calls `one` for each table of the ruleset inside of the netns, filter first, each with the lock held."""
    with without_collector():
        for table in ruleset.tables:
            packed_table(table)  # before the lock is taken

        def work() -> None:
            for table in reversed(ruleset.tables):
                with locked():
                    one(table)

        netnses.visit(netns, work)


def restore(ruleset: Ruleset) -> None:
    """Writes the tables of this thread's netns by the program: only it knows the numbers of ipsets."""
    run([f"{PROGRAMS[ruleset.family]}-legacy-restore", "--wait", f"{LOCK_LIMIT:.0f}"], render(ruleset))


def normalise(text: str) -> str:
    """iptables-save's text without `#` lines, counters as [0:0], tables in the order in which we print them."""
    tables: dict[str, list[str]] = {}
    lines: list[str] = []
    for line in text.splitlines():
        if line.startswith("*"):
            lines = tables.setdefault(line[1:], [])
        if line.startswith(":"):
            line = line.rpartition(" ")[0] + " [0:0]"
        if line and not line.startswith("#"):
            lines.append(line + "\n")
    order = [*(name for name in BUILTIN if name in tables), *(name for name in sorted(tables) if name not in BUILTIN)]
    return "".join(line for name in order for line in tables[name])


def write(table: Table) -> None:
    """Makes the table of this thread's netns that one. The lock must be held."""
    global _refused
    packed = packed_table(table)
    refusal: OSError | None = None
    if not _refused:
        try:
            known = (packed.family, packed.name) in _taken or packed.entries > SMALL
            if not (known and _put(packed)):
                _commit(packed)
            _taken.add((packed.family, packed.name))
            return
        except OSError as error:
            if error.errno not in _REFUSALS:
                raise
            refusal = error
    restore_text(render_table(table), table.family)
    if refusal:  # and the program could: it is not the rules that are wrong, but our packing
        _refused = True
        print(f"{packed.program}: this kernel refuses packed rules ({refusal}); {packed.program}-legacy-restore "
              "writes them", file=sys.stderr)


def restore_text(text: str, family: str) -> None:
    """Writes tables of this thread's netns by the program, with the counters in the text. The lock must be held."""
    run([f"{PROGRAMS[family]}-legacy-restore", "-c"], text, XTABLES_LOCKFILE=_OTHER_LOCK)


def _put(table: PackedTable) -> bool:
    """Writes the table as a whole, as libiptc would; what is wrong with it, only libiptc finds out."""
    try:
        iptables_raw.put(table)
    except OSError:
        return False
    return True


def _commit(table: PackedTable) -> None:
    libiptc, quick = binding(table.family), iptables_binding.quick(table.family)
    handle = libiptc.iptc_init(table.name.encode())
    if not handle:
        error = failure()
        raise LabError(f"the kernel has no legacy {table.program} table {table.name}: {error.strerror}",
                       hint="modprobe -a " + " ".join(f"{table.program[:-1]}_{name}" for name in BUILTIN), exit_code=3)
    try:
        for chain, policy in table.policies.items():
            if not quick.iptc_set_policy(chain, policy, None, handle):
                raise _failed(table, f"policy of {chain.decode()}")
        _make_chains(table, quick, handle)
        append = quick.iptc_append_entry
        for chain, rules in table.chains:
            for rule in rules:
                if not append(chain, rule, handle):
                    raise _failed(table, f"rule in {chain.decode()}")
        if not libiptc.iptc_commit(handle):
            raise _failed(table, "commit")
    finally:
        libiptc.iptc_free(handle)


def _make_chains(table: PackedTable, libiptc: Any, handle: Any) -> None:
    """Leaves just the table's chains, all without rules."""
    found: list[bytes] = []
    wanted = {*table.policies, *table.user_chains}
    name = libiptc.iptc_first_chain(handle)
    while name:
        found.append(name)
        name = libiptc.iptc_next_chain(handle)
    for name in found:
        libiptc.iptc_flush_entries(name, handle)
    for name in found:
        if name not in wanted:
            libiptc.iptc_delete_chain(name, handle)
    there = set(found)
    for name in reversed(table.user_chains):  # libiptc takes a fourth of the time when each comes before the others
        if name not in there and not libiptc.iptc_create_chain(name, handle):
            raise _failed(table, f"chain {name.decode()}")


def _failed(table: PackedTable, what: str) -> OSError:
    error = failure()
    return OSError(error.errno, f"{table.program} table {table.name}, {what}: {error.strerror}")


def run(argv: list[str], text: str = "", **environment: str) -> str:
    """What a program prints; LabError with its words when it fails."""
    done = subprocess.run(argv, input=text, capture_output=True, text=True, check=False, env=os.environ | environment)
    if done.returncode:
        raise LabError(f"{argv[0]}: {done.stderr.strip() or f'exit code {done.returncode}'}", exit_code=5)
    return done.stdout
