"""Which offsets a build has still to load: by ranges, so that no file that replaces another doubles a row."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Final, NamedTuple

import duckdb
import pyarrow as pa

from ingest.coverage import Share, shares
from ingest.landed_files import LandedRange, landed_files
from ingest.raw_store import open_store
from ingest.records import Topic
from ingest.settings import Settings
from pipelines.statements import execute, statement

_PARTITION: Final = [("topic", pa.string()), ("log_id", pa.string()), ("log_partition", pa.int32())]
_OFFSETS: Final = [("first_offset", pa.int64()), ("last_offset", pa.int64())]
_NAMES: Final = pa.schema([("raw_file", pa.string())])
_RUNS: Final = pa.schema([*_PARTITION, *_OFFSETS])
_FILES: Final = pa.schema([*_NAMES, *_PARTITION, *_OFFSETS])
_SKIPPED: Final = pa.schema([*_NAMES, *_OFFSETS])


class Source(NamedTuple):
    """A partition of a topic of a log."""

    log_id: str
    topic: str
    partition: int


class Run(NamedTuple):
    """An unbroken run of offsets, the last one included."""

    first: int
    last: int


Runs = Mapping[Source, Sequence[Run]]
"""Disjoint runs of each partition, in order."""


@dataclass(frozen=True, slots=True)
class NewFile:
    """A file with offsets that no build has loaded; those of it that one has are in `loaded_before`."""

    file: LandedRange
    loaded_before: tuple[Run, ...]


@dataclass(frozen=True, slots=True)
class Loading:
    """What has landed, what of it is to be loaded, and what is loaded once that is done."""

    landed: tuple[Share, ...]
    new: tuple[NewFile, ...]
    loaded: Runs
    forgotten: Runs


def plan_loading(settings: Settings, loaded: Runs) -> Loading:
    """Hold what has landed, by names alone, against what is loaded.

    `forgotten` are loaded offsets that no landed file holds any more.
    """
    store = open_store(settings)
    files = [file for topic in Topic for file in landed_files(store, topic)]
    landed = tuple(share for share in shares(files) if not share.is_empty)
    new = []
    forgotten: dict[Source, Sequence[Run]] = {}
    after: dict[Source, Sequence[Run]] = dict(loaded)
    for source, of_source in groupby(landed, key=_source_of):
        before = loaded.get(source, [])
        own = list(of_source)
        for share in own:
            missing = _without([_run_of(share)], before)
            if missing:
                held = Run(share.file.first_offset, share.file.last_offset)
                new.append(NewFile(share.file, tuple(_without([held], missing))))
        available = [_run_of(share) for share in own]
        after[source] = _merged([*before, *available])
        forgotten[source] = _without(before, available)
    forgotten |= {source: runs for source, runs in loaded.items() if source not in forgotten}
    return Loading(landed, tuple(new), after, {source: runs for source, runs in forgotten.items() if runs})


def loaded_runs(loaded_offsets: duckdb.DuckDBPyRelation) -> Runs:
    """What is loaded, out of the table of a build that says so."""
    columns = "log_id, topic, log_partition, first_offset, last_offset"
    rows = sorted(loaded_offsets.project(columns).fetchall())
    return {
        Source(*source): [Run(first, last) for *_, first, last in of_source]
        for source, of_source in groupby(rows, key=lambda row: row[:3])
    }


def remember(connection: duckdb.DuckDBPyConnection, loading: Loading) -> None:
    """Write down what is loaded with this build, and tell the models what of the new files is not."""
    loaded = (
        (source.topic, source.log_id, source.partition, run.first, run.last)
        for source, runs in loading.loaded.items()
        for run in runs
    )
    landed = (
        (share.file.name, source.topic, source.log_id, source.partition, *_run_of(share))
        for share in loading.landed
        for source in [_source_of(share)]
    )
    skipped = ((new.file.name, *run) for new in loading.new for run in new.loaded_before)
    for table, schema, rows in (
        ("loaded_offsets", _RUNS, loaded),
        ("raw_files", _FILES, landed),
        ("new_files", _NAMES, ((new.file.name,) for new in loading.new)),
        ("loaded_before", _SKIPPED, skipped),
    ):
        execute(connection, statement("delete_by_all", table=table), {})
        connection.register("now", _table(schema, rows))
        execute(connection, statement("insert", table=table, select="from now"), {})
        connection.unregister("now")


def holds(loaded: Runs, file: LandedRange) -> bool:
    """Whether all offsets of a file are loaded."""
    source = Source(file.log_id, file.topic, file.partition)
    return not _without([Run(file.first_offset, file.last_offset)], loaded.get(source, []))


def in_words(runs: Runs) -> str:
    """How many offsets these are, and of which partitions, for people."""
    return ", ".join(
        f"{sum(run.last - run.first + 1 for run in of_source):,} of {source.topic}[{source.partition}]"
        for source, of_source in sorted(runs.items())
    )


def _table(schema: pa.Schema, rows: Iterable[tuple[object, ...]]) -> pa.Table:
    names = schema.names
    return pa.Table.from_pylist([dict(zip(names, row, strict=True)) for row in rows], schema)


def _run_of(share: Share) -> Run:
    return Run(share.first_offset, share.last_offset)


def _source_of(share: Share) -> Source:
    return Source(share.file.log_id, share.file.topic, share.file.partition)


def _without(runs: Iterable[Run], others: Sequence[Run]) -> list[Run]:
    """What is left of the runs where the others are taken away; both are disjoint and in order."""
    left = []
    at = 0
    for first, last in runs:
        begin = first
        while at < len(others) and others[at].last < begin:
            at += 1
        index = at
        while index < len(others) and others[index].first <= last:
            if begin < others[index].first:
                left.append(Run(begin, others[index].first - 1))
            begin = max(begin, others[index].last + 1)
            index += 1
        if begin <= last:
            left.append(Run(begin, last))
    return left


def _merged(runs: Iterable[Run]) -> list[Run]:
    """The same offsets in as few runs as they can be."""
    merged: list[Run] = []
    for run in sorted(runs):
        if merged and run.first <= merged[-1].last + 1:
            merged[-1] = Run(merged[-1].first, max(merged[-1].last, run.last))
        else:
            merged.append(run)
    return merged
