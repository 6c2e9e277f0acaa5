"""A node's tables as kube-proxy writes them: what others wrote into them stays, as it does upstream."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from netlab.kernel import iptables_raw
from netlab.kernel import netns as netnses
from netlab.kernel.iptables import NodeTables, restore_text, run, write, write_each
from netlab.kernel.iptables_table import PROGRAMS, PackedTable, packed_table
from netlab.model.family import IPV4
from netlab.netfilter import guests
from netlab.netfilter.render import render_table
from netlab.netfilter.ruleset import Ruleset, Table

SMALL = 500  # entries of a table that is compared whole before each write; of larger ones the built-in chains are


class SharedTables:
    """Like NodeTables, but for the guests in the tables: they are kept, and do not count as a difference.

    Without guests it is as fast. With them, the program iptables-legacy-restore writes the tables that have some.
    """

    def __init__(self, netns: str) -> None:
        self.netns = netns
        self._tables = NodeTables(netns)
        # What the tables without guests hold by our knowledge, by family and name.
        self._last: dict[tuple[str, str], Table] = {}

    def replace(self, ruleset: Ruleset) -> None:
        """Makes our part of the ruleset's tables what it says.

        A table is looked at and written under one lock, or a rule that somebody types meanwhile would be lost.
        """
        write_each(ruleset, self.netns, self._write)

    def _write(self, table: Table) -> None:
        key = table.family, table.name
        if self._last.get(key) is table and iptables_raw.holds(packed_table(table)):
            return
        last = self._last.pop(key, None)
        found = None if last and _is_untouched(packed_table(last)) else guests.find(_saved(table))
        if found:
            restore_text(guests.merge(render_table(table), found), table.family)
        else:
            write(table)
            self._last[key] = table

    def matches(self, ruleset: Ruleset) -> bool:
        """Whether our part of the tables is exactly that."""
        keys = [(table.family, table.name) for table in ruleset.tables]
        if self._tables.matches(ruleset):
            self._last |= zip(keys, ruleset.tables, strict=True)
            return True
        for key in keys:
            self._last.pop(key, None)
        # Filter first, as they are written: the kernel makes a table when it is asked for it.
        saved = netnses.visit(self.netns, lambda: {table.name: _saved(table) for table in reversed(ruleset.tables)})
        return any(map(guests.find, saved.values())) and \
            all(guests.without(saved[table.name]) == render_table(table) for table in ruleset.tables)

    def remove(self, ruleset: Ruleset) -> None:
        """Takes our part out of the tables that the ruleset has."""
        self.replace(Ruleset(tuple(Table(table.name, (), family=table.family) for table in ruleset.tables),
                             ruleset.family))

    def forget_udp(self, serving: Mapping[tuple[str, int], Collection[str]], family: str = IPV4) -> None:
        """Ends tracked UDP flows to a Service that none of its backends answers."""
        self._tables.forget_udp(serving, family)

    def close(self) -> None:
        """Nothing to end: rules work by themselves."""


def _is_untouched(table: PackedTable) -> bool:
    """Whether this netns's table holds what we wrote there, and so no guests. A fraction of a millisecond."""
    return iptables_raw.holds(table) if table.entries <= SMALL else iptables_raw.has_hooks(table)


def _saved(table: Table) -> str:
    """What iptables-legacy-save prints of this netns's table; "" when nobody uses it."""
    if not iptables_raw.is_in_use(packed_table(table)):
        return ""
    return run([f"{PROGRAMS[table.family]}-legacy-save", "-c", "-t", table.name])
