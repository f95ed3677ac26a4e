"""The error every command ends with when something is wrong with what it was given."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import click

__all__ = ["AdapterFault", "BadInput", "bad_input"]


class BadInput(click.ClickException):
    """One line that names the place and the remedy; exit code 2."""

    exit_code = 2


class AdapterFault(click.ClickException):
    """One line that says what the adapter of an implementation does wrong; exit code 3."""

    exit_code = 3


@contextmanager
def bad_input(*kinds: type[Exception]) -> Iterator[None]:
    """Turn errors of these kinds, which say one line, into :class:`BadInput`."""
    try:
        yield
    except kinds as error:
        raise BadInput(" ".join(str(error).split())) from error
