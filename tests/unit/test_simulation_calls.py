"""The windows of a night: what is sent while it lasts, and what a report without stages needs."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given, settings

from pipelines.simulation.calls import Kind, closing_windows, live_windows, sequence_numbers
from pipelines.simulation.night import Night
from tests.unit.simulated_nights import any_night, plain_night


def test_every_full_block_is_sent_once_with_the_early_stages() -> None:
    night = plain_night(95)
    blocks = [window for window in live_windows(night) if window.kind is Kind.WINDOW]
    assert [(w.first, w.end, w.block) for w in blocks] == [(10 * k, 10 * k + 10, k) for k in range(9)]
    assert all(window.stages == night.early_stages[window.first : window.end] for window in blocks)


def test_every_eighth_block_brings_a_revision_of_four_blocks_a_second_later() -> None:
    night = plain_night(165)
    windows = list(live_windows(night))
    revisions = [place for place, window in enumerate(windows) if window.kind is Kind.REVISION]
    assert [(windows[at].first, windows[at].end, windows[at].block) for at in revisions] == [
        (40, 80, 7),
        (120, 160, 15),
    ]
    for at in revisions:
        assert windows[at].stages == night.stages[windows[at].first : windows[at].end]
        assert windows[at - 1].block == windows[at].block
        assert windows[at].sent_at - windows[at - 1].sent_at == timedelta(seconds=1)


def test_sequence_numbers_follow_the_vendors_count() -> None:
    windows = list(live_windows(plain_night(85)))
    assert sequence_numbers(windows[3]) == {"seq_num": 39, "inference_seq_num": 3}
    assert sequence_numbers(windows[-1]) == {"seq_num": 79, "inference_seq_num": 7}


def test_a_window_is_sent_after_its_last_epoch_has_ended() -> None:
    night = plain_night(165)
    windows = [*live_windows(night), *closing_windows(night)]
    assert all(window.sent_at > night.at(window.end) for window in windows)
    moments = [window.sent_at for window in windows]
    assert moments == sorted(moments)
    assert len(set(moments)) == len(moments)


def test_closing_windows_send_only_what_no_revision_corrected() -> None:
    spans = [(window.first, window.end) for window in closing_windows(plain_night(175))]
    assert spans == [(0, 40), (80, 120), (160, 175)]


def test_closing_windows_leave_out_what_was_right_from_the_start() -> None:
    night = plain_night(170)
    right = Night(
        user_id=night.user_id,
        session_id=night.session_id,
        started_at=night.started_at,
        timezone=night.timezone,
        stages=night.stages,
        early_stages=night.stages,
    )
    assert list(closing_windows(right)) == []


@settings(max_examples=60, deadline=None)
@given(any_night())
def test_the_newest_of_live_and_closing_windows_hold_the_whole_night(night: Night) -> None:
    newest: dict[int, int] = {}
    for window in [*live_windows(night), *closing_windows(night)]:
        assert 0 <= window.first < window.end <= len(night.stages)
        assert len(window.stages) == window.end - window.first
        newest |= dict(zip(range(window.first, window.end), window.stages, strict=True))
    assert newest == dict(enumerate(night.stages))


@pytest.mark.parametrize(
    "changes", [{"early_stages": (1,)}, {"snoring": (1,)}, {"breath": ()}, {"stages": ()}]
)
def test_a_night_refuses_arrays_that_disagree(changes: dict[str, tuple[int, ...]]) -> None:
    with pytest.raises(ValueError, match=next(iter(changes))):
        plain_night(20, **changes)


def test_a_night_refuses_a_start_without_an_offset() -> None:
    with pytest.raises(ValueError, match="started_at"):
        plain_night(20, started_at=plain_night(20).started_at.replace(tzinfo=None))
