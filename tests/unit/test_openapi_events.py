"""The schemas of the events: true of their examples, of what senders send, and complete."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from datetime import UTC, date, datetime
from functools import cache
from itertools import pairwise
from typing import Any

import jsonschema_rs
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.openapi.event_schemas import ANY_OBJECT, EVENTS, body_schema, event_schemas
from ingest.openapi.examples import EXAMPLES
from pipelines.simulation.calls import Call
from pipelines.simulation.dialects import Dialect, calls_of
from pipelines.simulation.night import Night
from pipelines.simulation.recordings import simulated_nights
from pipelines.simulation.sleepers import population
from pipelines.simulation.stat_fields import live_stat, reference_stat

SCHEMAS = event_schemas()
EVENT_NAMES = [event.__name__ for event in EVENTS]
KINDS = {"INFERENCE_COMPLETE": "InferenceComplete", "SESSION_COMPLETE": "SessionComplete"}
UNITLESS = {"breathing_index"}


@cache
def validator(name: str) -> jsonschema_rs.Validator:
    schema = {"$ref": f"#/components/schemas/{name}", "components": {"schemas": SCHEMAS}}
    return jsonschema_rs.Draft202012Validator(schema, validate_formats=True)


def problems(name: str, body: object) -> list[str]:
    return [f"{error.instance_path}: {error.message}" for error in validator(name).iter_errors(body)]


def schema_of_example(example: str) -> str:
    return next(name for name in EVENT_NAMES if example.startswith(name))


def described_fields() -> Iterator[tuple[str, str, dict[str, Any]]]:
    for schema_name, schema in SCHEMAS.items():
        for field, described in schema.get("properties", {}).items():
            yield schema_name, field, described


def undescribed(body: Any, schema: dict[str, Any]) -> Iterator[str]:
    """Names of fields that a body has and its schema does not describe, at any depth of objects."""
    if "$ref" in schema:
        yield from undescribed(body, SCHEMAS[schema["$ref"].rpartition("/")[2]])
    elif "anyOf" in schema:
        yield from undescribed(body, schema["anyOf"][0])
    elif isinstance(body, dict):
        for name, value in body.items():
            if name in schema["properties"]:
                yield from undescribed(value, schema["properties"][name])
            else:
                yield name
    elif isinstance(body, list):
        for item in body:
            yield from undescribed(item, schema["items"])


@cache
def simulated_calls(dialect: Dialect) -> list[Call]:
    nights = simulated_nights(population(11, 6), date(2026, 1, 5), 2)
    return [call for night in nights for call in calls_of(night, dialect)]


def test_both_events_are_described_in_every_dialect() -> None:
    assert set(EVENT_NAMES) == {
        f"{dialect.value.capitalize()}{kind}" for dialect in Dialect for kind in KINDS.values()
    }


def test_a_body_is_one_of_the_described_events_or_any_other_object() -> None:
    references = [choice["$ref"] for choice in body_schema()["anyOf"]]
    assert references == [f"#/components/schemas/{name}" for name in [*EVENT_NAMES, ANY_OBJECT]]
    assert SCHEMAS[ANY_OBJECT]["type"] == "object"
    assert SCHEMAS[ANY_OBJECT]["additionalProperties"] is True


def test_every_described_event_has_an_example() -> None:
    assert {schema_of_example(example) for example in EXAMPLES} == set(EVENT_NAMES)


@pytest.mark.parametrize("example", EXAMPLES)
def test_an_example_is_what_its_schema_says_and_of_no_other_dialect(example: str) -> None:
    body = EXAMPLES[example]
    assert problems(schema_of_example(example), body) == []
    assert list(undescribed(body, SCHEMAS[schema_of_example(example)])) == []
    right = {name for name in EVENT_NAMES if not problems(name, body)}
    # every flat event is a partial one with more in it
    assert right - {name for name in right if name.startswith("Partial")} <= {schema_of_example(example)}


def test_the_statistics_of_the_examples_are_what_the_vendor_makes_of_that_night() -> None:
    flat, nested = EXAMPLES["FlatSessionComplete"], EXAMPLES["NestedSessionComplete"]
    stages = tuple(flat["session"]["sleep_stages"])
    night = Night(
        user_id="user-1",
        session_id="session-1",
        started_at=datetime(2026, 3, 1, 14, tzinfo=UTC),
        timezone="Asia/Seoul",
        stages=stages,
        early_stages=stages,
        snoring=tuple(flat["session"]["snoring_stages"]),
    )
    assert reference_stat(night, datetime.isoformat) == flat["stat"]
    live = live_stat(night, None, datetime.isoformat) or {}
    told = nested["data"]["stat"]
    assert {name: live[name] for name in told} == told
    assert {value for name, value in live.items() if name not in told} == {None}


@pytest.mark.parametrize("dialect", Dialect)
def test_what_senders_of_a_dialect_send_is_described(dialect: Dialect) -> None:
    seen = set()
    for call in simulated_calls(dialect):
        body = orjson.loads(call.body)
        kind = KINDS[body.get("event") or body["callback_event"]]
        name = f"{dialect.value.capitalize()}{kind}"
        assert problems(name, body) == []
        assert list(undescribed(body, SCHEMAS[name])) == []
        seen.add(kind)
    assert seen == set(KINDS.values())


@pytest.mark.parametrize(("schema", "field", "described"), list(described_fields()))
def test_a_field_says_what_it_means_and_its_examples_are_right(
    schema: str, field: str, described: dict[str, Any]
) -> None:
    referred = described.get("$ref") or described.get("anyOf", [{}])[0].get("$ref")
    text = described.get("description") or SCHEMAS[referred.rpartition("/")[2]]["description"]
    assert len(text) > 8
    if "number" in described.get("type", ()) and field not in UNITLESS:
        assert "Unit: " in text
    for example in described.get("examples", []):
        within = {"components": {"schemas": SCHEMAS}, **described}
        assert jsonschema_rs.Draft202012Validator(within, validate_formats=True).is_valid(example), schema


def test_every_schema_says_what_it_is() -> None:
    assert all(schema["description"].endswith(".") for schema in SCHEMAS.values())


@pytest.mark.parametrize(
    ("example", "path", "wrong"),
    [
        ("FlatInferenceComplete", ("sleep_stages", 0), 4),
        ("FlatInferenceComplete", ("breath_stages", 0), 2),
        ("FlatInferenceComplete", ("snoring_stages",), "0,1"),
        ("FlatInferenceComplete", ("time_window", "start"), "yesterday"),
        ("FlatInferenceComplete", ("event",), "SESSION_COMPLETE"),
        ("FlatSessionComplete", ("stat", "sleep_time"), "2026-03-01T14:02:00Z"),
        ("FlatSessionComplete", ("stat", "sleep_efficiency"), 101),
        ("NestedSessionComplete", ("data", "stat", "sleep_time"), "00:07:00"),
        ("NestedSessionComplete", ("data", "stat", "sleep_efficiency"), 70.0),
        ("NestedSessionComplete", ("data", "session", "id"), None),
        ("V2InferenceComplete", ("callback_version",), "V1"),
        ("V1SessionComplete", ("callback_data", "stage_list", 3), -2),
    ],
)
def test_a_schema_tells_a_wrong_value(example: str, path: tuple[str | int, ...], wrong: object) -> None:
    body = copy.deepcopy(EXAMPLES[example])
    *parents, last = path
    holder: Any = body
    for step in parents:
        holder = holder[step]
    holder[last] = wrong
    assert problems(schema_of_example(example), body)
    assert problems(ANY_OBJECT, body) == []


@given(
    example=st.sampled_from(sorted(EXAMPLES)),
    more=st.dictionaries(st.text(), st.none() | st.booleans() | st.integers() | st.text(), max_size=3),
)
def test_an_unknown_field_never_makes_an_event_wrong(example: str, more: dict[str, Any]) -> None:
    assert problems(schema_of_example(example), more | EXAMPLES[example]) == []


def test_the_examples_are_ordered_by_dialect_and_the_window_comes_first() -> None:
    order = [EVENT_NAMES.index(schema_of_example(example)) for example in EXAMPLES]
    assert all(first <= second for first, second in pairwise(order))
