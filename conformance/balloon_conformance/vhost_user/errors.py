"""How a peer at the other end of a vhost-user connection fails: it closes, is silent, or breaks a rule."""

from __future__ import annotations

__all__ = ["PeerBroke", "PeerClosed", "PeerError", "PeerSilent", "SocketError"]


class PeerError(Exception):
    """What the peer did, in one line."""


class PeerClosed(PeerError):  # noqa: N818 - says what the peer did
    """The peer closed the connection; ``unheard`` says that it had never sent anything."""

    unheard = False


class PeerSilent(PeerError):  # noqa: N818 - says what the peer did
    """The peer did not do in time what it had to do."""


class PeerBroke(PeerError):  # noqa: N818 - says what the peer did
    """The peer broke a rule of vhost-user: it sent no valid message, or one that must not come now."""


class SocketError(Exception):
    """Nobody can listen on this socket: one line with the place and the remedy."""
