"""Exceptions that an adapter raises and its contract does not know: they are defects of the adapter.

Every call of an adapter passes through :func:`call_adapter`, so that an exception which comes out of a case
in any other way is a defect of the suite.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, TypeVar

from balloon_conformance.iut.contract import (
    AdapterError,
    ImplementationCrashed,
    ImplementationHung,
    ImplementationViolation,
)
from balloon_conformance.iut.sight import NotVisible

__all__ = ["AdapterDefect", "call_adapter", "defect_of", "one_line"]

_T = TypeVar("_T")

_OF_THE_CONTRACT: Final = (
    AdapterError,
    ImplementationCrashed,
    ImplementationHung,
    ImplementationViolation,
    NotVisible,
)
"""What an adapter may raise."""


class AdapterDefect(AdapterError):  # noqa: N818 - says whose it is
    """An adapter raised what its contract does not know, or lacks a method of it."""


def call_adapter(action: Callable[[], _T]) -> _T:
    """Return what ``action`` does with an adapter; raises :class:`AdapterDefect` for an unknown exception.

    What the contract lets an adapter raise is passed on.
    """
    try:
        return action()
    except _OF_THE_CONTRACT:
        raise
    except (Exception, SystemExit) as error:
        raise AdapterDefect(defect_of("adapter", error)) from error


def defect_of(name: str, error: BaseException) -> str:
    """Say in one line that an exception is a defect of the adapter or of the suite, as ``name`` says."""
    return f"the {name} raised {type(error).__name__}: {one_line(error)}; this is a defect of the {name}"


def one_line(error: BaseException) -> str:
    """Return what an exception says, in one line."""
    return " ".join(str(error).split())
