"""Sending over real HTTP: order, retries, statuses, latencies, receipts."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from yarl import URL

from pipelines.simulation.calls import Call, Kind
from pipelines.simulation.sender import ReceiverAwayError, Sending, send_calls
from pipelines.simulation.tally import NO_ANSWER, Tally
from tests.integration.webhook_stub import Webhook, running_webhook

KEY = "key-of-the-tests"
MORNING = datetime(2026, 10, 19, 6, 0, tzinfo=UTC)


@pytest.fixture
def webhook() -> Iterator[Webhook]:
    with running_webhook(Webhook()) as running:
        yield running


def call(body: str = "{}", user: str = "ada", **changes: Any) -> Call:
    values: dict[str, Any] = {
        "path": "webhook",
        "headers": {"x-user-id": user},
        "body": body.encode(),
        "send_at": MORNING,
        "kind": Kind.WINDOW,
        "session": (user, "session"),
    }
    return Call(**values | changes)


def sent(webhook: Webhook, calls: list[Call], **options: Any) -> Tally:
    quick = {"first_pause_seconds": 0.001, "longest_pause_seconds": 0.002, "connections": 8}
    tally = Tally()
    sending = Sending(url=URL(webhook.url), api_key=KEY, **quick | options)
    asyncio.run(send_calls(calls, sending, tally))
    return tally


def test_headers_path_and_body_arrive_as_they_are(webhook: Webhook) -> None:
    sent(webhook, [call('{"é": 1}', path="asleep-webhook"), call(user="bob", headers={"x-api-key": "mine"})])
    first, second = sorted(webhook.requests, key=lambda request: request.path)
    assert (first.path, first.body) == ("/asleep-webhook", '{"é": 1}'.encode())
    assert first.headers["x-user-id"] == "ada"
    assert (first.headers["x-api-key"], second.headers["x-api-key"]) == (KEY, "mine")
    assert first.headers["content-type"] == "application/json"


def test_an_address_that_is_no_webhook_path_gets_every_call(webhook: Webhook) -> None:
    tally, url = Tally(), URL(webhook.url).with_path("/behind/a-proxy")
    calls = [call(path="asleep-webhook")]
    asyncio.run(send_calls(calls, Sending(url=url, api_key=KEY), tally))
    assert [request.path for request in webhook.requests] == ["/behind/a-proxy"]


def test_a_session_is_sent_in_order_and_one_call_at_a_time(webhook: Webhook) -> None:
    webhook.pause_seconds = 0.001
    calls = [call(f"{user} {number}", user) for number in range(30) for user in ("ada", "bob", "cy")]
    tally = sent(webhook, calls)
    order = defaultdict(list)
    for body in webhook.bodies:
        user, number = body.decode().split()
        order[user].append(int(number))
    assert dict(order) == {key: list(range(30)) for key in ("ada", "bob", "cy")}
    assert {request.at_once for request in webhook.requests} == {1}
    assert tally.expected == {Kind.WINDOW: 90}


def test_different_sessions_are_sent_at_the_same_time(webhook: Webhook) -> None:
    webhook.pause_seconds = 0.05
    calls = [call(user="ada", session=("ada", str(number))) for number in range(8)]
    sent(webhook, calls)
    assert max(request.at_once for request in webhook.requests) > 1


def test_a_retry_keeps_its_place_before_the_sessions_later_calls(webhook: Webhook) -> None:
    failures = iter([200, 503, 0, 200])
    webhook.answer = lambda _: next(failures, 200)
    tally = sent(webhook, [call(str(number)) for number in range(4)])
    assert webhook.bodies == [b"0", b"1", b"1", b"1", b"2", b"3"]
    assert tally.retries == 2
    assert tally.expected == {Kind.WINDOW: 4}
    assert not tally.unexpected


def test_a_lasting_5xx_is_tried_a_bounded_number_of_times_and_counted(webhook: Webhook) -> None:
    webhook.answer = lambda request: 503 if request.body == b"bad" else 200
    tally = sent(webhook, [call("bad"), call("good")], tries=3)
    assert webhook.bodies == [b"bad", b"bad", b"bad", b"good"]
    assert tally.unexpected == {(Kind.WINDOW, 503): 1}
    assert tally.expected == {Kind.WINDOW: 1}
    assert list(tally.examples.values()) == ['5-minute window: expected 200, got 503: {"error": "because"}']


def test_a_4xx_is_final_and_right_where_it_is_expected(webhook: Webhook) -> None:
    webhook.answer = lambda _: 400
    tally = sent(webhook, [call(kind=Kind.BAD, expect=400, detail="empty"), call(kind=Kind.REPORT)])
    assert len(webhook.requests) == 2
    assert (tally.expected, tally.unexpected) == ({Kind.BAD: 1}, {(Kind.REPORT, 400): 1})
    assert (tally.retries, tally.receipts) == (0, 0)


def test_the_run_is_given_up_when_nobody_answers(webhook: Webhook) -> None:
    webhook.answer = lambda request: 0 if request.body == b"2" else 200
    tally = Tally()
    sending = Sending(url=URL(webhook.url), api_key=KEY, tries=3, first_pause_seconds=0.001)
    calls = [call(str(number)) for number in range(9)]
    with pytest.raises(ReceiverAwayError, match=r"/webhook: .* \(3 tries\)"):
        asyncio.run(send_calls(calls, sending, tally))
    assert webhook.bodies == [b"0", b"1", b"2", b"2", b"2"]
    assert tally.unexpected == {(Kind.WINDOW, NO_ANSWER): 1}
    assert tally.seconds > 0


def test_receipts_of_accepted_calls_are_written_down(webhook: Webhook, tmp_path: Path) -> None:
    webhook.answer = lambda request: 401 if request.body == b"1" else 200
    receipts = tmp_path / "new folder" / "receipts"
    tally = sent(webhook, [call(str(number)) for number in range(3)], receipts=receipts)
    assert receipts.read_text().splitlines() == ["receipt-1", "receipt-3"]
    assert tally.receipts == 2


def test_a_2xx_without_a_receipt_is_counted_as_such(webhook: Webhook) -> None:
    webhook.with_receipts = False
    tally = sent(webhook, [call()])
    assert (tally.receipts, tally.accepted_without_receipt, tally.expected) == (0, 1, {Kind.WINDOW: 1})


def test_every_answer_has_a_latency(webhook: Webhook) -> None:
    statuses = iter([503])
    webhook.answer = lambda _: next(statuses, 200)
    tally = sent(webhook, [call(), call()])
    assert len(tally.latencies) == 3
    p50, p99, longest = tally.latency_quantiles() or (0.0, 0.0, 0.0)
    assert 0 < p50 <= p99 <= longest


def test_quantiles_of_known_latencies() -> None:
    tally = Tally()
    assert tally.latency_quantiles() is None
    tally.latencies.extend(number / 100 for number in range(100, -1, -1))
    assert tally.latency_quantiles() == (0.5, 0.99, 1.0)


def test_speed_spreads_the_calls_over_simulated_time(webhook: Webhook) -> None:
    calls = [call(send_at=MORNING + timedelta(minutes=minutes)) for minutes in (0, 5, 10)]
    tally = sent(webhook, calls, speed=2000.0)
    assert tally.seconds > 0.9 * 600 / 2000
    assert tally.simulated_until == MORNING + timedelta(minutes=10)


def test_calls_made_before_their_maker_failed_are_sent_and_the_error_is_raised(webhook: Webhook) -> None:
    def broken() -> Iterator[Call]:
        yield from (call(str(number)) for number in range(5))
        raise LookupError("no more")

    with pytest.raises(LookupError, match="no more"):
        asyncio.run(send_calls(broken(), Sending(url=URL(webhook.url), api_key=KEY), Tally()))
    assert webhook.bodies == [b"0", b"1", b"2", b"3", b"4"]
