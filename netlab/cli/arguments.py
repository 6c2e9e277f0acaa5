"""Command lines as values: what a command takes, and what a user gave.

Flags and operands may stand in any order, as kubectl allows it; `--` ends the flags. Written for this program
instead of argparse because that alone costs as much start-up time as the rest of a command.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from netlab.model.errors import LabError


class Option(NamedTuple):
    """A flag; with `value` (its placeholder in the help) it takes one, given once or (`many`) repeatedly."""

    names: tuple[str, ...]
    help: str
    value: str = ""
    many: bool = False
    default: Any = None
    convert: Callable[[str], Any] = str
    choices: tuple[str, ...] = ()

    @property
    def key(self) -> str:
        """The long name without dashes: what `Arguments` knows it by."""
        return max(self.names, key=len).lstrip("-")


class Command(NamedTuple):
    """One command. `run` is "module:function" below netlab.cli, imported when the command is used."""

    name: str
    help: str
    run: str
    operands: str = ""
    least: int = 0
    most: int | None = 0
    options: tuple[Option, ...] = ()
    program: bool = False  # takes a program after `--`
    details: str = ""
    raw: bool = False  # all that follows its name is another program's


class Arguments(NamedTuple):
    """What was given to a command: operands, the program after `--`, and options by their long name."""

    command: Command
    words: list[str]
    program: list[str]
    options: dict[str, Any]

    def text(self, key: str) -> str:
        """The value of an option, "" when it was not given and has no default."""
        return str(self.options.get(key) or "")

    def flag(self, key: str) -> bool:
        """Whether a flag was given."""
        return bool(self.options.get(key))

    def many(self, key: str) -> list[str]:
        """The values of an option that may be given repeatedly."""
        return list(self.options.get(key) or ())

    def number(self, key: str) -> int | None:
        """The value of a numeric option, None when it was not given."""
        value = self.options.get(key)
        return None if value is None else int(value)


def usage_error(command: Command, message: str) -> LabError:
    """Bad usage of `command`: exit code 2, and where to look."""
    return LabError(message, hint=f"netlab {command.name} --help")


def parse(command: Command, given: Sequence[str]) -> Arguments:
    """The arguments of one command. LabError (exit code 2) says what is wrong with them."""
    known = {name: option for option in command.options for name in option.names}
    options: dict[str, Any] = {option.key: option.default for option in command.options}
    words: list[str] = []
    program: list[str] = []
    queue = list(given)
    while queue:
        word = queue.pop(0)
        if word == "--":
            if command.program:
                program = queue
            else:
                words += queue
            break
        if not word.startswith("-") or word == "-":
            words.append(word)
            continue
        name, text = _split(word, known)
        option = known.get(name)
        if option is None:
            raise usage_error(command, _unknown(name, known) + _without_flag(command, name))
        if not option.value:
            _set_flag(command, option, options, name=name, text=text, queue=queue, together=not word.startswith("--"))
            continue
        if text is None:
            if not queue:
                raise usage_error(command, f"flag needs an argument: {name} {option.value}")
            text = queue.pop(0)
        value = _convert(command, option, text)
        options[option.key] = [*(options[option.key] or ()), value] if option.many else value
    if len(words) < command.least or (command.most is not None and len(words) > command.most):
        raise usage_error(command, _count(command, words))
    return Arguments(command, words, program, options)


def _split(word: str, known: dict[str, Option]) -> tuple[str, str | None]:
    """`--key=value`, `-kvalue` and `-k=value` in two parts; for `-abc` the name is `-a`."""
    if word.startswith("--"):
        name, equals, text = word.partition("=")
        return name, text if equals else None
    name, rest = word[:2], word[2:]
    if word in known:  # a long name with one dash, such as -it, is none of ours; but a name may be
        return word, None
    return name, rest.removeprefix("=") if rest else None


def _set_flag(command: Command, option: Option, options: dict[str, Any], *, name: str, text: str | None,
              queue: list[str], together: bool) -> None:
    options[option.key] = True
    if text is None:
        return
    if together:  # -it: the rest are flags as well
        queue.insert(0, f"-{text}")
    elif text in ("true", "false"):
        options[option.key] = text == "true"
    else:
        raise usage_error(command, f'invalid argument "{text}" for "{name}" flag: it is true or false')


def _convert(command: Command, option: Option, text: str) -> Any:
    if option.choices and text not in option.choices:
        raise usage_error(command, f'invalid argument "{text}" for "--{option.key}" flag: '
                                   f"must be one of {', '.join(option.choices)}")
    try:
        return option.convert(text)
    except ValueError:
        raise usage_error(command, f'invalid argument "{text}" for "--{option.key}" flag: '
                                   f"it takes a whole number") from None


def _unknown(name: str, known: dict[str, Option]) -> str:
    kind = "unknown flag" if name.startswith("--") else "unknown shorthand flag"
    near = did_you_mean(name, [known_name for known_name in known if known_name.startswith("--")])
    return f"{kind}: {name}{near}"


_FILES = ("[LAB.yaml]", "[SCENARIO...]")


def _without_flag(command: Command, name: str) -> str:
    """Helps who writes -f, as for kubectl, where the file stands for itself."""
    return f": netlab {command.name} {command.operands}" if name == "-f" and command.operands in _FILES else ""


def _count(command: Command, words: list[str]) -> str:
    wanted = f"netlab {command.name} {command.operands}".rstrip() + (" -- PROGRAM" if command.program else "")
    if len(words) < command.least:
        return f"an operand is missing: {wanted}"
    return f"unexpected operand {words[command.most or 0]!r}: {wanted}"


def did_you_mean(word: str, names: Sequence[str]) -> str:
    """` (did you mean "x"?)` when one of the names is near, else ""."""
    import difflib

    near = difflib.get_close_matches(word, names, n=1, cutoff=0.6)
    return f' (did you mean "{near[0]}"?)' if near else ""


def command_help(command: Command, shared: Sequence[Option] = ()) -> str:
    """The text of `netlab COMMAND --help`."""
    tail = " -- PROGRAM [ARGUMENT...]" if command.program else ""
    lines = [command.help, "", f"Usage: netlab {command.name} {command.operands}{tail}".rstrip()]
    if command.details:
        lines += ["", command.details.strip("\n")]
    own = [option for option in command.options if option not in shared]
    for title, options in (("Options", own), ("For every command", list(shared))):
        if options:
            lines += ["", f"{title}:", *_option_lines(options)]
    return "\n".join(lines) + "\n"


def _option_lines(options: Sequence[Option]) -> list[str]:
    left = [", ".join(option.names) + (f" {option.value}" if option.value else "") for option in options]
    width = min(30, max(map(len, left)))
    return [f"  {names:<{width}}  {option.help}" for names, option in zip(left, options, strict=True)]
