from datetime import UTC, datetime, timedelta

import pytest

from netlab.controllers.job_state import Tally, backoff, end_of, parse_indexes, show_indexes, wanted_active

NOW = datetime(2024, 5, 1, 12, tzinfo=UTC)


def spec(policy="Never", **fields):
    return {"parallelism": 1, "completions": 1, "backoffLimit": 2,
            "template": {"spec": {"restartPolicy": policy}}} | fields


@pytest.mark.parametrize(("job", "tally", "reason"), [
    (spec(), Tally(1, 0, 0), ""),
    (spec(), Tally(0, 1, 0), "CompletionsReached"),
    (spec(completions=0), Tally(0, 0, 0), "CompletionsReached"),
    (spec(), Tally(0, 0, 2), ""),
    (spec(), Tally(0, 0, 3), "BackoffLimitExceeded"),
    (spec(backoffLimit=0), Tally(0, 0, 1), "BackoffLimitExceeded"),
    (spec("OnFailure"), Tally(1, 0, 0, restarts=1), ""),
    (spec("OnFailure"), Tally(1, 0, 0, restarts=2), "BackoffLimitExceeded"),
    (spec(activeDeadlineSeconds=5), Tally(1, 0, 0, age=4.9), ""),
    (spec(activeDeadlineSeconds=5), Tally(1, 0, 0, age=5), "DeadlineExceeded"),
    (spec(completions=None), Tally(1, 1, 0), ""),
    (spec(completions=None), Tally(0, 1, 0), "CompletionsReached"),
])
def test_when_and_why_a_job_ends(job, tally, reason):
    assert end_of(job, tally) == reason


@pytest.mark.parametrize(("job", "tally", "count"), [
    (spec(completions=5, parallelism=2), Tally(0, 0, 0), 2), (spec(completions=5, parallelism=2), Tally(1, 4, 0), 1),
    (spec(completions=5, parallelism=9), Tally(0, 2, 0), 3), (spec(completions=None, parallelism=3), Tally(0, 0, 0), 3),
    (spec(completions=None, parallelism=3), Tally(2, 1, 0), 2), (spec(parallelism=0), Tally(1, 0, 0), 0),
])
def test_how_many_pods_of_a_job_run_at_a_time(job, tally, count):
    assert wanted_active(job, tally) == count


def ended(phase, seconds_ago):
    at = (NOW - timedelta(seconds=seconds_ago)).isoformat()
    return {"status": {"phase": phase, "containerStatuses": [{"state": {"terminated": {"finishedAt": at}}}]}}


@pytest.mark.parametrize(("pods", "seconds"), [
    ([], 0), ([ended("Succeeded", 1)], 0), ([ended("Failed", 3)], 7), ([ended("Failed", 30), ended("Failed", 3)], 17),
    ([ended("Failed", 30), ended("Succeeded", 3)], 0), ([ended("Failed", 900 - n) for n in range(20)], 0),
    ([ended("Failed", 100 - n) for n in range(20)], 519),
])
def test_a_failed_pod_is_replaced_after_a_pause_that_doubles(pods, seconds):
    assert backoff(pods, NOW) == seconds


@pytest.mark.parametrize(("text", "indexes"), [
    ("", set()), ("0", {0}), ("0-2,5", {0, 1, 2, 5}), ("1,2", {1, 2}), ("1,3-5,7,8", {1, 3, 4, 5, 7, 8}),
])
def test_completed_indexes_are_written_as_ranges(text, indexes):
    assert parse_indexes(text, 100) == indexes
    assert show_indexes(indexes) == text


def test_indexes_beyond_the_completions_do_not_count():
    assert parse_indexes("0-9", 3) == {0, 1, 2}
