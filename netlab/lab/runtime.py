"""The lab init as the kubelets use it: started when needed, adopted when it runs, replaced when it died."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Sequence

from netlab.kernel.pod_spec import Sandbox
from netlab.kernel.pods import LabInit, Pod


class Runtime:
    """Makes sandboxes. Safe from several threads; a lab init that was killed is replaced at the next request."""

    def __init__(self, lab: str, *, preload: Sequence[str]) -> None:
        self._lab = lab
        self._preload = tuple(preload)
        self._lock = threading.Lock()
        self._init: LabInit | None = None

    def start(self) -> LabInit:
        """The lab init, which answers."""
        with self._lock:
            if self._init is None:
                self._init = LabInit.adopt(self._lab) or LabInit.start(self._lab, preload=self._preload)
            return self._init

    def warm_up(self) -> None:
        """Starts it ahead of need; what fails now fails again, and is told, at the first request."""
        with contextlib.suppress(OSError):
            self.start()

    def create(self, sandbox: Sandbox) -> Pod:
        """Starts a pod's namespaces and init. OSError says which step failed."""
        init = self.start()
        try:
            return init.create(sandbox)
        except (ConnectionError, EOFError):
            with self._lock:
                if self._init is init:
                    self._init = None
            return self.start().create(sandbox)

    def attach(self, directory: str) -> Pod | None:
        """The running pod of that directory, or None."""
        return Pod.attach(directory)
