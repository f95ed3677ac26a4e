"""The error of a name that gives no implementation under test."""

from __future__ import annotations

__all__ = ["IutError"]


class IutError(ValueError):
    """The name gives no implementation under test: one line with the reason and the remedy."""
