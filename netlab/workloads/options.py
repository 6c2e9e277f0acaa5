"""Options in the form of Go's flags: `--name=value`, `--name value`, `-name`."""

from __future__ import annotations

import re
from collections.abc import Mapping

DURATION = re.compile(r"[+-]?(0|((\d+\.?\d*|\.\d+)(ns|us|µs|ms|s|m|h))+)")
LOGGING = ("v", "vmodule", "logtostderr", "alsologtostderr", "stderrthreshold", "log_dir", "log_file", "skip_headers")
UNITS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}


class Options(dict[str, str]):
    """Option values by name, and the other words in `words`."""

    words: tuple[str, ...] = ()

    def flag(self, name: str) -> bool:
        """Whether a boolean option is on."""
        return self[name].lower() in ("true", "1", "t", "yes")

    def seconds(self, name: str) -> float:
        """A duration such as `5s`, `1m`, `500ms`, or a number of seconds; ValueError when it is neither."""
        return seconds(self[name])


def seconds(text: str) -> float:
    """A duration as Go writes it, such as `1m30s` or `500ms`, or a number of seconds; 0 for "". ValueError else."""
    if not re.fullmatch(r"([\d.]+(ns|us|µs|ms|s|m|h))+", text):
        return float(text or 0)
    return sum(float(number) * UNITS[unit] for number, unit in re.findall(r"([\d.]+)(ns|us|µs|ms|s|m|h)", text))


def options(args: list[str], defaults: Mapping[str, str]) -> Options:
    """The options among `args`, over the defaults; one whose default is true or false takes a value only after `=`."""
    found = Options(defaults)
    words, rest = [], list(args)
    while rest:
        word = rest.pop(0)
        if not word.startswith("-") or word == "-":
            words.append(word)
            continue
        name, equals, value = word.lstrip("-").partition("=")
        if not equals:
            boolean = defaults.get(name) in ("true", "false")
            value = "true" if boolean or not rest else rest.pop(0)
        found[name] = value
    found.words = tuple(words)
    return found


def strict_options(args: list[str], defaults: Mapping[str, str]) -> Options:
    """The options of an agnhost command that takes no other words; numbers must be some. ValueError in cobra's words.

    Logging's flags are taken and have no effect.
    """
    found = options(args, defaults)
    for name, value in found.items():
        if name not in defaults and name not in LOGGING:
            raise ValueError(f"unknown flag: --{name}")
        if re.fullmatch(r"-?\d+", defaults.get(name, "")) and not re.fullmatch(r"[+-]?\d+", value):
            raise ValueError(f'invalid argument "{value}" for "--{name}" flag: strconv.ParseInt: '
                             f'parsing "{value}": invalid syntax')
    if found.words:
        raise ValueError(f"accepts at most 0 arg(s), received {len(found.words)}")
    return found
