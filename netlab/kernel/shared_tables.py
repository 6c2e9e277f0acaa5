"""A node's tables as kube-proxy writes them: what others wrote into them stays, as it does upstream."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from netlab.kernel import iptables_raw
from netlab.kernel import netns as netnses
from netlab.kernel.iptables import NodeTables, run
from netlab.kernel.iptables_binding import LOCK_LIMIT
from netlab.kernel.iptables_table import PROGRAMS, packed_table
from netlab.model.family import IPV4
from netlab.netfilter import guests
from netlab.netfilter.guests import Guests
from netlab.netfilter.render import render_table
from netlab.netfilter.ruleset import Ruleset, Table

SMALL = 2000  # entries of a table that is compared whole before each write; larger ones by their size only


class SharedTables:
    """Like NodeTables, but for the guests in the tables: they are kept, and do not count as a difference.

    Without guests it is as fast. With them, the program iptables-legacy-restore writes the tables that have some.
    """

    def __init__(self, netns: str) -> None:
        self.netns = netns
        self._tables = NodeTables(netns)
        self._last: dict[str, Ruleset] = {}  # what the tables hold by our knowledge, without guests, by family

    def replace(self, ruleset: Ruleset) -> None:
        """Makes our part of the ruleset's tables what it says."""
        found = {} if self._is_untouched(ruleset.family) else {
            name: each for name, text in self._saved(ruleset).items() if (each := guests.find(text))}
        self._last.pop(ruleset.family, None)
        if not found:
            self._tables.replace(ruleset)
            self._last[ruleset.family] = ruleset
            return
        for table in reversed(ruleset.tables):
            if table.name in found:
                self._restore(table, found[table.name])
            else:
                self._tables.replace(Ruleset((table,), ruleset.family))

    def matches(self, ruleset: Ruleset) -> bool:
        """Whether our part of the tables is exactly that."""
        if self._tables.matches(ruleset):
            self._last[ruleset.family] = ruleset
            return True
        self._last.pop(ruleset.family, None)
        saved = self._saved(ruleset)
        return any(map(guests.find, saved.values())) and \
            all(guests.without(saved.get(table.name, "")) == render_table(table) for table in ruleset.tables)

    def remove(self, ruleset: Ruleset) -> None:
        """Takes our part out of the tables that the ruleset has."""
        self.replace(Ruleset(tuple(Table(table.name, (), family=table.family) for table in ruleset.tables),
                             ruleset.family))

    def forget_udp(self, serving: Mapping[tuple[str, int], Collection[str]], family: str = IPV4) -> None:
        """Ends tracked UDP flows to a Service that none of its backends answers."""
        self._tables.forget_udp(serving, family)

    def close(self) -> None:
        """Nothing to end: rules work by themselves."""

    def _is_untouched(self, family: str) -> bool:
        """Whether the tables hold what we wrote there, and so no guests. A fraction of a millisecond."""
        last = self._last.get(family)
        if last is None:
            return False
        tables = [packed_table(table) for table in last.tables]

        def look() -> bool:
            return all(iptables_raw.holds(table) if table.entries <= SMALL else iptables_raw.has_size(table)
                       for table in tables)

        return netnses.visit(self.netns, look)

    def _saved(self, ruleset: Ruleset) -> dict[str, str]:
        """What iptables-legacy-save prints of the tables that are in use, by their names."""
        def look() -> dict[str, str]:
            # Filter first, as they are written: the kernel makes a table when it is asked for it.
            used = [table for table in reversed(ruleset.tables) if iptables_raw.is_in_use(packed_table(table))]
            return {table.name: run([f"{PROGRAMS[table.family]}-legacy-save", "-c", "-t", table.name])
                    for table in used}

        return netnses.visit(self.netns, look)

    def _restore(self, table: Table, found: Guests) -> None:
        text = guests.merge(render_table(table), found)
        command = [f"{PROGRAMS[table.family]}-legacy-restore", "-c", "--wait", f"{LOCK_LIMIT:.0f}"]
        netnses.visit(self.netns, lambda: run(command, text))
