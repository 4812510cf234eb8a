"""What tests that kill and freeze landers share: landers with a fate, a group without its dead, the proof."""

from __future__ import annotations

import signal
from pathlib import Path

from kafka.admin import KafkaAdminClient, MemberToRemove

from ingest.lander import GROUP
from ingest.settings import Settings
from tests.integration.faulty_lander import REACHED, Point
from tests.integration.faulty_lander import __file__ as _faulty_lander
from tests.integration.lander_process import LanderProcess, assert_each_landed_once

LANDED = "landed a file"
READING = "reading a partition"
CAME_SECOND = "another lander came first"


class FaultyLander(LanderProcess):
    """A lander that sends itself a signal when it comes to a point for the `times`-th time."""

    PROGRAM = (_faulty_lander,)

    def __init__(
        self, settings: Settings, point: Point, times: int, what: signal.Signals, *options: str
    ) -> None:
        super().__init__(settings, point.name, str(times), what.name, *options)

    def has_reached_its_point(self) -> bool:
        """Whether the signal was sent."""
        return bool(self.logged(REACHED))

    @property
    def held(self) -> str:
        """How the name of the file at its point was to begin: with topic, partition and first offset."""
        [line] = self.logged(REACHED)
        topic, partition, first_offset, _ = Path(line["file"]).name.removeprefix(".").split("+")
        return f"{topic}+{partition}+{first_offset}+"


def bury(settings: Settings) -> None:
    """Take all members, who are dead, out of the group of landers, so that nobody awaits their time-out."""
    if not settings.log_url.startswith("kafka://"):
        return
    with KafkaAdminClient(bootstrap_servers=settings.log_url.removeprefix("kafka://")) as admin:
        if GROUP not in {group["group_id"] for group in admin.list_groups()}:
            return
        members = admin.describe_groups([GROUP])[GROUP]["members"]
        if members:
            admin.remove_group_members(
                GROUP, [MemberToRemove(member_id=each["member_id"]) for each in members]
            )


def prove_each_landed_once(settings: Settings, receipts: list[str]) -> None:
    """Land the rest, and fail unless each of these receipts is one row, and each offset in one file."""
    last = LanderProcess(settings.model_copy(update={"land_max_rows": 50_000}), "--once")
    assert last.wait() == 0, last.logged("landing failed")
    report = assert_each_landed_once(settings, receipts, settings.data_dir)
    assert [partition for partition in report.partitions if partition.twice or partition.lost] == []
    assert sum(partition.rows for partition in report.partitions) == len(receipts)
    assert report.receipts is not None
    assert (report.receipts.different, report.receipts.repeated_rows) == (len(receipts), 0)
    assert not list(settings.raw_dir.rglob("*.tmp"))
