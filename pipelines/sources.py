"""What a build reads: the offsets that have landed and are not in the warehouse yet, and the users file."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

from ingest.parquet_files import write_empty
from ingest.raw_store import open_store
from ingest.records import Topic
from ingest.settings import Settings
from pipelines.database import BuildError
from pipelines.landing_proof import proof_path, write_no_proof
from pipelines.loading import NewFile


def source_parameters(settings: Settings, files: Sequence[NewFile]) -> dict[str, object]:
    """The parameters of the staging models: which files they read.

    Each list starts with a file without rows, so that none is ever empty. Raises BuildError for a users file
    of which no rows can be made.
    """
    scratch = settings.warehouse_dir / "empty"
    scratch.mkdir(exist_ok=True)
    no_events, no_users = scratch / "events.parquet", scratch / "users.csv"
    no_proof, proof = scratch / "proof.parquet", proof_path(settings)
    write_no_proof(no_proof)
    write_empty(no_events)
    no_users.write_text("user_id,birth_year,gender,timezone,signup_date\n", encoding="utf-8")
    users_files = [str(no_users)]
    if settings.users_path is not None:
        _prove_users_file(settings.users_path)
        users_files.append(str(settings.users_path))
    raw = open_store(settings).url
    paths = {
        topic: [str(no_events), *(f"{raw}/{new.file.name}" for new in files if new.file.topic == topic)]
        for topic in Topic
    }
    return {
        "raw_dir": raw,
        "event_files": paths[Topic.EVENTS],
        "attempt_files": paths[Topic.ATTEMPTS],
        "users_files": users_files,
        "proof_files": [str(path) for path in (no_proof, proof) if path.exists()],
    }


def _prove_users_file(path: Path) -> None:
    """Raise BuildError for a users file of which no rows can be made; odd values in it are no reason."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file, strict=True)
            header = next(reader, [])
            for _ in reader:
                pass
    except FileNotFoundError as error:
        raise BuildError(f"ASLEEP_USERS_FILE: there is no file {path}") from error
    except UnicodeDecodeError as error:
        raise BuildError(f"ASLEEP_USERS_FILE: {path} is not UTF-8: {error}; save it as UTF-8") from error
    except csv.Error as error:
        raise BuildError(f"ASLEEP_USERS_FILE: {path}, line {reader.line_num}: {error}") from error
    if "user_id" not in map(str.lower, header):
        raise BuildError(
            f"ASLEEP_USERS_FILE: {path} has no column user_id, only {', '.join(header) or 'an empty line'}"
        )
