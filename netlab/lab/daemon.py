"""The lab's daemon: the control plane in one asyncio process. The dataplane goes on without it.

    python -m netlab.lab.daemon LAB READY_FD

`Lab.up` starts it; it inherits the lab's lock and keeps it as long as it lives. It writes one line of JSON to
READY_FD when API and DNS answer, or what failed.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import signal
import sys
import threading
import traceback
from typing import TYPE_CHECKING

from netlab.kernel.process import write_record
from netlab.lab.runtime import Runtime
from netlab.model.errors import LabError
from netlab.model.lab_settings import parse
from netlab.topology import names
from netlab.workloads.catalogue import PRELOAD

if TYPE_CHECKING:
    from netlab.lab.cluster import Cluster


class Log(io.TextIOWrapper):
    """What the daemon says. A full disk loses words; it must not end whoever speaks them."""

    def write(self, text: str) -> int:
        with contextlib.suppress(OSError):
            super().write(text)
        return len(text)

    def flush(self) -> None:
        with contextlib.suppress(OSError):
            super().flush()


def main(argv: list[str]) -> int:
    """Runs until SIGTERM; gives the exit code."""
    lab, ready = argv[0], int(argv[1])
    # Other threads only hand things to the kernel: they shall not wait 5 ms until they may begin.
    sys.setswitchinterval(0.0005)
    os.umask(0o077)
    sys.stdout = sys.stderr = Log(sys.stdout.buffer, line_buffering=True)
    try:
        write_record(names.run_dir(lab) / "daemon.json", os.getpid())
        # The lab init loads its modules on another core while we load ours, which takes longer.
        runtime = Runtime(lab, preload=PRELOAD)
        threading.Thread(target=runtime.warm_up, name="lab init", daemon=True).start()
        import asyncio

        from netlab.lab.cluster import Cluster

        record = json.loads((names.run_dir(lab) / "lab.json").read_text())
        spec = parse(record["spec"], name=lab)
        asyncio.run(_serve(Cluster(spec, runtime), ready))
    except LabError as error:
        _tell(ready, {"message": error.message, "hint": error.hint, "exit_code": error.exit_code,
                      "log": not error.hint})
        return error.exit_code
    except BaseException as error:
        traceback.print_exc()
        _tell(ready, {"message": f"{type(error).__name__}: {error}", "exit_code": 5, "hint": "netlab doctor"})
        return 5
    return 0


async def _serve(cluster: Cluster, ready: int) -> None:
    import asyncio

    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        await cluster.start()
        _tell(ready, {"ok": True})
        await stop.wait()
    finally:
        await cluster.stop()


def _tell(ready: int, answer: dict[str, object]) -> None:
    try:
        os.write(ready, json.dumps(answer).encode() + b"\n")
        os.close(ready)
    except OSError:
        pass  # the starter is gone, or has its answer already


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
