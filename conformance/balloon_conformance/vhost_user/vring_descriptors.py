"""The descriptors through which the two ends of each vring signal each other.

The driver notifies through a vring's *kick*, the device through its *call*, and *error* is for a vring that
broke. A front-end may replace each at any time, give none, or leave one behind that is of no use.
"""

from __future__ import annotations

import os
from collections.abc import Mapping

from balloon_conformance.vhost_user.connection import close_descriptors
from balloon_conformance.vhost_user.errors import PeerBroke
from balloon_conformance.vhost_user.signals import listen_to, notify

__all__ = ["VringDescriptors"]


class VringDescriptors:
    """The descriptors of every vring of one connection, by the vring's index; owns each that it keeps."""

    def __init__(self) -> None:
        self._kicks: dict[int, int] = {}
        self._calls: dict[int, int] = {}
        self._errors: dict[int, int] = {}
        self._early: set[int] = set()
        self._without_kick: set[int] = set()
        self.dead: set[int] = set()
        """The vrings whose kick descriptor was at its end when it was read."""

    @property
    def kicks(self) -> Mapping[int, int]:
        """The kick descriptors."""
        return self._kicks

    @property
    def all_have_kicks(self) -> bool:
        """Whether no vring was given without a kick descriptor."""
        return not self._without_kick

    def has_no_kick(self, index: int) -> bool:
        """Tell whether the vring was given without a kick descriptor."""
        return index in self._without_kick

    def keep_kick(self, index: int, descriptor: int | None) -> None:
        """Keep a kick descriptor, or that there is none; close the one it replaces."""
        _keep(self._kicks, index, descriptor)
        self.dead.discard(index)
        if descriptor is None:
            self._without_kick.add(index)
        else:
            self._without_kick.discard(index)

    def keep_call(self, index: int, descriptor: int | None) -> None:
        """Keep a call descriptor, or that there is none; close the one it replaces."""
        _keep(self._calls, index, descriptor)

    def keep_error(self, index: int, descriptor: int | None) -> None:
        """Keep an error descriptor, or that there is none; close the one it replaces."""
        _keep(self._errors, index, descriptor)

    def hear(self, index: int) -> bool:
        """Read the notifications of a kick descriptor that is ready; return whether there were any.

        If the descriptor is at its end it is closed, and the vring is ``dead``. Raises :class:`PeerBroke` if
        it cannot be read.
        """
        try:
            alive = listen_to(self._kicks[index])
        except OSError as error:
            raise PeerBroke(
                f"the kick descriptor of vring {index} cannot be read: {error.strerror}"
            ) from None
        if not alive:
            close_descriptors([self._kicks.pop(index)])
            self.dead.add(index)
        return alive

    def remember_early(self, index: int) -> None:
        """Remember that a vring was notified of before it was started."""
        self._early.add(index)

    def take_early(self, index: int) -> bool:
        """Tell whether a vring was notified of before it was started, and forget it."""
        was_early = index in self._early
        self._early.discard(index)
        return was_early

    def call(self, index: int) -> None:
        """Notify the driver of a vring, if it gave a call descriptor; :class:`PeerBroke` if that fails."""
        if index not in self._calls:
            return
        try:
            notify(self._calls[index])
        except OSError as error:
            raise PeerBroke(
                f"the call descriptor of vring {index} cannot be written: {error.strerror}"
            ) from None

    def forget(self, index: int) -> None:
        """Close the descriptors of a vring that stopped."""
        for table in (self._kicks, self._calls, self._errors):
            _keep(table, index, None)
        for marked in (self._without_kick, self.dead, self._early):
            marked.discard(index)

    def close(self) -> None:
        """Close every descriptor; harmless if called twice."""
        for table in (self._kicks, self._calls, self._errors):
            close_descriptors(table.values())
            table.clear()


def _keep(table: dict[int, int], index: int, descriptor: int | None) -> None:
    close_descriptors([table.pop(index)] if index in table else ())
    if descriptor is not None:
        # A peer may read its own notifications away; this process must not block on them then.
        os.set_blocking(descriptor, False)
        table[index] = descriptor
