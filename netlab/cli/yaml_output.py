"""Objects as YAML in kubectl's style: keys sorted, double quotes where quotes are needed, texts of lines as blocks."""

from __future__ import annotations

from typing import Any, TextIO


def write(value: Any, stream: TextIO) -> None:
    """Writes one document."""
    import yaml

    class Dumper(yaml.SafeDumper):
        def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
            super().increase_indent(flow, indentless)

        def ignore_aliases(self, data: Any) -> bool:
            return True

    def text(dumper: Any, data: str) -> Any:
        style: str | None = None
        if "\n" in data and _fits_block(data):
            style = "|"
        elif dumper.resolve(yaml.ScalarNode, data, (True, False)) != "tag:yaml.org,2002:str":
            style = '"'
        return dumper.represent_scalar("tag:yaml.org,2002:str", data, style=style)

    Dumper.add_representer(str, text)
    yaml.dump(value, stream, Dumper=Dumper, default_flow_style=False, allow_unicode=True, width=1 << 20)


def _fits_block(data: str) -> bool:
    """Whether a literal block gives the text back: no spaces at the ends of lines, no control characters."""
    lines = data.split("\n")
    return data.isascii() and not any(line != line.rstrip() for line in lines) and not lines[0].startswith(" ") \
        and all(part.isprintable() for part in lines)
