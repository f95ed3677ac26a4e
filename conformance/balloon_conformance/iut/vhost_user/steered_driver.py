"""A vhost-user driver whose guest takes requests over a control socket.

The socket is this project's own extension; ``balloon-conformance serve reference-driver`` has it.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Final

from balloon_conformance.iut.contract import Capability, Target
from balloon_conformance.iut.vhost_user.control_client import ControlClient
from balloon_conformance.iut.vhost_user.driver import VhostUserDriver, driver_faults
from balloon_conformance.vhost_user.messages import ProtocolFeature
from balloon_spec.events import Event, GuestAction, Side
from balloon_spec.pages import PageSet

__all__ = ["SteeredVhostUserDriver", "steered_driver_target"]

_NO_FEATURE: Final = ProtocolFeature(0)
_LOOK_SECONDS: Final = 0.001
_READY_LOOK_SECONDS: Final = 0.05


class SteeredVhostUserDriver(VhostUserDriver):
    """The driver that connects to ``path``, with its guest behind the control socket at ``control``."""

    capabilities = VhostUserDriver.capabilities | {Capability.STEER_PAGES}

    def __init__(
        self,
        path: str,
        control: str,
        *,
        connect_seconds: float = 10.0,
        negotiate_seconds: float = 10.0,
        answer_seconds: float = 5.0,
        without: ProtocolFeature = _NO_FEATURE,
    ) -> None:
        super().__init__(
            path,
            connect_seconds=connect_seconds,
            negotiate_seconds=negotiate_seconds,
            answer_seconds=answer_seconds,
            without=without,
        )
        self.description = f"vhost-user driver at {path}, steered through {control}"
        self._steer_seconds = answer_seconds
        self._control = ControlClient(control, answer_seconds)
        self._seen: list[Event] = []

    def reset(self) -> None:
        """Hang up: a driver that connects again begins anew."""
        self._seen.clear()
        super().reset()

    def negotiate(self, offered: int, configuration: bytes) -> int | None:
        """Offer features. If the driver can say that it is ready, return only when it is.

        Its guest receives requests from here on, and a driver that is not ready may ignore them.
        """
        accepted = super().negotiate(offered, configuration)
        if accepted is None:
            return None
        until = time.monotonic() + self._steer_seconds
        with driver_faults():
            while self.is_setting_up() and time.monotonic() < until:
                self.back_end.pump(_READY_LOOK_SECONDS)
        self._seen += self.back_end.take_events()
        return accepted

    def observe(self, deadline_seconds: float) -> Sequence[Event]:
        """Return what the driver did since the last call, also while its guest took a request."""
        seen, self._seen = self._seen, []
        return [*seen, *super().observe(0.0 if seen else deadline_seconds)]

    def stop(self) -> None:
        """Hang up on both sockets, and stop listening."""
        super().stop()
        self._control.close()

    def steer(self, action: GuestAction, pages: PageSet) -> None:
        """Send a request to the guest, and serve its driver until the request was carried out."""
        self._control.ask(guest=action, pages=pages.texts())
        until = time.monotonic() + self._steer_seconds
        # The driver may wait for a reply of this back-end before it listens to its guest.
        while not self._control.answered(0.0):
            if time.monotonic() > until:
                raise self._control.silence()
            with driver_faults():
                self.back_end.pump(_LOOK_SECONDS)
                self._seen += self.back_end.take_events()


def steered_driver_target(path: str, control: str, *, without: ProtocolFeature = _NO_FEATURE) -> Target:
    """Return the target of the driver that connects to ``path`` and whose guest listens at ``control``."""
    return Target(
        f"vhost-user-driver:{path}",
        Side.DRIVER,
        lambda: SteeredVhostUserDriver(path, control, without=without),
        one_at_a_time=True,
    )
