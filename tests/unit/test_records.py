"""The shared words: receipts, keys and reasons."""

from __future__ import annotations

import re
import time
import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.records import Header, Reason, Receipt, Topic, partition_key

ANY_TEXT = st.text(st.characters(exclude_categories=()))
"""Lone surrogates too: JSON can carry them."""


def test_receipts_are_unique_and_in_the_order_of_their_making() -> None:
    receipts = [Receipt.now() for _ in range(10_000)]
    ids = [receipt.receipt_id for receipt in receipts]
    assert len(set(ids)) == len(ids)
    assert ids == sorted(ids)


def test_a_receipt_is_a_uuid7_of_its_moment() -> None:
    before = time.time_ns() // 1000
    receipt = Receipt.now()
    after = time.time_ns() // 1000
    assert before <= receipt.received_at_us <= after
    identity = uuid.UUID(receipt.receipt_id)
    assert (identity.version, str(identity)) == (7, receipt.receipt_id)
    assert before // 1000 <= identity.int >> 80 <= after // 1000


@given(st.tuples(ANY_TEXT, ANY_TEXT), st.tuples(ANY_TEXT, ANY_TEXT))
def test_two_sessions_have_two_keys(one: tuple[str, str], other: tuple[str, str]) -> None:
    assert (partition_key(*one) == partition_key(*other)) == (one == other)


@pytest.mark.parametrize("separator", ["", ":", "\x1f", "\x00", "/", "|", ","])
@given(ANY_TEXT, ANY_TEXT, ANY_TEXT)
def test_a_separator_inside_a_name_does_not_move_the_border(
    separator: str, one: str, two: str, three: str
) -> None:
    early, late = (one, two + separator + three), (one + separator + two, three)
    assert (partition_key(*early) == partition_key(*late)) == (early == late)


@pytest.mark.parametrize("word", [*Reason, *Header])
def test_reasons_and_headers_are_words_that_fit_a_reply_a_metric_and_a_column(word: str) -> None:
    assert re.fullmatch(r"[a-z][a-z0-9]*(_[a-z0-9]+)*", word)


@pytest.mark.parametrize("words", [Reason, Header, Topic])
def test_no_word_means_two_things(words: type[Reason | Header | Topic]) -> None:
    assert len(words.__members__) == len({str(word) for word in words})
