"""The error of an implementation under test that cannot be had as named."""

from __future__ import annotations

__all__ = ["IutError"]


class IutError(ValueError):
    """An implementation that is not to be had as named: one line that says what is wrong and the remedy."""
