"""Makes the component schemas of what may be posted: every described event, and any other JSON object."""

from __future__ import annotations

from typing import Any, Final

from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue, models_json_schema
from pydantic_core import core_schema

from ingest.openapi.events import (
    FlatInferenceComplete,
    FlatSessionComplete,
    NestedInferenceComplete,
    NestedSessionComplete,
    PartialInferenceComplete,
    PartialSessionComplete,
)
from ingest.openapi.old_events import (
    V1InferenceComplete,
    V1SessionComplete,
    V2InferenceComplete,
    V2SessionComplete,
)

EVENTS: Final = (
    FlatInferenceComplete,
    FlatSessionComplete,
    PartialInferenceComplete,
    PartialSessionComplete,
    NestedInferenceComplete,
    NestedSessionComplete,
    V2InferenceComplete,
    V2SessionComplete,
    V1InferenceComplete,
    V1SessionComplete,
)
ANY_OBJECT: Final = "AnyObject"
REF_TEMPLATE: Final = "#/components/schemas/{model}"


class _PlainSchema(GenerateJsonSchema):
    """Leaves out what only repeats: names as titles, and null as the default of what may be missing."""

    def field_title_should_be_set(self, schema: object) -> bool:  # noqa: ARG002  pydantic passes it
        return False

    def default_schema(self, schema: core_schema.WithDefaultSchema) -> JsonSchemaValue:
        return self.generate_inner(schema["schema"])

    def nullable_schema(self, schema: core_schema.NullableSchema) -> JsonSchemaValue:
        inner = self.generate_inner(schema["schema"])
        if isinstance(inner.get("type"), str) and "enum" not in inner and "const" not in inner:
            return inner | {"type": [inner["type"], "null"]}
        return self.get_union_of_schemas([inner, {"type": "null"}])


def event_schemas() -> dict[str, Any]:
    """Component schemas by name, their references among themselves included."""
    _, made = models_json_schema(
        [(event, "validation") for event in EVENTS],
        ref_template=REF_TEMPLATE,
        schema_generator=_PlainSchema,
    )
    schemas: dict[str, Any] = made["$defs"]
    for schema in schemas.values():
        for field in schema.get("properties", {}).values():
            if "x-unit" in field:
                field["description"] += f" Unit: {field['x-unit']}."
    schemas[ANY_OBJECT] = {
        "type": "object",
        "additionalProperties": True,
        "description": "Any other JSON object: stored as well, and set aside with a reason where it can not "
        "become a row.",
    }
    return schemas


def body_schema() -> dict[str, Any]:
    """The schema of a body: one of the described events, or any other JSON object."""
    names = [*(event.__name__ for event in EVENTS), ANY_OBJECT]
    return {"anyOf": [{"$ref": REF_TEMPLATE.format(model=name)} for name in names]}
