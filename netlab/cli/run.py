"""run: plays scenarios."""

from __future__ import annotations

import sys

from netlab.cli.arguments import Arguments, usage_error
from netlab.cli.context import lab_name


def run(arguments: Arguments) -> int:
    """Plays the scenarios one after the other: 1 when a check failed in any."""
    from netlab.scenario import library
    from netlab.scenario.problems import BadFile

    if not arguments.words:
        for name in library.shipped():
            print(f"{name:<18}{library.load(name).title}")
        return 0
    if arguments.flag("keep") and len(arguments.words) > 1:
        raise usage_error(arguments.command, "--keep leaves a lab up: name one scenario")
    scenarios, problems = [], []
    for word in arguments.words:
        try:
            scenarios.append(library.load(word))
        except BadFile as error:
            problems += error.problems
    if problems:
        raise BadFile(problems)
    if arguments.flag("check"):
        for scenario in scenarios:
            print(f"{scenario.file}: {scenario.name}: {len(scenario.steps)} steps, no mistakes")
        return 0
    from netlab.scenario.report import Report
    from netlab.scenario.runner import play_all

    report = Report(sys.stdout, quiet=arguments.flag("quiet"), verbose=arguments.flag("verbose"))
    return play_all(scenarios, lab_name=lab_name(arguments), report=report, keep=arguments.flag("keep"))
