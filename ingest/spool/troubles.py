"""What is wrong with which spool now: kept for the operator, logged once when it begins."""

from __future__ import annotations

import logging
from pathlib import Path

from ingest.telemetry import log_event

_log = logging.getLogger(__name__)


class Troubles:
    """One sentence per path, until it is over."""

    def __init__(self) -> None:
        self._texts: dict[Path, str] = {}

    def tell(self, path: Path, problem: object) -> None:
        """Note what is wrong with the spool at `path` (or with the folder of all spools)."""
        text = str(problem)
        if self._texts.get(path) != text:
            self._texts[path] = text
            log_event(_log, logging.ERROR, "spool in trouble", spool=str(path), error=text)

    def expect(self, path: Path, text: str) -> None:
        """Note what is not well yet, and no fault."""
        self._texts[path] = text

    def over(self, path: Path) -> None:
        """Note that this one is well again, or gone."""
        self._texts.pop(path, None)

    def texts(self) -> list[str]:
        """All that is wrong now."""
        return list(self._texts.values())
