"""Does nothing until it is asked to end, as the pause container."""

from __future__ import annotations

import signal


def main(args: list[str]) -> int:
    """Sleeps until SIGTERM or SIGINT."""
    waited = {signal.SIGTERM, signal.SIGINT}
    signal.pthread_sigmask(signal.SIG_BLOCK, waited)
    print("Shutting down, got signal:", signal.strsignal(signal.sigwait(waited)), flush=True)
    return 0
