"""How a peer at the other end of a vhost-user connection fails: by going, by silence, by breaking a rule."""

from __future__ import annotations

__all__ = ["PeerBroke", "PeerClosed", "PeerError", "PeerSilent", "SocketError"]


class PeerError(Exception):
    """What the peer did, in one line."""


class PeerClosed(PeerError):  # noqa: N818 - says what the peer did
    """The peer closed the connection; ``unheard`` says that nothing had come through it before."""

    unheard = False


class PeerSilent(PeerError):  # noqa: N818 - says what the peer did
    """The peer did not do in time what it owed."""


class PeerBroke(PeerError):  # noqa: N818 - says what the peer did
    """The peer broke a rule of vhost-user: a message that is none, or one out of its turn."""


class SocketError(Exception):
    """A socket on which nobody can listen: one line that names the place and the remedy."""
