"""Translates the failures of a vhost-user peer into the errors of an adapter's contract."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from balloon_conformance.iut.contract import (
    ImplementationCrashed,
    ImplementationHung,
    ImplementationViolation,
)
from balloon_conformance.vhost_user.errors import PeerBroke, PeerClosed, PeerSilent

__all__ = ["peer_faults"]


@contextmanager
def peer_faults() -> Iterator[None]:
    """Turn a peer's failure into the implementation's: closed is crashed, silent is hung, else violation."""
    try:
        yield
    except PeerClosed as error:
        raise ImplementationCrashed(str(error)) from error
    except PeerSilent as error:
        raise ImplementationHung(str(error)) from error
    except PeerBroke as error:
        raise ImplementationViolation(str(error)) from error
