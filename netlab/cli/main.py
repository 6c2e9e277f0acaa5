"""The entry point: reads the command line, imports what that command needs, returns its exit code."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from importlib import import_module

from netlab.cli import topics
from netlab.cli.arguments import Arguments, Command, command_help, did_you_mean, parse
from netlab.cli.commands import COMMANDS, SHARED, overview
from netlab.cli.failures import explain, interrupted
from netlab.cli.topics import TOPICS
from netlab.model.errors import ApiError, LabError


def main(argv: list[str] | None = None) -> int:
    """Runs one command; gives its exit code."""
    given = sys.argv[1:] if argv is None else argv
    try:
        return _flushed(_run(given))
    except (ApiError, LabError) as error:
        return explain(error)
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        # The reader left, as `head` does. Nothing more can be said; the interpreter must not try at its exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return 141
    except Exception as error:
        return interrupted(error)


def _flushed(code: int) -> int:
    """The code, once all output is out; 5 when it cannot be written and nothing else had failed."""
    try:
        sys.stdout.flush()
    except OSError as error:  # a reader that left, a full disk, a terminal that is gone
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        if not code and not isinstance(error, BrokenPipeError):
            raise LabError(f"the output cannot be written: {error.strerror}", exit_code=5) from None
        return code or 141
    return code


def _run(given: list[str]) -> int:
    before = []  # --name may stand before the command
    rest = list(given)
    while rest and rest[0].startswith("-"):
        if rest[0] in ("-h", "--help"):
            sys.stdout.write(overview())
            return 0
        if rest[0] == "--version":
            rest[0] = "version"
            break
        takes = rest[0] == "--name"
        if not takes and not rest[0].startswith("--name="):
            raise LabError(f"unknown flag: {rest[0]}", hint="netlab --help")
        before += rest[: 1 + takes]
        del rest[: 1 + takes]
    if not rest:
        sys.stderr.write(overview())
        return 2
    name, rest = rest[0], rest[1:]
    if name == "help":
        sys.stdout.write(_help(rest))
        return 0
    command = COMMANDS.get(name)
    if command is None:
        raise LabError(f'unknown command "{name}"{did_you_mean(name, list(COMMANDS))}', hint="netlab --help")
    if command.raw and rest not in (["--help"], ["-h"]):
        return _function(command)(parse(command, before)._replace(program=rest))
    own = rest[: rest.index("--")] if "--" in rest else rest
    if "--help" in own or "-h" in own:
        sys.stdout.write(command_help(command, SHARED))
        return 0
    return _function(command)(parse(command, before + rest))


def _help(words: list[str]) -> str:
    """What `netlab help` prints about a command or a topic; about netlab without one."""
    word = next((word for word in words if word not in ("-h", "--help")), "")
    if not word:
        return overview()
    if word in TOPICS:
        return topics.text(word)
    if word in COMMANDS:
        return command_help(COMMANDS[word], SHARED)
    raise LabError(f'there is no help on "{word}"{did_you_mean(word, [*COMMANDS, *TOPICS])}',
                   hint=f"netlab --help, or netlab help TOPIC, one of: {', '.join(TOPICS)}")


def _function(command: Command) -> Callable[[Arguments], int]:
    module, _, function = command.run.partition(":")
    found: Callable[[Arguments], int] = getattr(import_module(f"netlab.cli.{module}"), function)
    return found
