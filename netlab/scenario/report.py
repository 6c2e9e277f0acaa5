"""What a reader sees of a run: each step as it happens, and a summary."""

from __future__ import annotations

import os
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TextIO

from netlab.scenario.actions import Observation
from netlab.scenario.http_step import backend
from netlab.scenario.scenario import Scenario
from netlab.scenario.step import Step

WIDTH = 100
OUTPUT_LINES = 60
_COLOURS = {"bold": "1", "green": "32", "red": "31", "dim": "2"}


@dataclass
class Result:
    """How a scenario ended: `failure` is empty when all its checks held."""

    name: str
    seconds: float
    steps: int
    failure: str = ""


@dataclass
class Report:
    """Writes to one stream; colours only on a terminal (and never with NO_COLOR)."""

    out: TextIO
    quiet: bool = False
    verbose: bool = False
    results: list[Result] = field(default_factory=list)

    def _paint(self, text: str, colour: str) -> str:
        if not self.out.isatty() or os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb":
            return text
        return f"\033[{_COLOURS[colour]}m{text}\033[0m"

    def _line(self, text: str = "") -> None:
        self.out.write(text + "\n")
        self.out.flush()

    def _wrapped(self, text: str, indent: str) -> None:
        for paragraph in text.strip().split("\n\n"):
            self._line(textwrap.fill(" ".join(paragraph.split()), WIDTH, initial_indent=indent,
                                     subsequent_indent=indent))

    def begin(self, scenario: Scenario, lab: str) -> None:
        """A scenario starts."""
        if self.quiet:
            return
        self._line(self._paint(f"{scenario.name}: {scenario.title}", "bold"))
        if scenario.description:
            self._wrapped(scenario.description, "  ")
        self._line()

    def lab_up(self, lab: str, nodes: Sequence[str], seconds: float) -> None:
        """The lab answers."""
        if not self.quiet:
            self._line(f"{self._mark(True)} lab {lab} is up: {', '.join(nodes)}{self._time(seconds)}\n")

    def step(self, number: int, step: Step) -> None:
        """A step starts."""
        if self.quiet:
            return
        self._line(self._paint(f"{number}. {step.title}", "bold"))
        if step.say:
            self._wrapped(step.say, "   ")

    def done(self, step: Step, seen: Observation, seconds: float) -> None:
        """A step's checks held."""
        if self.quiet:
            return
        for line in self._shown(seen):
            self._line(f"   {self._paint(line, 'dim')}")
        self._line(f"{self._mark(True)} {seen.did}{self._time(seconds)}\n")

    def _shown(self, seen: Observation) -> list[str]:
        lines = list(seen.lines)
        if seen.rejected:
            lines.append(f"refused: {seen.rejected}")
        if seen.rcode:
            lines += [f"{seen.rcode}: {', '.join(seen.answers) or 'no records'}"]
        elif seen.http:
            lines += _http(seen)
        if seen.stdout and (self.verbose or not (seen.http or seen.rcode)):
            output = seen.stdout.rstrip().splitlines()
            limit = OUTPUT_LINES if self.verbose else 12
            lines += output[:limit] + ([f"... {len(output) - limit} more lines"] if len(output) > limit else [])
        return lines

    def failed(self, step: Step, problems: Sequence[str], seen: Observation | None, *, tries: int, seconds: float,
               evidence: Sequence[tuple[str, str]]) -> None:
        """A step's checks did not hold: what was expected and came, and the state that explains it."""
        if self.quiet:
            self._line(self._paint(step.title, "bold"))
        if seen is not None:
            for line in self._shown(seen):
                self._line(f"   {line}")
        did = seen.did if seen else step.action.name
        again = f", tried {tries} times" if tries > 1 else ""
        self._line(f"{self._mark(False)} {did}{self._time(seconds)}{again}")
        for problem in problems:
            self._line(textwrap.indent(self._paint(problem, "red"), "   "))
        self._line(f"   {step.place}")
        for title, text in evidence:
            self._line(f"   {title}:")
            self._line(textwrap.indent(text, "      "))
        self._line()

    def say(self, text: str) -> None:
        """A line of its own, also when quiet."""
        self._line(text)

    def note(self, text: str) -> None:
        """A line of its own, not when quiet."""
        if not self.quiet:
            self._line(text)

    def end(self, result: Result) -> None:
        """A scenario is over."""
        self.results.append(result)
        if result.failure:
            self._line(f"{self._mark(False)} {result.name}: {result.failure}{self._time(result.seconds)}")
        else:
            self._line(f"{self._mark(True)} {result.name}: {result.steps} steps, every check held"
                       f"{self._time(result.seconds)}")
        self.note("")

    def summary(self) -> None:
        """All scenarios of the run, when there were several."""
        if len(self.results) < 2 or self.quiet:
            return
        width = max(len(result.name) for result in self.results)
        for result in self.results:
            self._line(f"{self._mark(not result.failure)} {result.name:<{width}}  {result.seconds:6.2f} s  "
                       f"{result.failure}".rstrip())
        failed = sum(bool(result.failure) for result in self.results)
        self._line(f"{len(self.results)} scenarios, {failed} failed, "
                   f"{sum(result.seconds for result in self.results):.2f} s")

    def _mark(self, good: bool) -> str:
        return self._paint("ok", "green") if good else self._paint("FAILED", "red")

    def _time(self, seconds: float) -> str:
        return self._paint(f"  {seconds:.2f} s", "dim")


def _http(seen: Observation) -> list[str]:
    if len(seen.http) == 1:
        answer = seen.http[0]
        if answer.error:
            return [f"{answer.error}: {answer.words}"]
        return [f"HTTP {answer.status}", *answer.body.rstrip().splitlines()[:8]]
    counts: dict[str, int] = {}
    for answer in seen.http:
        words = backend(answer) or answer.body.strip().partition("\n")[0][:60]
        key = answer.error or f"{answer.status} {words}".strip()
        counts[key] = counts.get(key, 0) + 1
    return [f"{number:4}x {key}" for key, number in sorted(counts.items(), key=lambda pair: -pair[1])]
