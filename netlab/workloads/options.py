"""Options in the form of Go's flags: `--name=value`, `--name value`, `-name`."""

from __future__ import annotations

from collections.abc import Mapping


class Options(dict[str, str]):
    """Option values by name, and the other words in `words`."""

    words: tuple[str, ...] = ()

    def flag(self, name: str) -> bool:
        """Whether a boolean option is on."""
        return self[name].lower() in ("true", "1", "t", "yes")

    def seconds(self, name: str) -> float:
        """A duration such as `5s`, `1m`, `500ms`, or a number of seconds; ValueError when it is neither."""
        text = self[name]
        for unit, factor in (("ms", 0.001), ("s", 1.0), ("m", 60.0), ("h", 3600.0)):
            if text.endswith(unit):
                return float(text.removesuffix(unit)) * factor
        return float(text)


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
