"""The receiver's numbers: counted where a call passes, valid and complete where Prometheus reads them."""

from __future__ import annotations

from bisect import bisect_left

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text

from ingest.metrics.numbers import BUCKETS_SECONDS
from ingest.records import Reason
from tests.unit.receiver_numbers import Spool, World


@pytest.fixture
def world() -> World:
    return World()


def test_every_number_is_there_from_the_start(world: World) -> None:
    samples = world.samples()
    version = next(labels for name, labels in samples if name == "info")
    assert samples.pop(("info", version)) == 1
    assert set(samples.values()) == {0.0, 1.0}
    assert [key for key, value in samples.items() if value] == [("workers", "")]
    assert {labels for name, labels in samples if name == "requests_total"} == {
        "accepted",
        "abandoned",
        "wrong_api_key rejected",
        "body_not_json rejected",
        "log_unavailable rejected",
    }
    assert {name for name, _ in samples if "bucket" not in name} == {
        "requests_total",
        "request_duration_seconds_count",
        "request_duration_seconds_sum",
        "append_duration_seconds_count",
        "append_duration_seconds_sum",
        "requests_in_flight",
        "repeated_events_total",
        "spool_records",
        "spool_bytes",
        "spool_oldest_age_seconds",
        "spooled_records_total",
        "drained_records_total",
        "open_circuits",
        "pending_attempts",
        "workers",
    }


def test_calls_are_counted_by_verdict_and_reason(world: World) -> None:
    metrics = world.metrics
    metrics.accepted(0.002)
    metrics.accepted(0.004)
    metrics.rejected(Reason.WRONG_API_KEY, 0.001)
    metrics.rejected(Reason.RATE_LIMITED, 0.001)
    metrics.abandoned()
    metrics.repeated()
    metrics.in_flight += 3
    samples = world.samples()
    assert samples["requests_total", "accepted"] == 2
    assert samples["requests_total", "wrong_api_key rejected"] == 1
    assert samples["requests_total", "rate_limited rejected"] == 1
    assert samples["requests_total", "abandoned"] == 1
    assert samples["repeated_events_total", ""] == 1
    assert samples["requests_in_flight", ""] == 3
    assert samples["request_duration_seconds_count", "accepted"] == 2
    assert samples["request_duration_seconds_sum", "accepted"] == pytest.approx(0.006)
    assert samples["request_duration_seconds_count", "rejected"] == 2


def test_the_spool_and_what_waits_are_read_at_each_look() -> None:
    world = World(Spool(2, 700, 4.5, 5, 3, is_circuit_open=True), pending=9)
    samples = world.samples()
    told = {name: samples[name, ""] for name in ("spool_records", "spool_bytes", "spool_oldest_age_seconds")}
    assert told == {"spool_records": 2, "spool_bytes": 700, "spool_oldest_age_seconds": 4.5}
    assert (samples["spooled_records_total", ""], samples["drained_records_total", ""]) == (5, 3)
    assert (samples["open_circuits", ""], samples["pending_attempts", ""]) == (1, 9)
    world.spool.is_circuit_open = False
    assert world.samples()["open_circuits", ""] == 0


@given(st.lists(st.floats(0, 10) | st.sampled_from(BUCKETS_SECONDS)))
def test_a_duration_is_in_every_bucket_whose_bound_it_does_not_exceed(durations: list[float]) -> None:
    world = World()
    for seconds in durations:
        world.metrics.appended(seconds)
    samples = world.samples()
    for bound in BUCKETS_SECONDS:
        assert samples["append_duration_seconds_bucket", str(bound)] == sum(
            seconds <= bound for seconds in durations
        )
    assert samples["append_duration_seconds_bucket", "+Inf"] == len(durations)
    assert samples["append_duration_seconds_count", ""] == len(durations)
    assert samples["append_duration_seconds_sum", ""] == pytest.approx(sum(durations))


def test_the_buckets_reach_from_a_millisecond_to_the_longest_answer() -> None:
    assert (BUCKETS_SECONDS[0], BUCKETS_SECONDS[-1]) == (0.001, 5.0)
    assert bisect_left(sorted(BUCKETS_SECONDS), 1.0) == BUCKETS_SECONDS.index(1.0)


@pytest.mark.parametrize("accept", ["", "*/*", "text/plain;version=0.0.4", "text/html"])
def test_the_page_is_prometheus_text_unless_asked_otherwise(world: World, accept: str) -> None:
    reply = world.look(accept)
    assert reply.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert {family.type for family in parse_text(reply.text)} == {"counter", "gauge", "histogram"}


def test_the_page_can_be_open_metrics(world: World) -> None:
    world.metrics.accepted(0.002)
    reply = world.look("application/openmetrics-text; version=1.0.0")
    assert reply.headers["content-type"].startswith("application/openmetrics-text; version=1.0.0")
    names = {family.name for family in parse_openmetrics(reply.text)}  # type: ignore[no-untyped-call]  # the library's own
    assert {"asleep_receiver", "asleep_receiver_requests"} <= names


def test_two_receivers_in_one_process_count_for_themselves() -> None:
    one, other = World(), World()
    one.metrics.accepted(0.002)
    assert one.samples()["requests_total", "accepted"] == 1
    assert other.samples()["requests_total", "accepted"] == 0
