"""agnhost logs-generator: lines like an API server's, at an even pace."""

from __future__ import annotations

import string
import sys
import time
from typing import TYPE_CHECKING

from netlab.workloads.options import options
from netlab.workloads.serving import say

if TYPE_CHECKING:
    from random import Random


def line(number: int, choose: Random) -> str:
    """One line: its number, a method, a path, a status."""
    name = "".join(choose.choice(string.ascii_lowercase) for _ in range(choose.randint(3, 4)))
    namespace = choose.choice(("kube-system", "default", "ns"))
    return (f"{number} {choose.choice(('GET', 'POST', 'PUT'))} /api/v1/namespaces/{namespace}/pods/{name} "
            f"{choose.randint(200, 599)}")


def main(args: list[str]) -> int:
    """Writes --log-lines-total (-t) lines within --run-duration (-d); 255 when either is missing."""
    chosen = options(args, {"t": "0", "d": "0"})
    total = int(chosen.get("log-lines-total") or chosen["t"])
    if "run-duration" in chosen:
        chosen["d"] = chosen["run-duration"]
    span = chosen.seconds("d")
    if total <= 0 or span <= 0:
        what = f"total number of lines: {total}" if total <= 0 else f"duration: {span:g}s"
        print(f"Invalid {what}", file=sys.stderr, flush=True)
        return 255
    import random  # slow to load, and this is all that needs it

    choose, start = random.Random(), time.monotonic()
    for number in range(total):
        now = time.time()
        fraction = f"{now % 1:.6f}"[1:]
        say(f"I{time.strftime('%m%d %H:%M:%S', time.localtime(now))}{fraction}       1 logs_generator.go:76] "
            f"{line(number, choose)}")
        if (wait := start + span * (number + 1) / total - time.monotonic()) > 0:
            time.sleep(wait)
    return 0
