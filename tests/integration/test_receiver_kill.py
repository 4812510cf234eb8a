"""kill -9 of the receiver under load: whatever it acknowledged is in the log, byte for byte."""

from __future__ import annotations

import threading
import uuid

from ingest.settings import Settings
from tests.integration.http_connection import Connection, request
from tests.integration.receiver_process import (
    KEY,
    ReceiverProcess,
    stored_bodies,
    wait_until,
)

KILLS = 5
CONNECTIONS = 4
ACKNOWLEDGED_BEFORE_A_KILL = 200


class _Sender(threading.Thread):
    """Sends events, each of its own body, on one connection until the receiver is gone."""

    def __init__(self, port: int) -> None:
        super().__init__(daemon=True)
        self._port = port
        self.acknowledged: dict[str, bytes] = {}

    def run(self) -> None:
        try:
            with Connection(self._port) as connection:
                while True:
                    body = b'{"event":"INFERENCE_COMPLETE","session_id":"%b"}' % uuid.uuid4().hex.encode()
                    connection.send(request(body, f"x-api-key: {KEY}"))
                    reply = connection.reply()
                    assert reply.status == 200, reply
                    self.acknowledged[reply.json["receipt_id"]] = body
        except (OSError, EOFError):
            return


def kill_under_load(settings: Settings) -> dict[str, bytes]:
    """Start a receiver, load it, kill it; returns body by receipt id of every 200 that came back."""
    receiver = ReceiverProcess.start(settings)
    try:
        receiver.wait_until_ready()
        senders = [_Sender(receiver.port) for _ in range(CONNECTIONS)]
        for sender in senders:
            sender.start()
        wait_until(
            lambda: sum(len(sender.acknowledged) for sender in senders) >= ACKNOWLEDGED_BEFORE_A_KILL,
            "acknowledged events",
        )
    finally:
        receiver.kill()
    for sender in senders:
        sender.join(timeout=30)
        assert not sender.is_alive()
    return {receipt: body for sender in senders for receipt, body in sender.acknowledged.items()}


def test_no_acknowledged_event_is_lost_by_kill_9(log_settings: Settings) -> None:
    acknowledged: dict[str, bytes] = {}
    for _ in range(KILLS):
        acknowledged |= kill_under_load(log_settings)

    found = stored_bodies(log_settings)
    assert len(acknowledged) >= KILLS * ACKNOWLEDGED_BEFORE_A_KILL
    assert {receipt: found.get(receipt) for receipt in acknowledged} == acknowledged
