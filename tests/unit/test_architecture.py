"""The rooms: who may import whom, how large a file may grow, and that importing one does nothing."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.unit.rooms import ROOMS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

ROOT = Path(__file__).parents[2]

DAGSTER_ROOMS = {
    f"pipelines.{room}"
    for room in (
        "table_metadata",
        "checks",
        "assets",
        "upkeep",
        "sensors",
        "schedules",
        "definitions",
        "lost_runs",
        "run",
    )
}
SEAM = {
    *("ingest.settings", "ingest.records", "ingest.durable_files"),
    *(
        "ingest.raw_store",
        "ingest.raw_store.base",
        "ingest.raw_store.objects",
        "ingest.landed_files",
        "ingest.coverage",
    ),
    *("ingest.parquet_files", "ingest.retention"),
}
"""What the warehouse may know of ingest: settings, words and files, nothing of HTTP or the log."""
FRONT_ROOMS = {"pipelines.upkeep", "pipelines.commands", "pipelines.cli"}

NOT_AT_IMPORT = {
    *("open", "connect", "Settings", "mkdir", "read_text", "read_bytes", "write_text", "iterdir"),
    *("run", "Popen", "now", "today", "time_ns", "getenv", "urlopen"),
}


def files_of(*packages: str) -> list[Path]:
    return sorted(path for package in packages for path in (ROOT / package).rglob("*.py"))


def module_of(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def room_of(module: str) -> str | None:
    """The innermost room that holds the module; None for a module that no room was made for."""
    name = module
    while name not in ROOMS:
        name, _, _ = name.rpartition(".")
        if name in {"", "ingest", "pipelines"}:
            return None
    return name


@cache
def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text(), filename=str(path))


def imports_of(path: Path) -> Iterator[tuple[int, str]]:
    """Every module that the file imports, anywhere in it, with the line."""
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path.name}:{node.lineno} imports by a relative name"
            module = str(node.module)
            for alias in node.names:
                deeper = f"{module}.{alias.name}"
                is_module = (ROOT / deeper.replace(".", "/")).with_suffix(".py").exists()
                yield node.lineno, deeper if is_module else module


def calls_while_importing(node: ast.AST) -> Iterator[ast.Call]:
    """The calls in `node` that run on import: not those in the bodies of functions."""
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        children: Iterable[ast.AST | None] = [
            *node.decorator_list,
            *node.args.defaults,
            *node.args.kw_defaults,
        ]
    elif isinstance(node, ast.Lambda):
        children = []
    else:
        children = ast.iter_child_nodes(node)
    if isinstance(node, ast.Call):
        yield node
    for child in filter(None, children):
        yield from calls_while_importing(child)


MODULES = files_of("ingest", "pipelines")


@pytest.mark.parametrize("path", MODULES, ids=module_of)
def test_a_module_imports_only_from_its_own_room_and_rooms_above_it(path: Path) -> None:
    room = room_of(module_of(path))
    assert room, f"{module_of(path)} is in no room: give it a place in the order, as far up as it can be"
    below = []
    for line, imported in imports_of(path):
        if imported.split(".")[0] in {"ingest", "pipelines"}:
            other = room_of(imported)
            assert other, f"line {line}: {imported} is in no room"
            if ROOMS.index(other) > ROOMS.index(room):
                below.append(f"line {line}: {imported}")
    assert not below


def test_ingest_knows_nothing_of_the_warehouse() -> None:
    for path in files_of("ingest"):
        roots = {name.split(".")[0] for _, name in imports_of(path)}
        assert not roots & {"pipelines", "dagster", "duckdb"}, module_of(path)


def test_only_the_front_rooms_know_both_packages() -> None:
    for path in files_of("pipelines"):
        if room_of(module_of(path)) not in FRONT_ROOMS:
            ours = {name for _, name in imports_of(path) if name.split(".")[0] == "ingest"}
            assert ours <= SEAM, module_of(path)


def test_only_the_rooms_that_bind_the_warehouse_to_dagster_import_it() -> None:
    for path in files_of("pipelines"):
        if any(name.split(".")[0] == "dagster" for _, name in imports_of(path)):
            assert room_of(module_of(path)) in DAGSTER_ROOMS, module_of(path)


@pytest.mark.parametrize("package", ["dagster", "duckdb"])
def test_the_command_line_starts_without_what_the_receiver_never_needs(package: str) -> None:
    program = f"import sys, pipelines.cli; print({package!r} in sys.modules)"
    answer = subprocess.run(
        [sys.executable, "-c", program], check=True, capture_output=True, text=True, cwd=ROOT
    )
    assert answer.stdout == "False\n"


@pytest.mark.parametrize("path", files_of("ingest", "pipelines", "tests"), ids=module_of)
def test_a_file_is_one_thing_and_says_what_in_one_sentence(path: Path) -> None:
    lines = len(path.read_text().splitlines())
    assert lines <= 250, "what is the second thing this file is about?"
    docstring = ast.get_docstring(tree_of(path))
    if tree_of(path).body:
        assert docstring
        assert docstring.splitlines()[0].endswith(".")


@pytest.mark.parametrize("path", files_of("ingest", "pipelines", "tests"), ids=module_of)
def test_a_silenced_checker_is_told_why(path: Path) -> None:
    for number, line in enumerate(path.read_text().splitlines(), 1):
        told = re.search(r"# (?:noqa: [A-Z0-9, ]*\d|type: ignore\[[a-z, -]+\])(.*)", line)
        assert told is None or told[1].strip(" #"), f"line {number} does not say why"


@pytest.mark.parametrize("path", MODULES, ids=module_of)
def test_an_except_names_the_errors_it_expects(path: Path) -> None:
    lines = path.read_text().splitlines()
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.ExceptHandler):
            assert node.type, f"line {node.lineno} swallows everything"
            names = {name.id for name in ast.walk(node.type) if isinstance(name, ast.Name)}
            is_broad = bool(names & {"Exception", "BaseException"})
            is_meant = isinstance(node.body[-1], ast.Raise) or "BLE001" in lines[node.lineno - 1]
            assert is_meant or not is_broad, f"line {node.lineno}: a bug of ours would be taken for an outage"


@pytest.mark.parametrize("path", MODULES, ids=module_of)
def test_importing_a_module_does_nothing(path: Path) -> None:
    for statement in tree_of(path).body:
        line = f"line {statement.lineno}"
        match statement:
            case ast.Expr(value=ast.Constant(value=str())):
                pass
            case ast.If(test=test):
                assert ast.unparse(test) in {"TYPE_CHECKING", "__name__ == '__main__'"}, line
            case _ if "app.command" in ast.unparse(statement):
                pass
            case ast.Expr() | ast.For() | ast.While() | ast.With() | ast.Try() | ast.Delete():
                pytest.fail(f"{line} runs on import")
            case _:
                for call in calls_while_importing(statement):
                    name = ast.unparse(call.func).rpartition(".")[2]
                    assert name not in NOT_AT_IMPORT, f"{line} calls {name} on import"


def test_the_order_has_no_room_twice_and_no_room_that_left() -> None:
    assert len(set(ROOMS)) == len(ROOMS)
    lived_in = {room_of(module_of(path)) for path in MODULES}
    assert set(ROOMS) == lived_in
