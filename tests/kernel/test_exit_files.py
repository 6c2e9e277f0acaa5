"""Exit files, without a kernel to ask."""

from __future__ import annotations

import os
from pathlib import Path

from netlab.kernel.exit_files import ExitWriter, read_all

FACTS = {"code": 7, "signal": 0, "finished": 1.5}


def test_what_is_written_is_read(tmp_path: Path) -> None:
    descriptor = os.open(tmp_path, os.O_RDONLY)
    writer = ExitWriter(descriptor)
    assert not writer.has("web.0")
    assert writer.write("web.0", FACTS)
    assert writer.has("web.0")
    assert read_all(str(tmp_path)) == {"web.0": FACTS}
    os.close(descriptor)


def test_what_cannot_be_written_waits_and_is_written_later(tmp_path: Path) -> None:
    descriptor = os.open(tmp_path, os.O_RDONLY)
    writer = ExitWriter(descriptor)
    (tmp_path / ".web.0.exit").mkdir()
    assert not writer.write("web.0", FACTS)
    assert writer.retry() == []
    assert writer.has("web.0")
    assert read_all(str(tmp_path)) == {}
    (tmp_path / ".web.0.exit").rmdir()
    assert writer.retry() == ["web.0"]
    assert read_all(str(tmp_path)) == {"web.0": FACTS}
    os.close(descriptor)
