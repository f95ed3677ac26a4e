"""What a server says of peers that misbehave: one line each, and not without end. To leave is none of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from balloon_conformance.vhost_user.errors import PeerClosed

__all__ = ["Complaints"]

_LIMIT: Final = 100


class Complaints:
    """Says why connections ended, the first hundred times; a peer shall not fill a log, or a pipe."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say
        self._said = 0

    def __call__(self, error: Exception) -> None:
        """Say that a connection ended so."""
        if isinstance(error, PeerClosed):
            return
        self._said += 1
        if self._said <= _LIMIT:
            self._say(f"connection ended: {error}")
        if self._said == _LIMIT:
            self._say("of further connections that end so nothing is said")
