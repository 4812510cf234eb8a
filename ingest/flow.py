"""When a connection is read on: not while calls that were read wait for their turn."""

from __future__ import annotations

import asyncio
from collections.abc import Sized

from uvicorn.protocols.http.flow_control import FlowControl


class PatientFlow(FlowControl):
    """uvicorn's flow control, which reads on only when no call waits, so that no more of them come meanwhile.

    As it is, uvicorn reads on whenever a call asks for its body, or is answered, however many wait.
    """

    def __init__(self, transport: asyncio.Transport, waiting_calls: Sized) -> None:
        super().__init__(transport)
        self._waiting_calls = waiting_calls

    def resume_reading(self) -> None:
        """Read on, if no call waits; the one whose turn comes last asks again."""
        if not self._waiting_calls:
            super().resume_reading()
