"""Numbers on the command line that click takes as they come, and a command cannot."""

from __future__ import annotations

import math
from typing import Any, Final

import click

__all__ = ["MOST_PROCESSES", "MOST_SECONDS", "Seconds"]

MOST_SECONDS: Final = 86_400
"""A day: longer waits nobody means, and no system call takes all of them."""

MOST_PROCESSES: Final = 256
"""More than any machine that judges a balloon has processors; a slip of the hand would start as many."""


class Seconds(click.ParamType[float]):
    """A time to wait: more than 0 and at most a day."""

    name = "seconds"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Read the number; a value that is none, or is not finite, is bad usage."""
        try:
            seconds = float(value)
        except ValueError:
            seconds = math.nan
        if not 0 < seconds <= MOST_SECONDS:
            self.fail(
                f"{value!r} is no time to wait; give seconds, above 0 and up to {MOST_SECONDS}", param, ctx
            )
        return seconds
