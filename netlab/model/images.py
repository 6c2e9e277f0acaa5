"""Image names, and what they stand for: a lab has no images, an entry of the catalogue says what runs instead."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import PurePosixPath
from typing import Any

from netlab.model.errors import FieldError, LabError, invalid, required, unknown_field

FIELDS = ("name", "command", "args", "entry", "ports", "mounts", "env")
ENTRY = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*")

Directories = tuple[tuple[str, tuple[tuple[str, str], ...]], ...]


@dataclass(frozen=True)
class Image:
    """What runs for images whose name matches `pattern` (a shell pattern).

    A pattern without `/` is compared with the last part of the name. `command` is the image's entrypoint, `args` its
    default arguments. `directories` are those of the image that programs read and people write to: (path, ((file name,
    text), ...)). With `entry` ("package.module:function") it is a built-in that gets the arguments. `requires`
    are programs of the machine without which the image cannot be had. With `follows_ports` the built-in listens on the
    ports that the container declares, on `ports` when there are none. `mounts` are (machine path, pod path), read-only.
    """

    pattern: str
    command: tuple[str, ...] = ()
    args: tuple[str, ...] = ()
    entry: str = ""
    requires: tuple[str, ...] = ()
    ports: tuple[int, ...] = ()
    follows_ports: bool = False
    mounts: tuple[tuple[str, str], ...] = ()
    env: tuple[tuple[str, str], ...] = ()
    directories: Directories = ()

    def matches(self, name: str) -> bool:
        """Whether the image reference is one of these."""
        return any(fnmatchcase(form, self.pattern) for form in forms(name) if "/" in self.pattern or "/" not in form)


@dataclass(frozen=True)
class Launch:
    """What a container executes: `argv`, by the built-in `entry` if there is one."""

    argv: tuple[str, ...]
    entry: str = ""
    mounts: tuple[tuple[str, str], ...] = ()
    env: tuple[tuple[str, str], ...] = ()
    directories: Directories = ()


class MissingImage(Exception):
    """The image cannot be had; the text says what to do about it."""


def repository(name: str) -> str:
    """The reference without tag and digest: `ghcr.io/a/web:1@sha256:…` gives `ghcr.io/a/web`."""
    name = name.partition("@")[0]
    head, colon, tail = name.rpartition(":")
    return head if colon and "/" not in tail else name


def tag(name: str) -> str:
    """The tag of an image reference, "latest" where it has none: `ghcr.io/a/web:1@sha256:…` gives `1`."""
    tail = name.partition("@")[0].rpartition("/")[2]
    return tail.partition(":")[2] or "latest"


def forms(name: str) -> tuple[str, ...]:
    """What patterns are compared with: the whole repository, it without registry and `library/`, its last part."""
    whole = repository(name)
    first, slash, rest = whole.partition("/")
    short = rest if slash and ("." in first or ":" in first or first == "localhost") else whole
    short = short.removeprefix("library/")
    return tuple(dict.fromkeys((whole, short, short.rpartition("/")[2])))


@dataclass(frozen=True)
class Catalogue:
    """The images of a lab, the first match counts; `builtins` are programs that any image has (name -> entry)."""

    images: tuple[Image, ...]
    builtins: Mapping[str, str]

    def find(self, name: str) -> Image | None:
        """The entry for an image reference, or None."""
        return next((image for image in self.images if image.matches(name)), None)

    def launch(self, name: str, *, command: Sequence[str], args: Sequence[str], ports: Iterable[int],
               which: Callable[[str], str | None]) -> Launch:
        """What a container of that image runs; `command` and `args` are the container's, as in Kubernetes.

        `which` finds a program on the machine, as shutil.which does. Raises MissingImage.
        """
        image = self.present(name, which)
        if not command and not args and not image.command and not image.args:
            raise MissingImage(f"the image {repository(name)!r} has no command of its own: give the container one")
        own = PurePosixPath(image.command[0]).name if image.command else ""
        if image.entry and not image.command and args and args[0].startswith("-"):
            args = (*image.args[:1], *args)  # as entrypoints do that put their server before options
        argv = tuple(command) + tuple(args) if command else image.command + (tuple(args) or image.args)
        program = PurePosixPath(argv[0]).name
        if image.entry and program == own:
            listen = self._listen(image, tuple(ports))
            return Launch(argv[:1] + listen + argv[1:], image.entry, image.mounts, image.env, image.directories)
        return Launch(argv, self.builtins.get(program, ""), image.mounts, image.env, image.directories)

    def present(self, name: str, which: Callable[[str], str | None]) -> Image:
        """The entry for an image reference, when what it needs is on the machine. Raises MissingImage."""
        image = self.find(name)
        if image is None:
            example = f"images: [{{name: {repository(name)}, command: [sleep, infinity]}}]"
            raise MissingImage(f"no entry of the image catalogue matches {repository(name)!r} (a lab pulls nothing); "
                               f"say in the lab file under spec what runs for it, for example: {example}")
        missing = [program for program in image.requires if which(program) is None]
        if missing:
            raise MissingImage(f"the image runs the machine's own {missing[0]!r}, which is not installed; install it, "
                               f"or name another command for {repository(name)!r} under images in the lab file")
        return image

    @staticmethod
    def _listen(image: Image, declared: tuple[int, ...]) -> tuple[str, ...]:
        ports = declared if image.follows_ports and declared else image.ports
        return tuple(f"--default-port={port}" for port in ports)


def parse_images(items: Any, path: str = "spec.images") -> tuple[Image, ...]:
    """The images that a lab file adds. LabError names every wrong field by its path."""
    images, errors = read_images(items, path)
    if errors:
        raise LabError("\n".join(str(error) for error in errors), hint="netlab help lab-file")
    return images


def read_images(items: Any, path: str = "spec.images") -> tuple[tuple[Image, ...], list[FieldError]]:
    """The images that a lab file adds, and everything wrong with them."""
    if not isinstance(items, list | tuple | None):
        return (), [invalid(path, items, "must be a list")]
    errors: list[FieldError] = []
    return tuple(_parse(item, f"{path}[{index}]", errors) for index, item in enumerate(items or ())), errors


def _parse(item: Any, path: str, errors: list[FieldError]) -> Image:
    if not isinstance(item, Mapping):
        errors.append(invalid(path, item, "must be a mapping with name and command"))
        return Image("")
    errors.extend(unknown_field(path, field, FIELDS) for field in item if field not in FIELDS)
    name = item.get("name")
    if not isinstance(name, str) or not name:
        errors.append(required(f"{path}.name"))
    entry = item.get("entry") or ""
    if entry and (not isinstance(entry, str) or not ENTRY.fullmatch(entry)):
        errors.append(invalid(f"{path}.entry", entry, "must be package.module:function"))
    command, args = (strings(item.get(field), f"{path}.{field}", errors) for field in ("command", "args"))
    if not item.get("command") and not entry:
        errors.append(required(f"{path}.command", "what runs for this image"))
    ports = port_numbers(item.get("ports"), f"{path}.ports", errors)
    mounts = pairs(item.get("mounts"), f"{path}.mounts", "machine path: pod path", errors)
    errors.extend(invalid(f"{path}.mounts", dict((pair,)), "paths must be absolute")
                  for pair in mounts if not all(part.startswith("/") for part in pair))
    return Image(pattern=str(name), command=command or ((str(entry).rpartition(".")[2],) if entry else ()), args=args,
                 entry=str(entry), ports=ports, mounts=mounts,
                 env=pairs(item.get("env"), f"{path}.env", "NAME: value", errors))


def strings(value: Any, path: str, errors: list[FieldError]) -> tuple[str, ...]:
    """The texts of a list, numbers as texts; what else it is goes into `errors`."""
    if value is None:
        return ()
    if not isinstance(value, list | tuple) or not all(isinstance(part, str | int) for part in value):
        errors.append(invalid(path, value, "must be a list of strings"))
        return ()
    return tuple(str(part) for part in value)


def port_numbers(value: Any, path: str, errors: list[FieldError]) -> tuple[int, ...]:
    """The ports of a list; what else it is goes into `errors`."""
    if value is None:
        return ()
    if not isinstance(value, list | tuple) or not all(type(port) is int and 0 < port < 65536 for port in value):
        errors.append(invalid(path, value, "must be a list of numbers between 1 and 65535"))
        return ()
    return tuple(value)


def pairs(value: Any, path: str, shape: str, errors: list[FieldError]) -> tuple[tuple[str, str], ...]:
    """The texts of a mapping; what else it is goes into `errors`, which say that its `shape` is wanted."""
    if not value:
        return ()
    if not isinstance(value, Mapping):
        errors.append(invalid(path, value, f"must be a mapping of {shape}"))
        return ()
    return tuple((str(key), str(part)) for key, part in value.items())
