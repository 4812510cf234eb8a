"""The home of our Dagster instance: a folder of the data directory, set up as dagster.yaml says."""

from __future__ import annotations

import json
import re
from pathlib import Path
from tempfile import NamedTemporaryFile

from ingest.settings import Settings

INSTANCE_FILE = Path(__file__).resolve().parent.parent / "dagster.yaml"

_OUR_FOLDER = re.compile(r"(base_dir:) data/dagster(\S*)")


def dagster_home(settings: Settings) -> Path:
    """The folder to name in DAGSTER_HOME, from wherever a process starts.

    Holds a copy of the project's dagster.yaml whose relative paths are absolute ones below the effective data
    directory. Several processes may ask at once.
    """
    home = (settings.data_dir / "dagster").absolute()
    home.mkdir(parents=True, exist_ok=True)
    ours = INSTANCE_FILE.read_text(encoding="utf-8")
    text = _OUR_FOLDER.sub(lambda match: f"{match[1]} {json.dumps(f'{home}{match[2]}')}", ours)
    with NamedTemporaryFile("w", dir=home, encoding="utf-8", delete=False) as file:
        file.write(text)
    Path(file.name).replace(home / INSTANCE_FILE.name)
    return home
