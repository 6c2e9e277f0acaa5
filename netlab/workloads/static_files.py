"""Files below a directory, as web servers give them."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from pathlib import Path

from netlab.workloads.http import Request, Response, http_date

TYPES = {
    "html": "text/html", "htm": "text/html", "txt": "text/plain", "css": "text/css", "js": "application/javascript",
    "json": "application/json", "xml": "text/xml", "svg": "image/svg+xml", "png": "image/png", "gif": "image/gif",
    "jpg": "image/jpeg", "jpeg": "image/jpeg", "ico": "image/x-icon", "pdf": "application/pdf",
    "zip": "application/zip", "md": "text/markdown", "yaml": "application/yaml", "yml": "application/yaml",
}


@dataclass(frozen=True)
class Found:
    """What a path leads to: a file, or a directory (which `is_directory` tells); neither when `path` is None."""

    path: Path | None = None
    is_directory: bool = False


def find(root: str, path: str) -> Found:
    """What is at the path of a URL below `root`; a path that leads out of it finds nothing."""
    clean = os.path.normpath("/" + path)
    wanted = Path(root.rstrip("/") + clean)
    try:
        mode = wanted.stat().st_mode
    except (OSError, ValueError):
        return Found()
    if stat.S_ISDIR(mode):
        return Found(wanted, is_directory=True)
    return Found(wanted) if stat.S_ISREG(mode) and not path.endswith("/") else Found()


def first_file(directory: Path, names: tuple[str, ...]) -> Path | None:
    """The first of the files that the directory has."""
    return next((directory / name for name in names if (directory / name).is_file()), None)


def content_type(path: Path, default: str = "application/octet-stream") -> str:
    """The type of a file by the end of its name."""
    return TYPES.get(path.suffix.lstrip(".").lower(), default)


def give(request: Request, path: Path, *, default_type: str = "application/octet-stream",
         headers: tuple[tuple[str, str], ...] = ()) -> Response:
    """The file with its date and tag, 304 when the client has it. OSError when it cannot be read."""
    found = path.stat()
    tag = f'"{int(found.st_mtime):x}-{found.st_size:x}"'
    kept = (("Last-Modified", http_date(found.st_mtime)), ("ETag", tag), *headers)
    if request.header("if-none-match") == tag:
        return Response("", 304, "", kept)
    return Response(path.read_bytes(), 200, content_type(path, default_type), (*kept, ("Accept-Ranges", "bytes")))
