"""The frame of the project: what is installed, what make and CI run."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import tomllib
from importlib.metadata import distribution
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from tests.unit.command_lines import accept

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
TARGETS = re.findall(r"^([a-z]+):.*## ", (ROOT / "Makefile").read_text(), re.MULTILINE)


def pins() -> dict[str, Version]:
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    requirements = [Requirement(line) for line in lines]
    assert all(len(r.specifier) == 1 and str(r.specifier).startswith("==") for r in requirements)
    return {canonicalize_name(r.name): Version(str(r.specifier)[2:]) for r in requirements}


def needed(requirement: Requirement, seen: dict[str, Requirement]) -> None:
    """Collect into `seen` the distributions that `requirement` brings in on this machine."""
    name = canonicalize_name(requirement.name)
    if str(requirement) in seen:
        return
    seen[str(requirement)] = requirement
    for text in distribution(name).requires or []:
        child = Requirement(text)
        extras = requirement.extras or {""}
        if not child.marker or any(child.marker.evaluate({"extra": extra}) for extra in extras):
            needed(child, seen)


def test_every_package_that_setup_installs_is_pinned_to_what_the_requirements_allow() -> None:
    seen: dict[str, Requirement] = {}
    for text in [*PROJECT["dependencies"], *PROJECT["optional-dependencies"]["dev"]]:
        requirement = Requirement(text)
        if not requirement.marker or requirement.marker.evaluate():
            needed(requirement, seen)
    pinned = pins()
    assert {canonicalize_name(r.name) for r in seen.values()} - set(pinned) == set()
    for requirement in seen.values():
        version = pinned[canonicalize_name(requirement.name)]
        assert requirement.specifier.contains(version, prereleases=True), (
            f"{requirement}, pinned to {version}"
        )


def test_a_package_is_pinned_once_and_by_version_alone() -> None:
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    assert len(pins()) == len(lines)
    assert all(re.fullmatch(r"[\w.-]+==[\w.!+]+", line) for line in lines)


@pytest.mark.parametrize(
    "file", ["Makefile", "Dockerfile", "docker-compose.yml", ".ci/run", "constraints.txt"]
)
def test_packages_come_from_wherever_this_machine_gets_them(file: str) -> None:
    text = (ROOT / file).read_text()
    assert not re.search(r"https?://|--index-url|--extra-index-url|--find-links|--trusted-host", text)


@pytest.mark.parametrize("target", TARGETS)
def test_every_target_of_the_makefile_stands(target: str) -> None:
    make = ["make", "--dry-run", "--no-print-directory", target]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    answer = subprocess.run(make, cwd=ROOT, env=environment, check=True, capture_output=True, text=True)
    for line in answer.stdout.splitlines():
        if line.startswith(".venv/bin/asleep "):
            accept(["asleep", *shlex.split(line)[1:]])


def test_the_makefile_has_what_people_look_for() -> None:
    assert {"setup", "demo", "up", "test", "check", "bench", "docs"} <= set(TARGETS)


def test_ci_checks_everything_and_takes_no_skipped_broker_for_an_answer() -> None:
    script = ROOT / ".ci/run"
    assert os.access(script, os.X_OK)
    subprocess.run(["bash", "-n", script], check=True)
    lines = script.read_text().splitlines()
    assert "set -euo pipefail" in lines
    assert "make check" in lines
    assert lines[-1] == "ASLEEP_REQUIRE_KAFKA=1 make test"


def test_the_changelog_has_a_place_for_the_next_line() -> None:
    headings = re.findall(r"^## (.*)$", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert headings[0] == "[Unreleased]"
