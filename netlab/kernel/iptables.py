"""A netns's iptables (the legacy tables), read and written whole.

libiptc takes packed rules and writes a table in one commit; if the kernel refuses how they are packed, the program
iptables-legacy-restore writes them. What is in the tables beside our own rules is lost: they are ours.
"""

from __future__ import annotations

import errno
import subprocess
import sys
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from netlab.kernel import conntrack
from netlab.kernel import netns as netnses
from netlab.kernel.iptables_binding import LOCK_LIMIT, binding, failure, locked
from netlab.kernel.iptables_pack import blob
from netlab.kernel.iptables_raw import holds
from netlab.model.errors import LabError
from netlab.netfilter.render import render, render_table
from netlab.netfilter.ruleset import BUILTIN, Ruleset, Table

RESTORE, SAVE = "iptables-legacy-restore", "iptables-legacy-save"
_REFUSALS = (errno.EINVAL, errno.ENOENT, errno.EPROTOTYPE)  # another size, name or revision than the kernel's
_refused = False  # whether this kernel took other revisions of extensions than ours


class NodeTables:
    """The legacy tables of one netns. All methods block, for milliseconds; OSError when there is no such netns."""

    def __init__(self, netns: str) -> None:
        self.netns = netns

    def replace(self, ruleset: Ruleset) -> None:
        """Makes the tables of the ruleset exactly what it says, filter first; other tables are left alone."""
        blobs = {table.name: _pack_table(table) for table in ruleset.tables}

        def work() -> None:
            for table in reversed(ruleset.tables):
                _write(table, blobs[table.name])

        netnses.visit(self.netns, work)

    def matches(self, ruleset: Ruleset) -> bool:
        """Whether the kernel holds exactly these tables, counters aside."""
        if _refused:
            return self.save() == render(ruleset)
        # Filter first, as in replace: the kernel makes a table when it is asked for, and lists the newest first.
        return netnses.visit(self.netns, lambda: all(holds(table) for table in reversed(ruleset.tables)))

    def forget_udp(self, serving: Mapping[tuple[str, int], Collection[str]]) -> None:
        """Ends tracked UDP flows to a Service that none of its backends answers: see `conntrack.delete_udp`."""
        netnses.visit(self.netns, lambda: conntrack.delete_udp(serving))

    def save(self) -> str:
        """What iptables-legacy-save prints, without its `#` lines, counters as [0:0]."""
        return normalise(netnses.visit(self.netns, lambda: _run([SAVE])))


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


def _pack_table(table: Table) -> list[tuple[bytes, list[bytes]]]:
    return [(chain.name.encode(), [blob(rule) for rule in chain.rules]) for chain in table.chains]


def _write(table: Table, chains: Sequence[tuple[bytes, list[bytes]]]) -> None:
    global _refused
    refusal: OSError | None = None
    if not _refused:
        try:
            with locked():
                _commit(table, chains)
            return
        except OSError as error:
            if error.errno not in _REFUSALS:
                raise
            refusal = error
    _run([RESTORE, "--wait", f"{LOCK_LIMIT:.0f}"], render_table(table))  # takes the lock itself
    if refusal:  # and the program could: it is not the rules that are wrong, but our packing
        _refused = True
        print(f"iptables: this kernel refuses packed rules ({refusal}); {RESTORE} writes them", file=sys.stderr)


def _commit(table: Table, chains: Sequence[tuple[bytes, list[bytes]]]) -> None:
    libiptc = binding().iptc
    handle = libiptc.iptc_init(table.name.encode())
    if not handle:
        error = failure()
        raise LabError(f"the kernel has no legacy iptables table {table.name}: {error.strerror}",
                       hint="modprobe iptable_nat iptable_filter iptable_mangle", exit_code=3)
    try:
        _clear(libiptc, handle)
        create, append = libiptc.iptc_create_chain, libiptc.iptc_append_entry
        builtin = BUILTIN[table.name]
        for (name, _), chain in zip(chains, table.chains, strict=True):
            if chain.name in builtin:
                if not libiptc.iptc_set_policy(name, chain.policy.encode(), None, handle):
                    raise _failed(table, f"policy of {chain.name}")
            elif not create(name, handle):
                raise _failed(table, f"chain {chain.name}")
        for name, blobs in chains:
            for packed in blobs:
                if not append(name, packed, handle):
                    raise _failed(table, f"rule in {name.decode()}")
        if not libiptc.iptc_commit(handle):
            raise _failed(table, "commit")
    finally:
        libiptc.iptc_free(handle)


def _clear(libiptc: Any, handle: Any) -> None:
    names = []
    name = libiptc.iptc_first_chain(handle)
    while name:
        names.append(name)
        name = libiptc.iptc_next_chain(handle)
    for name in names:
        libiptc.iptc_flush_entries(name, handle)
    for name in names:
        if not libiptc.iptc_builtin(name, handle):
            libiptc.iptc_delete_chain(name, handle)


def _failed(table: Table, what: str) -> OSError:
    error = failure()
    return OSError(error.errno, f"iptables table {table.name}, {what}: {error.strerror}")


def _run(argv: list[str], text: str = "") -> str:
    done = subprocess.run(argv, input=text, capture_output=True, text=True, check=False)
    if done.returncode:
        raise LabError(f"{argv[0]}: {done.stderr.strip() or f'exit code {done.returncode}'}", exit_code=5)
    return done.stdout
