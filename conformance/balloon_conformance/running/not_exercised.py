"""What ends a case that says nothing about the implementation, or nothing more."""

from __future__ import annotations

__all__ = ["NotExercised"]


class NotExercised(Exception):  # noqa: N818 - the case says nothing about the implementation
    """The case, or the rest of it, cannot be played against this implementation; says why."""
