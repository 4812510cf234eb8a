"""Cases of the warehouse, as data: events that arrive, and the rows that must come of them.

A file of cases/ holds a list `cases`. A case has a name, the source of its expectation in a sentence,
`events` (`at`, `body`, and optionally `user` for the x-user-id header, `receipt`, `topic`, `headers`), and
`expect`: rows of tables, each a subset of the columns, in the order of the table's key. `$user` stands for a
user of the case's own, `$receipt-2` for the receipt of its second event, and `!runs 0*20 1*10` for a list of
thirty values.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import yaml

from ingest.records import Topic
from tests.raw_events import Event

AS_OF: Final = "2026-01-06T12:00:00Z"


@dataclass(frozen=True, slots=True)
class Case:
    """One case; `slug` is the word that its users and receipts begin with."""

    slug: str
    name: str
    source: str
    as_of: datetime
    users_file: str | None
    events: list[tuple[Topic, Event]]
    expect: Mapping[str, list[dict[str, Any]]]

    @property
    def world(self) -> tuple[datetime, str | None]:
        """Cases of one world share a warehouse."""
        return self.as_of, self.users_file


class _Loader(yaml.SafeLoader):
    """Reads times as the text they are, and `!runs`."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if not tag.endswith(":timestamp")]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def _runs(loader: yaml.SafeLoader, node: yaml.ScalarNode) -> list[Any]:
    values: list[Any] = []
    for run in str(loader.construct_scalar(node)).split():
        value, _, times = run.partition("*")
        values += [yaml.safe_load(value)] * int(times)
    return values


_Loader.add_constructor("!runs", _runs)


def _filled(value: Any, slug: str) -> Any:
    """The same value with $user and $receipt filled in, at any depth."""
    if isinstance(value, str):
        return value.replace("$user", slug).replace("$receipt", slug)
    if isinstance(value, dict):
        return {_filled(key, slug): _filled(item, slug) for key, item in value.items()}
    return [_filled(item, slug) for item in value] if isinstance(value, list) else value


def _case(slug: str, fields: dict[str, Any]) -> Case:
    unknown = fields.keys() - {"name", "source", "as_of", "users_file", "events", "expect"}
    if unknown:
        raise ValueError(f"{slug}: {', '.join(unknown)}: no field of a case")
    events = [_event(slug, number, event) for number, event in enumerate(fields["events"], start=1)]
    return Case(
        slug=slug,
        name=fields["name"],
        source=fields["source"],
        as_of=datetime.fromisoformat(fields.get("as_of", AS_OF)),
        users_file=fields.get("users_file"),
        events=events,
        expect=fields["expect"],
    )


def _event(slug: str, number: int, fields: dict[str, Any]) -> tuple[Topic, Event]:
    headers = {
        name: value if isinstance(value, bytes) else value.encode()
        for name, value in fields.get("headers", {}).items()
    }
    event = Event(
        body=fields["body"],
        received_at=datetime.fromisoformat(fields["at"]),
        user_id=fields.get("user", slug),
        receipt_id=f"{slug}-{fields.get('receipt', number)}",
        headers=headers,
    )
    return Topic(fields.get("topic", Topic.EVENTS)), event


def load_cases(folder: Path = Path(__file__).parent / "cases") -> list[Case]:
    """All cases of the folder."""
    cases = []
    for path in sorted(folder.glob("*.yaml")):
        written = yaml.load(path.read_text(encoding="utf-8"), _Loader)["cases"]  # noqa: S506  a safe loader
        for number, fields in enumerate(written, start=1):
            slug = f"{path.stem}{number:02}"
            cases.append(_case(slug, _filled(fields, slug)))
    return cases
