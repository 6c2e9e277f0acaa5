"""When an ended container starts again (kubelet's ShouldContainerBeRestarted, and its crash-loop back-off)."""

from __future__ import annotations

from dataclasses import dataclass

INITIAL, MAXIMUM = 10.0, 300.0  # seconds
RESET = 2 * MAXIMUM


@dataclass(frozen=True)
class Backoff:
    """A container's back-off: the delay that the next crash meets, and when it last changed (Unix time)."""

    delay: float = 0.0
    updated: float = 0.0

    def wait(self, finished: float, now: float) -> float:
        """Seconds until a container that ended at `finished` may start again; 0 when it may now."""
        if not self.delay or finished - self.updated > RESET:
            return 0.0
        return max(0.0, finished + self.delay - now)

    def next(self, finished: float, now: float) -> Backoff:
        """The back-off after a restart at `now`: it doubles, and begins anew after 10 minutes without a crash."""
        if not self.delay or finished - self.updated > RESET:
            return Backoff(INITIAL, now)
        return Backoff(min(self.delay * 2, MAXIMUM), now)


def should_restart(policy: str, exit_code: int) -> bool:
    """Whether a container that ended with that code is started again under the pod's restartPolicy."""
    return policy == "Always" or (policy == "OnFailure" and exit_code != 0)


def duration(seconds: float) -> str:
    """As Go prints a duration of whole seconds: `10s`, `1m20s`, `5m0s`."""
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes}m{rest}s" if minutes else f"{rest}s"
