"""A file of calls: read line by line as it stands, refused by line and field."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pipelines.simulation.call_file import CallFileError, read_calls


def file_of(tmp_path: Path, *lines: Any) -> Path:
    path = tmp_path / "calls.jsonl"
    path.write_text("\n".join(line if isinstance(line, str) else json.dumps(line) for line in lines))
    return path


def test_a_line_is_a_call_with_its_body_to_the_byte(tmp_path: Path) -> None:
    body = '{"event": "A",\t"note": "é \\u0000"}  '
    (call,) = read_calls(file_of(tmp_path, {"headers": {"X-User-Id": "ada"}, "body": body}))
    assert call.body == body.encode()
    assert call.headers == {"X-User-Id": "ada"}
    assert (call.path, call.expect, call.session) == ("webhook", 200, ("ada", ""))


def test_a_line_may_name_path_and_expected_status(tmp_path: Path) -> None:
    (call,) = read_calls(file_of(tmp_path, {"body": "", "path": "asleep-webhook", "expect": 400}))
    assert (call.path, call.expect) == ("asleep-webhook", 400)


def test_blank_lines_are_skipped_and_still_counted(tmp_path: Path) -> None:
    path = file_of(tmp_path, {"body": "1"}, "", {"body": "2"}, "  ", "nonsense")
    calls = read_calls(path)
    assert [next(calls).body, next(calls).body] == [b"1", b"2"]
    with pytest.raises(CallFileError, match="line 5: the line: "):
        next(calls)


@pytest.mark.parametrize(
    ("line", "field"),
    [
        ({"headers": {}}, "body"),
        ({"body": {"event": "A"}}, "body"),
        ({"body": "", "header": {}}, "header"),
        ({"body": "", "headers": {"x-user-id": "a\r\nx-api-key: b"}}, r"headers\.x-user-id"),
        ({"body": "", "headers": {"bad name": "a"}}, "headers"),
        ({"body": "", "path": "../admin"}, "path"),
        ({"body": "", "expect": 1000}, "expect"),
        ([], "the line"),
    ],
)
def test_a_line_of_another_form_is_refused_with_its_field(tmp_path: Path, line: Any, field: str) -> None:
    with pytest.raises(CallFileError, match=rf"calls\.jsonl, line 1: {field}"):
        list(read_calls(file_of(tmp_path, line)))
