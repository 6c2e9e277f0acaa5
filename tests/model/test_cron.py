import re
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from netlab.model import cron

T = datetime.fromisoformat


@pytest.mark.parametrize(("text", "after", "expected"), [
    ("*/5 * * * *", "2024-05-01T12:01:30Z", "2024-05-01T12:05:00Z"),
    ("*/5 * * * *", "2024-05-01T12:05:00Z", "2024-05-01T12:10:00Z"),
    ("0 0 * * *", "2024-12-31T00:00:00Z", "2025-01-01T00:00:00Z"),
    ("30 9 * * mon-fri", "2024-05-03T10:00:00Z", "2024-05-06T09:30:00Z"),
    ("0 12 1,15 * *", "2024-05-02T00:00:00Z", "2024-05-15T12:00:00Z"),
    ("0 12 13 * 5", "2024-05-01T00:00:00Z", "2024-05-03T12:00:00Z"),  # the 13th, or any Friday
    ("0 12 */1 * 5", "2024-05-01T00:00:00Z", "2024-05-03T12:00:00Z"),  # a star: Fridays only
    ("0 0 29 feb ?", "2024-03-01T00:00:00Z", "2028-02-29T00:00:00Z"),
    ("0 0 30 2 *", "2024-03-01T00:00:00Z", None),
    ("@hourly", "2024-05-01T12:01:30Z", "2024-05-01T13:00:00Z"),
    ("@weekly", "2024-05-01T12:01:30Z", "2024-05-05T00:00:00Z"),
    ("@every 1h30m", "2024-05-01T12:00:00Z", "2024-05-01T13:30:00Z"),
    ("5-10/2 3 * * *", "2024-05-01T03:05:00Z", "2024-05-01T03:07:00Z"),
])
def test_the_next_moment_of_a_schedule(text, after, expected):
    assert cron.parse(text).next(T(after)) == (T(expected) if expected else None)


def test_a_schedule_follows_the_clocks_of_its_time_zone():
    berlin = ZoneInfo("Europe/Berlin")
    daily = cron.parse("30 2 * * *")
    assert daily.next(T("2024-01-10T12:00:00Z"), berlin) == T("2024-01-11T01:30:00Z")
    assert daily.next(T("2024-03-30T12:00:00Z"), berlin) == T("2024-04-01T00:30:00Z")  # no 02:30 on March 31st


@pytest.mark.parametrize(("text", "problem"), [
    ("", "empty spec string"),
    ("x", "expected exactly 5 fields, found 1: [x]"),
    ("* * * *", "expected exactly 5 fields, found 4: [* * * *]"),
    ("60 * * * *", "end of range (60) above maximum (59): 60"),
    ("* * 0 * *", "beginning of range (0) below minimum (1): 0"),
    ("9-5 * * * *", "beginning of range (9) beyond end of range (5): 9-5"),
    ("*/0 * * * *", "step of range should be a positive number: */0"),
    ("a * * * *", 'failed to parse int from a: strconv.Atoi: parsing "a": invalid syntax'),
    ("1/2/3 * * * *", "too many slashes: 1/2/3"),
    ("@sometimes", "unrecognized descriptor: @sometimes"),
])
def test_what_is_no_schedule_is_refused_in_upstreams_words(text, problem):
    with pytest.raises(ValueError, match=f"^{re.escape(problem)}$"):
        cron.parse(text)


@pytest.mark.parametrize(("after", "now", "expected", "missed"), [
    ("2024-05-01T12:00:00Z", "2024-05-01T12:00:59Z", None, 0),
    ("2024-05-01T12:00:00Z", "2024-05-01T12:01:00Z", "2024-05-01T12:01:00Z", 1),
    ("2024-05-01T12:00:00Z", "2024-05-01T12:09:30Z", "2024-05-01T12:09:00Z", 9),
    ("2023-05-01T12:00:00Z", "2024-05-01T12:09:30Z", "2024-05-01T12:09:00Z", 100),
])
def test_the_latest_moment_that_has_come_and_how_many_were_missed(after, now, expected, missed):
    found = cron.latest(cron.parse("* * * * *"), T(after), T(now), UTC)
    assert found == (datetime.fromisoformat(expected) if expected else None, missed)
