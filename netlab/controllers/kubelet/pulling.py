"""Back-off of images that cannot be had (ErrImagePull, then ImagePullBackOff)."""

from __future__ import annotations

import time

from netlab.controllers.kubelet.restarts import Backoff

SHOW = 0.5  # seconds for which ErrImagePull is shown before it becomes ImagePullBackOff


class Pulls:
    """The failed pulls of one pod, by container."""

    def __init__(self) -> None:
        self._failed: dict[str, tuple[str, float, Backoff, str]] = {}

    def failed(self, container: str, image: str, text: str) -> float:
        """Notes a failure now, and why; gives the seconds after which to look again."""
        now = time.monotonic()
        old = self._failed.get(container)
        backoff = old[2] if old and old[0] == image else Backoff()
        self._failed[container] = (image, now, backoff.next(now, now), text)
        return SHOW

    def waiting(self, container: str, image: str) -> tuple[str, str, float] | None:
        """(reason, message, seconds to wait) while the pull of that image must not be tried again."""
        entry = self._failed.get(container)
        if entry is None or entry[0] != image:
            return None
        wait = entry[2].wait(entry[1], time.monotonic())
        return ("ImagePullBackOff", f"{backing_off(image)}: ErrImagePull: {entry[3]}", wait) if wait > 0 else None

    def succeeded(self, container: str) -> None:
        """Forgets what was."""
        self._failed.pop(container, None)


def backing_off(image: str) -> str:
    """What the event says of a pull that has to wait."""
    return f'Back-off pulling image "{image}"'
