"""One night -> the calls a sender of each dialect makes of it, in order."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone, tzinfo
from enum import StrEnum
from itertools import cycle
from typing import TYPE_CHECKING, Final, Protocol
from zlib import crc32

import orjson

from pipelines.simulation.calls import REPORT_TAKES, Call, Kind, Window, closing_windows, live_windows
from pipelines.simulation.payloads import Flat, Partial
from pipelines.simulation.payloads_nested import V1, V2, Nested

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from pipelines.simulation.night import Night
    from pipelines.simulation.stat_fields import Body, Render


class Dialect(StrEnum):
    """The shapes in which the vendor's events arrive; V1 and V2 are one family."""

    FLAT = "flat"
    PARTIAL = "partial"
    NESTED = "nested"
    V1 = "v1"
    V2 = "v2"


def rotation(user_ids: Iterable[str], dialects: Iterable[Dialect] = Dialect) -> dict[str, Dialect]:
    """A dialect for each user, in turn: users keep to one, as their app's version does."""
    return dict(zip(user_ids, cycle(dialects)))


def calls_of(night: Night, dialect: Dialect, *, zone_names: bool = True) -> list[Call]:
    """The night's calls in the order they are sent; an abandoned night ends without a report.

    Whatever the dialect, the stages that the newest windows and the report leave are `night.stages`.
    With `zone_names` times come as Z, as +00:00 or with the local offset, and the zone's name where the
    dialect has a field for it; without them no dialect names a zone, and every time has the offset that the
    zone had when the night began, so that all dialects say the same.
    """
    payloads = _PAYLOADS[dialect](night, _render(night, dialect, zone_names=zone_names), zone_names)
    windows = list(live_windows(night))
    if night.has_report and dialect is Dialect.PARTIAL:
        windows += closing_windows(night)
    session = (night.user_id, night.session_id)
    headers = {"x-user-id": night.user_id}
    path = ("webhook", "asleep-webhook")[_digest(night) % 2]
    by_arrival_only = dialect is Dialect.PARTIAL or (dialect is not Dialect.FLAT and not night.has_report)

    def call(body: Body, sent_at: datetime, kind: Kind) -> Call:
        return Call(
            path=path,
            headers=headers,
            body=orjson.dumps(body),
            send_at=sent_at,
            kind=kind,
            session=session,
            order_matters=by_arrival_only,
        )

    calls = [call(payloads.inference(window), window.sent_at, window.kind) for window in windows]
    if night.has_report:
        calls.append(call(payloads.report(), night.ended_at + REPORT_TAKES, Kind.REPORT))
    return calls


class _Payloads(Protocol):
    def inference(self, window: Window) -> Body: ...
    def report(self) -> Body: ...


_PAYLOADS: Final[Mapping[Dialect, Callable[[Night, Render, bool], _Payloads]]] = {
    Dialect.FLAT: Flat,
    Dialect.PARTIAL: lambda night, at, _: Partial(night, at),
    Dialect.NESTED: Nested,
    Dialect.V1: V1,
    Dialect.V2: lambda night, at, zone_names: V2(Nested(night, at, zone_names)),
}


def _digest(night: Night) -> int:
    return crc32(f"{night.user_id}/{night.session_id}".encode())


def _render(night: Night, dialect: Dialect, *, zone_names: bool) -> Render:
    """How this session's sender writes times.

    Only a body that names the user's zone elsewhere may write UTC: of the others it would say that their
    users live there.
    """
    if not zone_names:
        return _in_zone(timezone(night.started_at.astimezone(night.zone).utcoffset() or timedelta()))
    if dialect in {Dialect.PARTIAL, Dialect.V1}:
        return _in_zone(night.zone)
    style = _digest(night) // 2 % (2 if dialect in {Dialect.NESTED, Dialect.V2} else 3)
    return (_zulu, _in_zone(UTC), _in_zone(night.zone))[style]


def _zulu(instant: datetime) -> str:
    return instant.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _in_zone(zone: tzinfo) -> Render:
    return lambda instant: instant.astimezone(zone).isoformat()
