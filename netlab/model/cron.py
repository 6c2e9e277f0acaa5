"""Cron schedules as CronJobs write them: five fields, or @hourly and the like (the grammar of robfig/cron)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from itertools import islice, pairwise

_MONTHS = {"jan": 1, "feb": 2, "mar": 3, "apr": 4, "may": 5, "jun": 6, "jul": 7, "aug": 8, "sep": 9, "oct": 10,
           "nov": 11, "dec": 12}
_DAYS = {"sun": 0, "mon": 1, "tue": 2, "wed": 3, "thu": 4, "fri": 5, "sat": 6}
_BOUNDS: tuple[tuple[int, int, dict[str, int]], ...] = (
    (0, 59, {}), (0, 23, {}), (1, 31, {}), (1, 12, _MONTHS), (0, 6, _DAYS))
_NAMED = {"@yearly": "0 0 1 1 *", "@annually": "0 0 1 1 *", "@monthly": "0 0 1 * *", "@weekly": "0 0 * * 0",
          "@daily": "0 0 * * *", "@midnight": "0 0 * * *", "@hourly": "0 * * * *"}
_UNITS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 1e-3, "us": 1e-6, "µs": 1e-6, "ns": 1e-9}
_FAR = 5  # years in which a moment is looked for; February 30th never comes


@dataclass(frozen=True)
class Schedule:
    """Minutes, hours, days of the month, months, days of the week that fit; or `every` so many seconds.

    When both kinds of days are restricted, one of them is enough (crontab(5)).
    """

    fields: tuple[frozenset[int], ...] = ()
    any_day: tuple[bool, bool] = (True, True)  # whether the day of the month, of the week was a star
    every: int = 0

    def next(self, after: datetime, zone: tzinfo = UTC) -> datetime | None:
        """The first moment of the schedule after `after`, in UTC; None when there is none within five years."""
        if self.every:
            return after.replace(microsecond=0).astimezone(UTC) + timedelta(seconds=self.every)
        minutes, hours, _, _, _ = self.fields
        local = after.astimezone(zone)
        day = local.date()
        for _ in range(366 * _FAR):
            if self._fits(day.day, day.month, day.isoweekday() % 7):
                for hour in sorted(hours):
                    for minute in sorted(minutes):
                        found = datetime(day.year, day.month, day.day, hour, minute, tzinfo=zone).astimezone(UTC)
                        exists = found.astimezone(zone).hour == hour  # not so where summer time skips the hour
                        if found > after and exists:
                            return found
            day += timedelta(days=1)
        return None

    def between(self, after: datetime, until: datetime, zone: tzinfo = UTC) -> Iterator[datetime]:
        """The moments after `after`, up to and with `until`."""
        moment = self.next(after, zone)
        while moment is not None and moment <= until:
            yield moment
            moment = self.next(moment, zone)

    def _fits(self, day: int, month: int, weekday: int) -> bool:
        _, _, days, months, weekdays = self.fields
        if month not in months:
            return False
        if any(self.any_day):
            return day in days and weekday in weekdays
        return day in days or weekday in weekdays


def latest(schedule: Schedule, after: datetime, now: datetime, zone: tzinfo = UTC) -> tuple[datetime | None, int]:
    """The last moment of the schedule after `after` that has come, and how many have: 100 stands for many.

    After a long pause the moments are not counted one by one.
    """
    found = list(islice(schedule.between(after, now, zone), 101))
    if len(found) <= 100:
        return (found[-1] if found else None), len(found)
    gap = max(timedelta(seconds=1), min(b - a for a, b in pairwise(found)))
    moment, near, reach = found[-1], None, gap
    while near is None:  # looks back from now, further and further
        moments = list(schedule.between(max(moment - gap, now - reach), now, zone))
        near, reach = (moments[-1] if moments else None), reach * 4
    return near, 100


def parse(text: str) -> Schedule:
    """The schedule of a text; ValueError, in robfig/cron's words, when it is none."""
    if not text:
        raise ValueError("empty spec string")
    if text.startswith("@"):
        return _described(text)
    parts = text.split()
    if len(parts) != 5:
        raise ValueError(f"expected exactly 5 fields, found {len(parts)}: [{' '.join(parts)}]")
    fields = tuple(_field(part, *bounds) for part, bounds in zip(parts, _BOUNDS, strict=True))
    stars = [any(term[:1] in ("*", "?") and term.partition("/")[2] in ("", "1") for term in parts[place].split(","))
             for place in (2, 4)]
    return Schedule(fields, (stars[0], stars[1]))


def _described(text: str) -> Schedule:
    if text in _NAMED:
        return parse(_NAMED[text])
    if text.startswith("@every "):
        return Schedule(every=max(1, int(_duration(text.removeprefix("@every "), text))))
    raise ValueError(f"unrecognized descriptor: {text}")


def _duration(text: str, whole: str) -> float:
    import re

    parts = re.findall(r"(\d+(?:\.\d*)?|\.\d+)(ms|us|µs|ns|h|m|s)", text[:100])
    if not parts or "".join(number + unit for number, unit in parts) != text:
        raise ValueError(f'failed to parse duration {whole}: time: invalid duration "{text}"')
    return min(sum(float(number) * _UNITS[unit] for number, unit in parts), 3.2e9)


def _field(text: str, low: int, high: int, names: dict[str, int]) -> frozenset[int]:
    return frozenset().union(*(_range(term, low, high, names) for term in text.split(",") if term))


def _range(term: str, low: int, high: int, names: dict[str, int]) -> frozenset[int]:
    places = term.split("/")
    if len(places) > 2:
        raise ValueError(f"too many slashes: {term}")
    ends = places[0].split("-")
    step = _number(places[1]) if len(places) == 2 else 1
    if ends[0] in ("*", "?"):
        start, end = low, high
    else:
        start = _named(ends[0], names)
        if len(ends) > 2:
            raise ValueError(f"too many hyphens: {term}")
        end = _named(ends[1], names) if len(ends) == 2 else high if len(places) == 2 else start
    if start < low:
        raise ValueError(f"beginning of range ({start}) below minimum ({low}): {term}")
    if end > high:
        raise ValueError(f"end of range ({end}) above maximum ({high}): {term}")
    if start > end:
        raise ValueError(f"beginning of range ({start}) beyond end of range ({end}): {term}")
    if step == 0:
        raise ValueError(f"step of range should be a positive number: {term}")
    return frozenset(range(start, end + 1, step))


def _named(text: str, names: dict[str, int]) -> int:
    return names[text.lower()] if text.lower() in names else _number(text)


def _number(text: str) -> int:
    digits = text.removeprefix("+").removeprefix("-")
    if not (digits.isascii() and digits.isdigit()) or len(digits) > 18:
        raise ValueError(f'failed to parse int from {text}: strconv.Atoi: parsing "{text}": invalid syntax')
    number = int(text)
    if number < 0:
        raise ValueError(f"negative number ({number}) not allowed: {text}")
    return number
