"""An orderly end on SIGTERM: running work is interrupted, results are written, nothing is left behind."""

from __future__ import annotations

import signal
from types import FrameType, TracebackType
from typing import Self

import click

__all__ = ["TERMINATED", "Termination"]

TERMINATED = 128 + signal.SIGTERM
"""The exit code of a command that SIGTERM ended, as a shell reports it."""


class Termination:
    """While it is entered, SIGTERM interrupts the main thread as Ctrl-C does, and sets ``came``.

    That happens once, so cleaning up is not interrupted again. If SIGTERM ended the block and it has nothing
    to report, the process exits with :data:`TERMINATED`.
    """

    def __init__(self) -> None:
        self.came = False

    def __enter__(self) -> Self:
        self._before = signal.signal(signal.SIGTERM, self._interrupt)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        signal.signal(signal.SIGTERM, self._before)
        if self.came and isinstance(error, KeyboardInterrupt):
            raise click.exceptions.Exit(TERMINATED) from None

    def _interrupt(self, number: int, frame: FrameType | None) -> None:
        del number, frame
        if not self.came:
            self.came = True
            raise KeyboardInterrupt
