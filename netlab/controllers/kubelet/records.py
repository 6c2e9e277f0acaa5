"""What a kubelet keeps of each pod on disk, so that pods are found again when their objects have gone."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

from netlab.model.ranges import Address

FILE = "pod.json"


@dataclass(frozen=True)
class PodRecord:
    """A pod that may have something on the machine. `netns` is its own, "" on the host network.

    `address` is of the lab's first family, `secondary` of the other one, "" if the lab has none.
    """

    uid: str
    namespace: str
    name: str
    node: str
    netns: str
    address: str
    secondary: str = ""

    @property
    def addresses(self) -> tuple[str, ...]:
        """One address of each family."""
        return (self.address, self.secondary) if self.secondary else (self.address,)

    def write(self, directory: Path) -> None:
        """Writes it into the pod's directory, whole or not at all."""
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        temporary = directory / (FILE + ".new")
        temporary.write_text(json.dumps(asdict(self)))
        temporary.rename(directory / FILE)


def read_all(pods: Path) -> list[PodRecord]:
    """The records below the lab's `pods` directory; unreadable ones are left out."""
    found = []
    for path in sorted(pods.glob(f"*/{FILE}")):
        try:
            found.append(PodRecord(**json.loads(path.read_text())))
        except (OSError, ValueError, TypeError):
            continue
    return found


class Claims:
    """Which pod has which netns name: a pod must wait while a former one of its name is taken down, on any node."""

    def __init__(self, records: Iterable[PodRecord] = ()) -> None:
        self._owners = {record.netns: record.uid for record in records if record.netns}

    def take(self, netns: str, uid: str) -> bool:
        """Whether the pod has the name now."""
        return not netns or self._owners.setdefault(netns, uid) == uid

    def release(self, netns: str, uid: str) -> None:
        """Gives the name up; fine if the pod does not have it."""
        if self._owners.get(netns) == uid:
            del self._owners[netns]


class AddressBook:
    """The addresses that a node's pods have or are being given: one of each family by pod uid; the ones given last."""

    def __init__(self) -> None:
        self.by_uid: dict[str, tuple[Address, ...]] = {}
        self.last: tuple[Address | None, ...] = ()
