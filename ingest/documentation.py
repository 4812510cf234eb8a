"""Writes docs/settings.md from the settings: their names, defaults and meanings."""

from __future__ import annotations

import sys

from pydantic.fields import FieldInfo

from ingest.settings import Settings

PREFACE = """\
# Settings

Made from the descriptions in `ingest/settings` by `make docs`.

Every process reads its settings from the environment when it starts. A wrong value ends it at once with a
message that names the setting. An empty value is the same as none. Quantities have their unit in the name,
rates in the value. Relative paths count from the folder that a process starts in.

`asleep` hands its own settings on to the processes it starts. No other file is read: put the variables into
your service manager, a shell profile, or the `environment` of `docker-compose.yml`.

| variable | default | meaning |
|---|---|---|
"""


def settings_page() -> str:
    """The whole page, as Markdown."""
    return PREFACE + "".join(
        f"| `ASLEEP_{name.upper()}` | {_default(field)} | {_cell(field.description or '')} |\n"
        for name, field in Settings.model_fields.items()
    )


def _default(field: FieldInfo) -> str:
    return f"`{field.default}`" if field.default not in (None, "", ()) else ""


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


if __name__ == "__main__":
    sys.stdout.write(settings_page())
