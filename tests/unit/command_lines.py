"""Whether a command line is one that its program accepts, without running it."""

from __future__ import annotations

import importlib
from typing import Any

import typer.main


def _command_of(program: str) -> Any:
    """The command tree of a program that we start."""
    match program:
        case "asleep":
            return typer.main.get_command(importlib.import_module("pipelines.cli").app)
        case "dagster-webserver":
            return importlib.import_module("dagster_webserver.cli").create_dagster_webserver_cli()
        case "dagster-daemon":
            return importlib.import_module("dagster._daemon.cli").create_dagster_daemon_cli()
    raise ValueError(f"no program of ours: {program}")


def accept(words: list[str]) -> None:
    """Parse `words` (the program first) as the program would; raises what it would raise.

    Raises KeyError for an unknown verb and click's UsageError for a wrong option or value.
    """
    program, *rest = words
    command = _command_of(program)
    while hasattr(command, "commands"):
        verb, *rest = rest
        command = command.commands[verb]
    command.make_context(program, list(rest))
