"""The futures of appends: woken once for many, timed out by one timer, closed without a loss."""

from __future__ import annotations

import asyncio
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest

from ingest.event_log.appends import Appends
from ingest.event_log.base import AppendFailed, AppendTimeout, Position

if TYPE_CHECKING:
    from collections.abc import Callable

POSITION = Position("topic", 0, 7)


def calls_of(name: str, monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, ...]]:
    """The calls of a method of the running loop from now on."""
    loop = asyncio.get_running_loop()
    method = getattr(loop, name)
    calls: list[tuple[Any, ...]] = []

    def noted(*arguments: Any, **named: Any) -> Any:
        calls.append(arguments)
        return method(*arguments, **named)

    monkeypatch.setattr(loop, name, noted)
    return calls


def started(timeout_seconds: float = 60.0, told: Callable[[str], None] = lambda _: None) -> Appends:
    appends = Appends(timeout_seconds, told)
    appends.start()
    return appends


def test_a_batch_settled_by_a_thread_wakes_the_loop_once_and_sets_no_timer_of_its_own(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def run() -> None:
        appends = started()
        woken, timers = (calls_of(name, monkeypatch) for name in ("call_soon_threadsafe", "call_at"))
        futures = [appends.new() for _ in range(100)]
        thread = threading.Thread(target=appends.settle, args=([(future, POSITION) for future in futures],))
        thread.start()
        assert await asyncio.gather(*futures) == [POSITION] * 100
        assert len(woken) == 1
        assert timers == []
        thread.join()
        await appends.close()

    asyncio.run(run())


def test_what_is_settled_while_the_loop_is_on_its_way_is_delivered_with_it() -> None:
    async def run() -> None:
        appends = started()
        first, second = appends.new(), appends.new()
        appends.settle([(first, POSITION)])
        appends.settle([(second, AppendFailed("no room"))])
        assert await first == POSITION
        with pytest.raises(AppendFailed, match="no room"):
            await second
        await appends.close()

    asyncio.run(run())


def test_only_what_is_not_settled_in_time_times_out() -> None:
    async def run() -> None:
        told: list[str] = []
        appends = started(0.05, told.append)
        early, late = appends.new(), appends.new()
        appends.settle([(early, POSITION)])
        with pytest.raises(AppendTimeout, match=r"0\.05 seconds"):
            await late
        assert early.result() == POSITION
        assert len(told) == 1
        appends.settle([(late, POSITION)])
        await appends.close()

    asyncio.run(run())


def test_a_cancelled_append_is_left_alone() -> None:
    async def run() -> None:
        told: list[str] = []
        appends = started(0.05, told.append)
        settled_later, forgotten, other = appends.new(), appends.new(), appends.new()
        settled_later.cancel()
        forgotten.cancel()
        appends.settle([(settled_later, POSITION), (other, POSITION)])
        assert await other == POSITION
        await asyncio.sleep(0.1)
        assert told == []
        await appends.close()

    asyncio.run(run())


def test_close_waits_for_the_last_append_and_takes_no_new_one() -> None:
    async def run() -> None:
        appends = started()
        future = appends.new()
        closing = asyncio.create_task(appends.close())
        await asyncio.sleep(0)
        with pytest.raises(AppendFailed, match="closed"):
            await appends.new()
        assert not closing.done()
        appends.settle([(future, POSITION)])
        await closing
        assert future.result() == POSITION

    asyncio.run(run())


def test_an_append_times_out_at_the_first_tick_past_its_time_however_few_ticks_there_were(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def run() -> None:
        told: list[str] = []
        appends = started(60.0, told.append)
        future = appends.new()
        start = time.monotonic()
        monkeypatch.setattr(time, "monotonic", lambda: start + 59)
        appends._tick()
        assert not future.done()
        monkeypatch.setattr(time, "monotonic", lambda: start + 61)
        younger = appends.new()
        appends._tick()
        assert isinstance(future.exception(), AppendTimeout)
        assert not younger.done()
        assert told == ["no acknowledgement within 60 seconds"]
        monkeypatch.undo()
        appends.settle([(younger, POSITION)])
        await appends.close()

    asyncio.run(run())


def test_what_was_acknowledged_while_the_loop_was_busy_has_not_timed_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def run() -> None:
        told: list[str] = []
        appends = started(60.0, told.append)
        future = appends.new()
        appends.settle([(future, POSITION)])
        late = time.monotonic() + 61
        monkeypatch.setattr(time, "monotonic", lambda: late)
        appends._tick()
        assert future.result() == POSITION
        assert told == []
        monkeypatch.undo()
        await appends.close()

    asyncio.run(run())
