"""One nftables table of a netns, written as text and replaced whole."""

from __future__ import annotations

import subprocess

from netlab.kernel import netns
from netlab.kernel.bin_directory import which
from netlab.model.errors import LabError

INSTALL = "apt-get install nftables; modprobe -a nf_tables nft_masq nft_fib nft_ct"


class KeptTable:
    """The table `inet NAME` of a netns. Its methods block for milliseconds; OSError when there is no such netns."""

    def __init__(self, netns: str, name: str) -> None:
        self.netns = netns
        self.name = name
        self._written: tuple[str, str] | None = None  # our text, and how nft lists it

    def keep(self, text: str) -> bool:
        """Makes the table what the text says; whether anything had to be written.

        LabError (exit code 3) when the program or the kernel's support for it is missing.
        """
        return netns.visit(self.netns, lambda: self._keep(text))

    def _keep(self, text: str) -> bool:
        if self._written and self._written[0] == text and self._list() == self._written[1]:
            return False
        self._written = None
        code, _, words = run(["-f", "-"], f"add table inet {self.name}\ndelete table inet {self.name}\n{text}")
        if code:
            raise LabError(f"nft: {words}", hint=INSTALL, exit_code=3)
        self._written = text, self._list()
        return True

    def _list(self) -> str:
        code, out, words = run(["--stateless", "list", "table", "inet", self.name])
        return f"error: {words}" if code else out


def run(arguments: list[str], text: str = "") -> tuple[int, str, str]:
    """(exit code, what it printed, the first line of its complaint) of nft in this thread's netns."""
    nft = which("nft")
    if nft is None:
        return 127, "", "the program is not installed"
    done = subprocess.run([nft, *arguments], input=text, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout, (done.stderr.strip().splitlines() or [""])[0]
