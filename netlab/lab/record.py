"""The record of a lab in its run directory: its settings, the boot that it belongs to, and whose it is."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from typing import Any

from netlab.model.errors import LabError
from netlab.model.lab_spec import LabSpec
from netlab.topology import names


def read(name: str) -> dict[str, Any] | None:
    """The record (`boot`, `spec`, `owner`), or None when there is none or a damaged one. LabError without access."""
    try:
        record: dict[str, Any] = json.loads((names.run_dir(name) / "lab.json").read_text())
        return record if isinstance(record["boot"], str) and isinstance(record["spec"], dict) else None
    except PermissionError:
        raise LabError(f"no access to lab {name}: a lab belongs to root", hint="use sudo", exit_code=3) from None
    except (OSError, ValueError, TypeError, KeyError):
        return None


def is_alive(record: Mapping[str, Any]) -> bool:
    """Whether the lab is of this boot of the machine, and of somebody who still wants it."""
    from netlab.kernel.process import boot_id

    return bool(record["boot"] == boot_id()) and not is_abandoned(record)


def is_abandoned(record: Mapping[str, Any]) -> bool:
    """Whether it is the lab of a `netlab run` that was killed."""
    from netlab.kernel import process

    owner = record.get("owner")
    if not owner:
        return False
    descriptor = process.pin(*owner)
    if descriptor is None:
        return True
    os.close(descriptor)
    return process.gone(owner[0])


def write(spec: LabSpec, *, temporary: bool) -> None:
    """Makes the run directory and writes the record; a `temporary` lab is this process's."""
    from netlab.kernel import process
    from netlab.kernel.lock import make_run_dir

    directory = make_run_dir(spec.name)
    owner = [os.getpid(), process.start_time(os.getpid())] if temporary else None
    file = directory / "lab.json.new"
    file.write_text(json.dumps({"boot": process.boot_id(), "owner": owner, "spec": spec.to_manifest()}))
    file.rename(directory / "lab.json")
