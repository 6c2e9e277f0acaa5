"""Every object of a lab, with revisions, history and watchers; memory answers reads, SQLite is the log."""

from netlab.store.store import Change, Entry, Expired, Store

__all__ = ["Change", "Entry", "Expired", "Store"]
