"""Quantities that settings are given in."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

Seconds = Annotated[float, Field(allow_inf_nan=False, le=24 * 60 * 60)]
"""A length of time in seconds, a day at most."""

Days = Annotated[int, Field(ge=1, le=36_500)]
"""A length of time in whole days, a hundred years at most."""
