"""Numbers on the command line that click accepts and a command does not."""

from __future__ import annotations

import math
from typing import Any, Final

import click

__all__ = ["MOST_PROCESSES", "MOST_SECONDS", "Seconds"]

MOST_SECONDS: Final = 86_400
"""One day. Nobody means to wait longer, and not every system call accepts more."""

MOST_PROCESSES: Final = 256
"""More processors than any machine that judges a balloon has. A typing error must not start more."""


class Seconds(click.ParamType[float]):
    """A time to wait: more than 0 and at most a day."""

    name = "seconds"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Read the number; a value that is not a number, or is not finite, is bad usage."""
        try:
            seconds = float(value)
        except ValueError:
            seconds = math.nan
        if not 0 < seconds <= MOST_SECONDS:
            self.fail(
                f"{value!r} is no time to wait; give seconds, above 0 and up to {MOST_SECONDS}", param, ctx
            )
        return seconds
