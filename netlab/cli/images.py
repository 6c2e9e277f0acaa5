"""images: what runs for which image name."""

from __future__ import annotations

import shlex
from collections.abc import Callable

from netlab.cli.arguments import Arguments
from netlab.cli.context import lab_name
from netlab.cli.table import align
from netlab.model.errors import LabError
from netlab.model.images import Catalogue, Image, MissingImage

WIDEST = 60  # characters of a command


def images(arguments: Arguments) -> int:
    """Prints the catalogue, that of the lab's file first; with names what runs for each: 4 when one has no entry."""
    from netlab.kernel.bin_directory import which
    from netlab.lab import record
    from netlab.model.lab_settings import parse
    from netlab.workloads.catalogue import catalogue

    name = lab_name(arguments)
    found = record.read(name)
    known = catalogue(parse((found or {}).get("spec") or {}, name=name))
    chosen = _named(known, arguments.words, which) if arguments.words else [
        (image.pattern, image) for image in known.images]
    print(align([["IMAGE", "PORTS", "RUNS"], *(_row(shown, image) for shown, image in chosen)]), end="")
    return 0


def _named(known: Catalogue, words: list[str], which: Callable[[str], str | None]) -> list[tuple[str, Image]]:
    try:
        return [(word, known.present(word, which)) for word in words]
    except MissingImage as error:
        raise LabError(str(error), hint="netlab images", exit_code=4) from None


def _row(shown: str, image: Image) -> list[str]:
    ports = ",".join(map(str, image.ports)) + ("+" if image.follows_ports else "")
    return [shown, ports or "-", runs(image)]


def runs(image: Image) -> str:
    """What runs, in a line: a built-in by its name, or a command of the machine."""
    if image.entry:
        module, _, function = image.entry.partition(":")
        detail = function.removeprefix("main").strip("_")
        return f"built-in {module.rpartition('.')[2]}" + (f" ({detail.replace('_', ' ')})" if detail else "")
    script = image.command[:2] == ("sh", "-c")
    words = [image.pattern.strip("*"), *image.args] if script else [*image.command, *image.args]
    text = " ".join(map(shlex.quote, words))
    return f"the machine's {text[:WIDEST]}"
