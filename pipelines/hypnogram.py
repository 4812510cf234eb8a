"""Draws a night's stages as a hypnogram, in SVG."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import groupby

EPOCH_SECONDS = 30

_LANES = {-1: "unknown", 0: "wake", 3: "REM", 1: "light", 2: "deep"}
"""Stages from the top lane to the bottom one."""
_COLOURS = {-1: "#9aa0a6", 0: "#e8915a", 3: "#b65fcf", 1: "#5b8def", 2: "#2f4b9c"}

_LEFT, _RIGHT, _TOP = 64, 16, 12
_WIDTH, _LANE = 880, 30


def hypnogram_svg(stages: Sequence[int], started_local: datetime) -> str:
    """A picture of `stages` (-1..3, one per 30-s epoch from `started_local`), hours along the bottom.

    There is at least one epoch; a lane for unknown epochs is there only where the night has some.
    """
    lanes = [stage for stage in _LANES if stage >= 0 or stage in stages]
    bottom = _TOP + _LANE * len(lanes)
    plot = _WIDTH - _LEFT - _RIGHT
    per_epoch = plot / len(stages)
    shapes = []
    for row, stage in enumerate(lanes):
        middle = _TOP + _LANE * row + _LANE / 2
        shapes.append(_text(_LEFT - 8, middle + 4, _LANES[stage], "end"))
        shapes.append(_line(_LEFT, middle, _WIDTH - _RIGHT, middle, "#8884"))
    epoch = 0
    previous: float | None = None
    for stage, run in groupby(stages):
        length = len(list(run))
        left, middle = _LEFT + epoch * per_epoch, _TOP + _LANE * lanes.index(stage) + _LANE / 2
        if previous is not None:
            shapes.append(_line(left, previous, left, middle, "#8888"))
        shapes.append(
            f'<rect x="{left:.1f}" y="{middle - 7:.1f}" width="{max(length * per_epoch, 0.5):.1f}" '
            f'height="14" fill="{_COLOURS[stage]}"/>'
        )
        previous, epoch = middle, epoch + length
    for hour, x in _hours(started_local, len(stages), per_epoch):
        shapes.append(_line(x, _TOP, x, bottom, "#8883"))
        shapes.append(_text(x, bottom + 16, f"{hour:%H:%M}", "middle"))
    height = bottom + 24
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH}" height="{height}" '
        f'viewBox="0 0 {_WIDTH} {height}" font-family="sans-serif" font-size="12">{"".join(shapes)}</svg>'
    )


def _hours(started_local: datetime, epochs: int, per_epoch: float) -> list[tuple[datetime, float]]:
    """Full hours inside the night, and where they are."""
    hour = started_local.replace(minute=0, second=0, microsecond=0) + timedelta(hours=1)
    marks = []
    while (epoch := (hour - started_local).total_seconds() / EPOCH_SECONDS) < epochs:
        marks.append((hour, _LEFT + epoch * per_epoch))
        hour += timedelta(hours=1)
    return marks


def _line(x1: float, y1: float, x2: float, y2: float, colour: str) -> str:
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="{colour}"/>'


def _text(x: float, y: float, text: str, anchor: str) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="#888">{text}</text>'
