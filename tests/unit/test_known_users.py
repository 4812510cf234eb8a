"""Who may be called about: the users of the users file, as it is now."""

from __future__ import annotations

import asyncio
from pathlib import Path

import duckdb
import pytest

from ingest.known_users import KnownUsers, UsersFileUnusable
from ingest.records import Reason
from ingest.settings import Settings
from tests.unit.users_files import UNUSABLE, known, written

ROOT = Path(__file__).parents[2]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return written(tmp_path / "users.csv")


@pytest.mark.parametrize("given", [b"ada", b"grace", b" ada\t"])
def test_a_user_of_the_file_may_go_on(file: Path, given: bytes) -> None:
    assert known(file).refusal(given) is None


@pytest.mark.parametrize(
    "given", [b"eve", b"Ada", b"ad", b"ada,", b"female", b"user_id", b"\xff", b"a" * 1024]
)
def test_anybody_else_is_unknown(file: Path, given: bytes) -> None:
    assert known(file).refusal(given) is Reason.UNKNOWN_USER


@pytest.mark.parametrize("given", [None, b"", b" \t "])
def test_a_call_without_a_user_is_told_so(file: Path, given: bytes | None) -> None:
    assert known(file).refusal(given) is Reason.MISSING_USER_ID


@pytest.mark.parametrize("given", [None, b"", b"eve"])
def test_everybody_may_go_on_where_users_need_not_beknown(tmp_path: Path, given: bytes | None) -> None:
    users = KnownUsers(Settings(users_file=tmp_path / "absent.csv"))

    async def scenario() -> None:
        users.start()
        await users.look()
        await users.close()

    asyncio.run(scenario())
    assert users.refusal(given) is None
    assert users.problem() is None


@pytest.mark.parametrize(
    "content",
    [
        b"user_id\nada\ngrace\n",
        b"gender,user_id\nf,ada\nf,grace\n",
        b"\xef\xbb\xbfuser_id,gender\r\nada,f\r\n\r\ngrace,f",
        b'gender,USER_ID,note\n"f","ada","a ""note"",\nof two lines"\nf,grace\n',
        b"user_id,gender\n ada \ngrace,f,more,than,asked\n,f\n  ,f\nada,m\n",
        "user_id\nada\ngrace\nzoë\n김하나\n".encode(),
    ],
    ids=["one column", "second column", "byte order mark", "quoted", "odd lines", "beyond ascii"],
)
def test_the_users_known_are_those_that_the_warehouse_reads(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "users.csv"
    path.write_bytes(content)
    complete = tmp_path / "columns.csv"
    complete.write_text("user_id,birth_year,gender,timezone,signup_date\n")
    query = (ROOT / "sql" / "staging" / "stg_users.sql").read_text()
    parameters = {"users_files": [str(complete), str(path)]}
    rows = duckdb.connect().execute(f"select user_id from ({query})", parameters).fetchall()
    assert {user.encode() for (user,) in rows} == set(known(path)._users or ())
    assert {"ada", "grace"} <= {user for (user,) in rows}


@pytest.mark.parametrize(("content", "problem"), UNUSABLE.values(), ids=UNUSABLE.keys())
def test_an_unusable_file_at_start_is_an_error_that_tells_nothing_of_it(
    file: Path, content: bytes, problem: str
) -> None:
    file.write_bytes(content)
    with pytest.raises(UsersFileUnusable, match=f"ASLEEP_USERS_FILE: .*{problem}") as error:
        known(file)
    assert "secret" not in str(error.value)


def test_no_file_at_start_is_an_error_that_names_the_setting(tmp_path: Path) -> None:
    with pytest.raises(UsersFileUnusable, match=r"ASLEEP_USERS_FILE: .*absent\.csv can not be read"):
        known(tmp_path / "absent.csv")
    with pytest.raises(UsersFileUnusable, match=r"ASLEEP_USERS_FILE: .* can not be read"):
        known(tmp_path)
    with pytest.raises(UsersFileUnusable, match="ASLEEP_KNOWN_USERS_ONLY is on, and there is no users file"):
        KnownUsers(Settings(known_users_only=True, data_dir=tmp_path))
