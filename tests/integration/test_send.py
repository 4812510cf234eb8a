"""`asleep send` as a person runs it: what it sends, what it says, how it ends."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner, Result

from pipelines.commands.send import send
from tests.integration.webhook_stub import Request, Webhook, running_webhook

KEY = "key-of-the-tests"
SHARED_NIGHTS = Path(__file__).parents[3] / "shared" / "nights"


@pytest.fixture
def webhook() -> Iterator[Webhook]:
    with running_webhook(Webhook()) as running:
        yield running


def closed_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def command(*arguments: str, environment: dict[str, str] | None = None) -> Result:
    application = typer.Typer()
    application.command()(send)
    environment = {"COLUMNS": "200", "ASLEEP_API_KEYS": "", **(environment or {})}
    return CliRunner().invoke(application, list(arguments), env=environment)


def contract(request: Request) -> int:
    """What a receiver answers."""
    if request.headers["x-api-key"] != KEY:
        return 401
    if len(request.body) > 1024 * 1024:
        return 413
    try:
        parsed = json.loads(request.body)
    except (ValueError, RecursionError):
        return 400
    return 200 if isinstance(parsed, dict) else 400


def test_simulated_nights_are_sent_with_disorder_and_all_as_expected(
    webhook: Webhook, tmp_path: Path
) -> None:
    webhook.answer = contract
    users, receipts = tmp_path / "users.csv", tmp_path / "receipts"
    result = command(
        *("--users", "6", "--days", "2", "--url", webhook.url),
        *("--users-file", str(users), "--receipts", str(receipts)),
        environment={"ASLEEP_API_KEYS": f"{KEY},another"},
    )
    assert result.exit_code == 0, result.output
    for word in (
        "5-minute window",
        "40-minute revision",
        "final report",
        "duplicate",
        "bad body",
        "wrong key",
    ):
        assert word in result.output
    assert len(users.read_text().splitlines()) == 7
    answers = [contract(request) for request in webhook.requests]
    assert len(receipts.read_text().splitlines()) == answers.count(200) > 800
    assert {request.path for request in webhook.requests} == {"/webhook", "/asleep-webhook"}


def test_sending_twice_sends_the_same_events(webhook: Webhook) -> None:
    arguments = (
        "--users",
        "2",
        "--days",
        "1",
        "--url",
        webhook.url,
        "--api-key",
        KEY,
        "--dialect",
        "v1",
        "--clean",
    )
    for _ in range(2):
        assert command(*arguments).exit_code == 0
    half = len(webhook.bodies) // 2
    assert sorted(webhook.bodies[:half]) == sorted(webhook.bodies[half:])
    assert len(set(webhook.bodies)) == half > 100
    assert all(b'"callback_version":"V1"' in body for body in webhook.bodies)


def test_an_unexpected_status_makes_the_exit_status_1(webhook: Webhook) -> None:
    webhook.answer = lambda _: 401
    result = command("--users", "1", "--days", "1", "--clean", "--url", webhook.url, "--api-key", "stale")
    assert result.exit_code == 1
    assert "x 401" in result.output
    assert "pass one of its ASLEEP_API_KEYS as --api-key" in result.output


def write_nights(folder: Path) -> None:
    for name, epochs in (("night-a", 137), ("night-b", 64)):
        stages = [0, 1, 2, 3] * epochs
        night = {"night_id": name, "epoch_sec": 30, "stages": stages[:epochs], "alt_stages": [1] * epochs}
        (folder / f"{name}.json").write_text(json.dumps(night))


@pytest.mark.parametrize("zone_names", [True, False])
def test_scored_nights_of_a_folder_are_sent_to_the_last_epoch(
    webhook: Webhook, tmp_path: Path, zone_names: bool
) -> None:
    write_nights(tmp_path)
    options = [] if zone_names else ["--no-zone-names"]
    result = command(
        *("--nights", str(tmp_path), "--dialect", "nested", "--clean", "--url", webhook.url),
        *("--api-key", KEY, *options),
    )
    assert result.exit_code == 0, result.output
    reports = [
        body["data"] for body in map(json.loads, webhook.bodies) if body["event"] == "SESSION_COMPLETE"
    ]
    assert sorted(len(report["session"]["sleep_stages"]) for report in reports) == [64, 137]
    assert all(bool(report["session"]["created_timezone"]) == zone_names for report in reports)
    assert len(webhook.bodies) == (13 + 1 + 1) + (6 + 1)


@pytest.mark.skipif(not SHARED_NIGHTS.is_dir(), reason=f"no scored nights at {SHARED_NIGHTS}")
@pytest.mark.parametrize("dialect", ["flat", "partial", "nested", "v1", "v2"])
def test_the_real_scored_nights_are_sent_in_every_dialect(webhook: Webhook, dialect: str) -> None:
    result = command(
        *("--nights", str(SHARED_NIGHTS), "--dialect", dialect, "--clean", "--no-zone-names"),
        *("--url", webhook.url, "--api-key", KEY),
    )
    assert result.exit_code == 0, result.output
    assert sum(b"SESSION_COMPLETE" in body for body in webhook.bodies) == 10
    assert len({request.headers["x-user-id"] for request in webhook.requests}) == 10


def test_a_file_of_calls_is_sent_as_it_stands(webhook: Webhook, tmp_path: Path) -> None:
    lines = tmp_path / "calls.jsonl"
    wanted = [
        {"headers": {"x-user-id": "ada"}, "body": '{"event": 1}'},
        {"headers": {"x-user-id": "ada", "X-Api-Key": "theirs"}, "body": "second", "path": "asleep-webhook"},
    ]
    lines.write_text("\n".join(map(json.dumps, wanted)))
    result = command("--file", str(lines), "--url", webhook.url, "--api-key", KEY)
    assert result.exit_code == 0, result.output
    assert webhook.bodies == [b'{"event": 1}', b"second"]
    assert [request.headers["x-api-key"] for request in webhook.requests] == [KEY, "theirs"]
    assert "from file" in result.output


def test_an_interrupt_ends_the_run_with_a_table_and_status_130(webhook: Webhook, tmp_path: Path) -> None:
    program = "import typer; from pipelines.commands.send import send; typer.run(send)"
    arguments = (
        "--url",
        webhook.url,
        "--api-key",
        KEY,
        "--speed",
        "3600",
        "--receipts",
        tmp_path / "receipts",
    )
    process = subprocess.Popen(
        [sys.executable, "-c", program, *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        deadline = time.monotonic() + 30
        while len(webhook.requests) < 20 and process.poll() is None:
            assert time.monotonic() < deadline
            time.sleep(0.02)
        process.send_signal(signal.SIGINT)
        output, _ = process.communicate(timeout=30)
    finally:
        process.kill()
        process.wait()
    assert process.returncode == 130, output
    assert "Interrupted" in output
    assert "as expected" in output
    assert len((tmp_path / "receipts").read_text().splitlines()) >= 5


def test_a_broken_line_stops_the_run_and_is_named(webhook: Webhook, tmp_path: Path) -> None:
    lines = tmp_path / "calls.jsonl"
    lines.write_text('{"body": "{}"}\n{"bdy": "{}"}\n')
    result = command("--file", str(lines), "--url", webhook.url, "--api-key", KEY)
    assert result.exit_code == 1
    assert "line 2: body: Field required" in result.output
    assert webhook.bodies == [b"{}"]


def test_nobody_listening_is_said_at_once_with_what_to_do() -> None:
    result = command("--url", f"http://127.0.0.1:{closed_port()}/webhook", "--api-key", KEY)
    assert result.exit_code == 1
    assert "Nothing answers at" in result.output
    assert "asleep receive" in result.output


def test_the_default_address_comes_from_the_settings(webhook: Webhook) -> None:
    environment = {"ASLEEP_PORT": str(webhook.port), "ASLEEP_API_KEYS": KEY}
    result = command("--users", "1", "--days", "1", "--clean", environment=environment)
    assert result.exit_code == 0, result.output
    assert {request.headers["x-api-key"] for request in webhook.requests} == {KEY}


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ((), "no key: pass one, or set ASLEEP_API_KEYS"),
        (("--api-key", KEY, "--url", "localhost:8000"), "is no http(s) address"),
        (("--api-key", KEY, "--nights", ".", "--file", __file__), "choose one of --nights and --file"),
        (("--api-key", KEY, "--nights", str(Path(__file__).parent)), "no *.json files there"),
        (("--api-key", KEY, "--file", __file__, "--users-file", "u.csv"), "only simulated users"),
        (("--api-key", KEY, "--dialect", "v4"), "v4"),
        (("--api-key", KEY, "--first-day", "19.10.2026"), "19.10.2026"),
    ],
)
def test_wrong_options_are_refused_by_name(arguments: tuple[str, ...], complaint: str) -> None:
    result = command(*arguments)
    assert result.exit_code == 2
    assert complaint in result.output
