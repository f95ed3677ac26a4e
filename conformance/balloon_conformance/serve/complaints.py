"""Logs why connections ended, in at most 100 lines. A plain disconnect is not logged."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from balloon_conformance.vhost_user.errors import PeerClosed

__all__ = ["Complaints"]

_LIMIT: Final = 100


class Complaints:
    """Logs why connections ended, so that no peer can fill a log or a pipe."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say
        self._said = 0

    def __call__(self, error: Exception) -> None:
        """Log the error that ended a connection, unless the peer only disconnected."""
        if isinstance(error, PeerClosed):
            return
        self._said += 1
        if self._said <= _LIMIT:
            self._say(f"connection ended: {error}")
        if self._said == _LIMIT:
            self._say("of further connections that end so nothing is said")
