"""The errors that end a command, one line each: bad input, a faulty adapter, a process that was killed."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import BrokenExecutor
from contextlib import contextmanager

import click

__all__ = ["AdapterFault", "BadInput", "bad_input", "process_lost"]


class BadInput(click.ClickException):
    """One line with the place and the remedy; exit code 2."""

    exit_code = 2


class AdapterFault(click.ClickException):
    """One line that says what the adapter of an implementation does wrong; exit code 3."""

    exit_code = 3


@contextmanager
def bad_input(*kinds: type[Exception]) -> Iterator[None]:
    """Turn errors of these kinds, whose text is one line, into :class:`BadInput`."""
    try:
        yield
    except kinds as error:
        raise BadInput(" ".join(str(error).split())) from error


class _ProcessLost(click.ClickException):
    """A process that did part of the work ended early. The suite is at fault, so the exit code is 3."""

    exit_code = 3


@contextmanager
def process_lost() -> Iterator[None]:
    """Report in one line that a process of a pool was killed."""
    try:
        yield
    except BrokenExecutor as error:
        text = "a process that did part of the work was killed; give -n a smaller number, or free memory"
        raise _ProcessLost(text) from error
