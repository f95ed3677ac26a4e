"""The error of a server that cannot do its work."""

from __future__ import annotations

__all__ = ["ServeError"]


class ServeError(Exception):
    """Why a server cannot do its work: one line with the place and the remedy."""
