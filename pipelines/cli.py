"""The one command, `asleep`; the only place where the verbs of all rooms meet."""

from __future__ import annotations

import sys

import typer
from pydantic import ValidationError

from ingest.settings import WrongSetting
from pipelines.commands.demo import demo
from pipelines.commands.health import health
from pipelines.commands.raw_files import compact, retire, verify
from pipelines.commands.run import build, drain, land, receive
from pipelines.commands.send import send
from pipelines.commands.up import up

app = typer.Typer(
    name="asleep",
    help="Sleep-tracking webhooks, for ever and correct, in a DuckDB warehouse.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
for verb in (demo, up, receive, drain, land, build, verify, compact, retire, send, health):
    app.command()(verb)


def main() -> None:
    """Run the command line; a wrong setting ends it with a sentence that names the setting."""
    try:
        app()
    except ValidationError as error:
        for problem in error.errors():
            setting = "".join(f"ASLEEP_{part}: ".upper() for part in problem["loc"][:1])
            sys.stderr.write(f"{setting}{problem['msg'].removeprefix('Value error, ')}\n")
        sys.exit(2)
    except WrongSetting as error:
        sys.stderr.write(f"{error}\n")
        sys.exit(2)


if __name__ == "__main__":
    main()
