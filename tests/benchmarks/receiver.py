"""Compares the receiver, every check on, with other servers that do its job, on one real broker in one run.

`python -m tests.benchmarks.receiver [--connections 64] [--seconds 5] [--rounds 3]`
`python -m tests.benchmarks.receiver --memory 1000000`

The rounds of the servers are interleaved and their medians compared, so that a slow moment of the machine
falls on all of them. Server, broker and load generator share the machine: ratios mean more than numbers, and
processor time per request more than either.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Collection, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from statistics import median
from typing import Final, NamedTuple

from rich.console import Console
from rich.table import Table

from tests.benchmarks.http_load import BODY_BYTES, LoadReport
from tests.benchmarks.receiver_servers import (
    GO,
    KEY,
    KINDS,
    NOTHING,
    PATIENCE_SECONDS,
    PLAIN,
    RECEIVER,
    SECRET,
    SQLITE,
    GoUnavailable,
    Server,
    build_go,
    running,
)
from tests.kafka_broker import running_broker

TARGETS: Final = {(RECEIVER, PLAIN): 1.7, (SQLITE, NOTHING): 0.55}
"""Least requests per second of the first over those of the second, at TARGET_CONNECTIONS."""
TARGET_CONNECTIONS: Final = 64
MEMORY_STEPS: Final = 10
FLAT_SHARE: Final = 0.1
"""How much the receiver may grow, as a share of what it held after the first step."""


class Round(NamedTuple):
    """What one server did in one round."""

    load: LoadReport
    cpu_us: float
    """Processor time of the server per request, in microseconds."""


@contextmanager
def _started(titles: Collection[str]) -> Iterator[list[Server]]:
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="asleep-benchmark-")))
        broker = stack.enter_context(running_broker(folder / "kafka"))
        yield [
            stack.enter_context(running(title, broker.url, folder / str(number)))
            for number, title in enumerate(titles)
        ]


def _load(server: Server, connections: int, seconds: float, warm_up: float) -> Round:
    command = [sys.executable, "-m", "tests.benchmarks.http_load", "--port", str(server.port)]
    command += ["--key", KEY, "--signing-secret", SECRET, "--connections", str(connections)]
    command += ["--seconds", str(seconds), "--warm-up", str(warm_up)]
    cpu_seconds = -server.cpu_seconds()
    run = subprocess.run(command, stdout=subprocess.PIPE, check=True, timeout=seconds + PATIENCE_SECONDS)
    cpu_seconds += server.cpu_seconds()
    report = LoadReport(**json.loads(run.stdout))
    if set(report.statuses) != {"200"}:
        raise RuntimeError(f"{server.title} answered {report.statuses}")
    return Round(report, 1e6 * cpu_seconds / report.replies)


def compare(titles: Collection[str], connections: int, seconds: float, rounds: int) -> dict[str, list[Round]]:
    """Start the servers, load them in turns, and return the rounds of each."""
    with _started(titles) as servers:
        done: dict[str, list[Round]] = {server.title: [] for server in servers}
        for number in range(rounds):
            for server in servers:
                warm_up = 3.0 if number == 0 else 0.5
                done[server.title].append(_load(server, connections, seconds, warm_up))
        return done


def _rate(rounds: Collection[Round]) -> float:
    return median(each.load.requests_per_second for each in rounds)


def _print(done: dict[str, list[Round]], connections: int) -> None:
    table = Table(title=f"{connections} connections, bodies of {BODY_BYTES} bytes, medians of the rounds")
    table.add_column("")
    against: list[str] = [title for title in (PLAIN, GO, NOTHING) if title in done]
    for column in ("requests/s", "p50 ms", "p99 ms", "p99.9 ms", "CPU us/request"):
        table.add_column(column, justify="right")
    for title in against:
        table.add_column(f"of {title.removeprefix('receiver, ').split()[0]}", justify="right")
    for title, rounds in done.items():
        table.add_row(
            title,
            f"{_rate(rounds):,.0f}",
            f"{median(each.load.p50_ms for each in rounds):.1f}",
            f"{median(each.load.p99_ms for each in rounds):.1f}",
            f"{median(each.load.p999_ms for each in rounds):.1f}",
            f"{median(each.cpu_us for each in rounds):.0f}",
            *[f"{_rate(rounds) / _rate(done[other]):.2f}" for other in against],
        )
    Console(width=120).print(table)


def _missed(done: dict[str, list[Round]]) -> list[str]:
    return [
        f"{title} does {ratio:.2f} of {other}; the target is {target}"
        for (title, other), target in TARGETS.items()
        if title in done and other in done and (ratio := _rate(done[title]) / _rate(done[other])) < target
    ]


def watch_memory(requests: int, connections: int, seconds: float) -> list[str]:
    """Load the receiver with so many requests and print what it holds on the way; tell if it grows."""
    with _started([RECEIVER]) as (server,):
        sent = _load(server, connections, seconds, 0.0).load.replies
        warm = most = server.resident_bytes()
        print(f"{sent:>12,} requests {warm / 2**20:8.1f} MiB, warm", flush=True)
        reported = sent
        while sent < requests:
            sent += _load(server, connections, seconds, 0.0).load.replies
            most = max(most, server.resident_bytes())
            if sent - reported >= requests / MEMORY_STEPS or sent >= requests:
                reported = sent
                print(f"{sent:>12,} requests {server.resident_bytes() / 2**20:8.1f} MiB", flush=True)
    growth = (most - warm) / warm
    print(f"most {most / 2**20:.1f} MiB: {growth:+.1%} of the warm receiver")
    return [f"the receiver grew by {growth:.1%}; flat is {FLAT_SHARE:.0%}"] if growth > FLAT_SHARE else []


def main() -> None:
    """Run the comparison, or watch the memory; exit 1 when a target is missed."""
    parser = argparse.ArgumentParser(description="Compare the receiver with other servers that do its job.")
    parser.add_argument("--connections", type=int, default=TARGET_CONNECTIONS)
    parser.add_argument("--seconds", type=float, default=5.0, help="measured time of one server in one round")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", nargs="+", choices=sorted(set(KINDS.values())), help="only these servers")
    parser.add_argument(
        "--memory",
        type=int,
        nargs="?",
        const=1_000_000,
        metavar="REQUESTS",
        help="load the receiver alone with so many requests (1,000,000) and watch its memory",
    )
    given = parser.parse_args()
    if given.memory:
        missed = watch_memory(given.memory, given.connections, given.seconds)
        sys.exit("\n".join(missed) or None)
    titles = [title for title, kind in KINDS.items() if given.only is None or kind in given.only]
    if GO in titles:
        try:
            build_go()
        except GoUnavailable as error:
            print(f"left out: {GO}: {error}")
            titles.remove(GO)
    done = compare(titles, given.connections, given.seconds, given.rounds)
    _print(done, given.connections)
    if given.connections == TARGET_CONNECTIONS:
        sys.exit("\n".join(_missed(done)) or None)


if __name__ == "__main__":
    main()
