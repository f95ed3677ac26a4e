"""The error of a server that cannot do its work."""

from __future__ import annotations

__all__ = ["ServeError"]


class ServeError(Exception):
    """What keeps a server from serving: one line that names the place and the remedy."""
