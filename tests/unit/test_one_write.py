"""A reply goes out in one piece, and nothing that comes before or after it waits."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from ingest.one_write import OneWrite


@dataclass
class _Transport:
    written: list[bytes] = field(default_factory=list)
    closed: bool = False

    def write(self, data: bytes) -> None:
        self.written.append(data)

    def close(self) -> None:
        self.closed = True

    def is_closing(self) -> bool:
        return self.closed


@dataclass
class _Cycle:
    response_started: bool = False


@pytest.fixture
def transport() -> _Transport:
    return _Transport()


@pytest.fixture
def cycle() -> _Cycle:
    return _Cycle()


@pytest.fixture
def reply(cycle: _Cycle, transport: _Transport) -> OneWrite:
    return OneWrite(cycle, transport)


def test_head_and_body_are_one_write(reply: OneWrite, cycle: _Cycle, transport: _Transport) -> None:
    cycle.response_started = True
    reply.write(b"head")
    assert transport.written == []
    reply.write(b"body")
    assert transport.written == [b"headbody"]


def test_what_comes_before_the_reply_does_not_wait(
    reply: OneWrite, cycle: _Cycle, transport: _Transport
) -> None:
    reply.write(b"100 Continue")
    assert transport.written == [b"100 Continue"]
    cycle.response_started = True
    reply.write(b"head")
    reply.write(b"body")
    assert transport.written[1:] == [b"headbody"]


def test_later_pieces_of_a_body_are_sent_as_they_come_and_an_empty_first_one_sends_the_head(
    reply: OneWrite, cycle: _Cycle, transport: _Transport
) -> None:
    cycle.response_started = True
    for piece in (b"head", b"", b"more", b"end"):
        reply.write(piece)
    assert transport.written == [b"head", b"more", b"end"]


def test_a_head_without_a_body_goes_out_before_the_end(
    reply: OneWrite, cycle: _Cycle, transport: _Transport
) -> None:
    cycle.response_started = True
    reply.write(b"head")
    reply.close()
    assert (transport.written, transport.closed, reply.is_closing()) == ([b"head"], True, True)
