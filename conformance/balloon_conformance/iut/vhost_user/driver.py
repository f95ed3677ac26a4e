"""A driver that speaks vhost-user, under test: the suite is the back-end, and listens.

Every negotiation takes a fresh connection: a driver whose connection was closed has been reset, and one that
connects again is a fresh driver. The user has to start the driver so that it connects again each time.

What vhost-user cannot show:

- **DRIVER_OK** and **FEATURES_OK** exist only with the protocol feature STATUS, which Linux does not have.
  Without it there is no DriverOk event, and buffers are taken as soon as a virtqueue is enabled. With it, the
  acts of a driver before DRIVER_OK are reported when it is set, in their order and with their notifications.
  A driver may fill its queues early without notifying (QUEUE-09), and the suite, which answers what is
  reported, may return nothing so early (QUEUE-10). There are front-ends that negotiate STATUS and never send
  DRIVER_OK: their drivers are served after a while, and the results say so. STATUS can be left out.
- **Until its virtqueues are enabled** a driver has to do nothing (:meth:`VhostUserDriver.is_setting_up`).
- **A refusal** of the device is seen if the driver sets FAILED, or hangs up before it accepts features.
- **A reset by the driver itself** is seen with STATUS or RESET_DEVICE, if it negotiates again on the same
  connection, or if it hangs up after it stopped every virtqueue.
- **Steering the guest** is out of reach.
"""

from __future__ import annotations

import select
import socket
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Final

from balloon_conformance.iut import sight
from balloon_conformance.iut.contract import (
    AdapterError,
    Capability,
    ImplementationCrashed,
    ImplementationHung,
    ImplementationViolation,
    PeerAbsent,
    Setup,
    Target,
)
from balloon_conformance.iut.sight import NotVisible
from balloon_conformance.iut.vhost_user.faults import peer_faults
from balloon_conformance.vhost_user.back_end import BackEnd
from balloon_conformance.vhost_user.backend_session import SERVED
from balloon_conformance.vhost_user.errors import PeerBroke, PeerClosed, PeerSilent, SocketError
from balloon_conformance.vhost_user.listening import Listening
from balloon_conformance.vhost_user.messages import ProtocolFeature, Request
from balloon_conformance.virtio import RingError
from balloon_spec.events import Event, GuestAction, Reset, RingBroken, Side
from balloon_spec.pages import PageSet

__all__ = ["VhostUserDriver", "driver_faults", "vhost_user_driver_target"]

_NO_FEATURE: Final = ProtocolFeature(0)
_NO_DRIVER_OK: Final = (
    "the front-end negotiated STATUS and did not send DRIVER_OK once its virtqueues were enabled; it was"
    " served without"
)
_SHORT: Final = 0.1
_NOT_NEGOTIATED: Final = "no driver is connected; call negotiate first"
_LATE_MESSAGES: Final = 64
"""How many waiting messages one observation serves at least, whatever its deadline."""
_SECOND_THOUGHT_SECONDS: Final = 0.5
"""How long a driver may take from accepting features to its next step, before these features count."""
_UNSERVED: Final = {
    26: "logging of dirty pages",
    30: "the protocol features of vhost-user",
    33: "access through an IOMMU",
    34: "packed virtqueues",
    38: "notifications with data",
}
"""Features of the ring and the transport that this adapter does not serve, by bit."""


@contextmanager
def driver_faults() -> Iterator[None]:
    """Turn a peer's failure, as :func:`peer_faults` does, and a broken ring into the driver's."""
    try:
        with peer_faults():
            yield
    except RingError as error:
        if error.queue is None:
            raise AssertionError("a ring that is served has an index") from error
        raise ImplementationViolation(
            f"the driver laid a broken ring ({error.fault}): {error}",
            RingBroken(Side.DRIVER, error.queue, error.fault, str(error)),
        ) from error


class VhostUserDriver:
    """A :class:`~balloon_conformance.iut.contract.DriverAdapter` to whatever connects to ``path``.

    ``connect_seconds`` is how long a driver may take to connect, ``negotiate_seconds`` to accept features
    after that, and ``answer_seconds`` to finish a message or take one. After accepting features it may be
    silent for ``ready_seconds`` before it enables its virtqueues and, if it can, says DRIVER_OK. ``without``
    are protocol features that are not offered to it.
    """

    capabilities = frozenset({Capability.RAW_FEATURES, Capability.GUEST_MEMORY})
    _kind = sight.Kind.VHOST_USER_DRIVER

    def __init__(
        self,
        path: str,
        *,
        connect_seconds: float = 10.0,
        negotiate_seconds: float = 10.0,
        answer_seconds: float = 5.0,
        ready_seconds: float = 3.0,
        without: ProtocolFeature = _NO_FEATURE,
    ) -> None:
        self.path = path
        self.description = f"vhost-user driver at {path}"
        self._connect_seconds = connect_seconds
        self._negotiate_seconds = negotiate_seconds
        self._answer_seconds = answer_seconds
        self._ready_seconds = ready_seconds
        self._protocol = SERVED & ~without
        self._lacks_driver_ok = False
        self._setup: Setup | None = None
        self._listening: Listening | None = None
        self._back_end: BackEnd | None = None
        self._ended = False
        self._is_ready = False
        """Whether the driver of this connection has been set up. It stays so."""
        self._fault: Exception | None = None
        self._shown: frozenset[str] = frozenset()

    @property
    def unseen(self) -> Mapping[sight.Fact, str]:
        """What the present or the last connection to the driver does not show."""
        if self._back_end is not None:
            self._shown = _shows(self._back_end)
        hidden = sight.unseen(self._kind, {*self._shown, *map(str, self.capabilities)})
        if self._back_end is not None and self._back_end.is_assumed:
            return {**hidden, sight.Fact.DRIVER_OK: _NO_DRIVER_OK}
        return hidden

    @property
    def service_notes(self) -> tuple[str, ...]:
        """What a reader of the results should know about how the driver was served."""
        return (_NO_DRIVER_OK,) if self._back_end is not None and self._back_end.is_assumed else ()

    @property
    def back_end(self) -> BackEnd:
        """The connection to the driver; :class:`AdapterError` before ``negotiate`` and after ``reset``."""
        if self._back_end is None:
            raise AdapterError(_NOT_NEGOTIATED)
        return self._back_end

    def start(self, setup: Setup) -> None:
        """Listen, and hang up on the driver of the case before."""
        self.reset()
        self._setup = setup
        if self._listening is None:
            try:
                self._listening = Listening(self.path)
            except SocketError as error:
                raise AdapterError(str(error)) from None

    def stop(self) -> None:
        """Hang up and stop listening."""
        self.reset()
        if self._listening is not None:
            self._listening.close()
            self._listening = None

    def reset(self) -> None:
        """Hang up: a driver that connects again begins anew."""
        self._ended = False
        self._fault = None
        if self._back_end is not None:
            self._back_end.close()
            self._back_end = None

    def negotiate(self, offered: int, configuration: bytes) -> int | None:
        """Await a driver, offer it features and return what it accepted; None if it refused the device."""
        for bit, meaning in _UNSERVED.items():
            if offered >> bit & 1:
                raise AdapterError(
                    f"feature bit {bit}, {meaning}, is not served here; leave it out of the offer"
                )
        if self._back_end is not None:
            raise AdapterError("a driver is connected already; call reset before it negotiates again")
        if self._setup is None:
            raise AdapterError("the adapter is not started; call start first")
        self._ended = self._is_ready = False
        self._back_end = BackEnd(
            self._await_driver(),
            self._setup.profile,
            offered,
            configuration,
            answer_seconds=self._answer_seconds,
            protocol=self._protocol,
        )
        return self._await_features(self._back_end)

    def is_setting_up(self) -> bool:
        """Tell whether the driver has not enabled virtqueues of its features yet, or not said DRIVER_OK.

        Until then it has to do nothing. Raises :class:`ImplementationHung` if it enables no virtqueue at all.
        """
        back_end = self._back_end
        if back_end is None or back_end.accepted is None or back_end.gave_up or self._is_ready:
            return False
        missing = back_end.missing
        if missing or back_end.getting_ready:
            # If one connection went without DRIVER_OK, the next is not waited for as long.
            short = self._lacks_driver_ok and not missing
            patience = self._ready_seconds * (_SHORT if short else 1)
            if time.monotonic() < back_end.heard_at + patience:
                return True
            if missing and not back_end.serving:
                raise ImplementationHung(
                    f"the driver accepted features and enabled no virtqueue within {patience:g} seconds"
                )
            if back_end.getting_ready:
                self._lacks_driver_ok = True
                back_end.assume_running()
        self._is_ready = True
        return False

    def queues_set_up(self) -> frozenset[int]:
        """Return the indices of the virtqueues that the driver set up and enabled."""
        return frozenset(() if self._back_end is None else self._back_end.serving)

    def observe(self, deadline_seconds: float) -> Sequence[Event]:
        """Return what the driver did since the last call."""
        if self._ended:
            return ()
        back_end = self.back_end
        until = time.monotonic() + deadline_seconds
        pumped = 0
        with driver_faults():
            if self._fault is not None:
                raise self._fault
            while True:
                try:
                    back_end.pump(until - time.monotonic())
                except PeerClosed:
                    back_end.settle()
                    return back_end.take_events() or self._hung_up(back_end)
                except (PeerBroke, PeerSilent, RingError) as error:
                    # What the driver did before its fault is reported first.
                    self._fault = error
                    if events := back_end.take_events():
                        return events
                    raise
                if not back_end.getting_ready and (events := back_end.take_events()):
                    return events
                pumped += 1
                # Messages sent before the deadline are served after it, up to a limit.
                if time.monotonic() >= until and (pumped >= _LATE_MESSAGES or not back_end.waiting):
                    if deadline_seconds > 0:
                        back_end.check_kicks()
                    return ()

    def look_again(self, queue: int, buffer: str) -> None:
        """Look at the pages of a buffer that is about to be returned."""
        if not self._ended:
            with driver_faults():
                self.back_end.look_again(queue, buffer)

    def use(self, queue: int, buffer: str, length_bytes: int, written: bytes) -> None:
        """Return a buffer to the driver; do nothing if the driver hung up or took the buffer back itself."""
        if self._ended:
            return
        try:
            with driver_faults():
                self.back_end.use(queue, buffer, length_bytes, written)
        except KeyError:
            raise AdapterError(
                f"buffer {buffer} is not in flight on queue {queue}; return each buffer once, on its queue"
            ) from None

    def read_memory(self, address: int, length_bytes: int) -> bytes:
        """Read the driver's memory."""
        with driver_faults():
            return self.back_end.guest_memory.read(address, length_bytes)

    def write_memory(self, address: int, data: bytes) -> None:
        """Write the driver's memory."""
        with driver_faults():
            self.back_end.guest_memory.write(address, data)

    def change_configuration(self, configuration: bytes) -> None:
        """Change the configuration space and notify the driver."""
        if self._ended:
            return
        back_end = self.back_end
        with driver_faults():
            self._await_channel(back_end)
            if not back_end.change_configuration(configuration):
                raise NotVisible(self.unseen[sight.Fact.CONFIGURATION_CHANGE])

    def steer(self, action: GuestAction, pages: PageSet) -> None:  # noqa: ARG002 - the contract's method
        """Refuse: vhost-user has no way to reach the guest."""
        raise AdapterError(f"the guest cannot be told to {action} through vhost-user; see the capabilities")

    def _await_driver(self) -> socket.socket:
        """Return the next connection whose other end is still open."""
        if self._listening is None:
            raise AdapterError("the adapter is not started; call start first")
        until = time.monotonic() + self._connect_seconds
        poll = select.poll()
        poll.register(self._listening.socket, select.POLLIN)
        while poll.poll(max(until - time.monotonic(), 0.0) * 1000):
            connection = self._listening.accept()
            if connection is None:
                continue
            if _was_closed(connection):
                # It waited in the queue here, and its driver ended before its turn.
                connection.close()
                continue
            return connection
        raise PeerAbsent(
            f"no driver connected to {self.path} within {self._connect_seconds:g} seconds; start it, and"
            " again each time its connection is closed"
        )

    def _await_features(self, back_end: BackEnd) -> int | None:
        """Serve the front-end until its driver has accepted features, or given up."""
        until = time.monotonic() + self._negotiate_seconds
        try:
            with driver_faults():
                while back_end.is_negotiating(_SECOND_THOUGHT_SECONDS):
                    left_seconds = until - time.monotonic()
                    if back_end.accepted is not None:
                        left_seconds = _SECOND_THOUGHT_SECONDS
                    elif left_seconds <= 0:
                        raise PeerSilent(_stuck(back_end, self._negotiate_seconds))
                    back_end.pump(left_seconds)
        except ImplementationCrashed:
            if back_end.accepted is not None:
                # It accepted features; that it hung up afterwards shows when it is observed.
                return back_end.conclude()
            if Request.GET_FEATURES not in back_end.session.heard:
                raise
            self.reset()
            return None
        return back_end.conclude()

    def _await_channel(self, back_end: BackEnd) -> None:
        """Serve the front-end until it gave its request channel, or has nothing more to say.

        It may give the channel at any time, so waiting messages are served first. As long as it sets up its
        driver, its next messages are awaited.
        """
        until = time.monotonic() + self._ready_seconds
        served = 0
        while not back_end.has_channel:
            left_seconds = until - time.monotonic()
            sets_up = bool(back_end.missing) and back_end.may_give_channel and left_seconds > 0
            if not sets_up and (served >= _LATE_MESSAGES or not back_end.waiting):
                return
            back_end.pump(left_seconds if sets_up else 0)
            served += 1

    def _hung_up(self, back_end: BackEnd) -> Sequence[Event]:
        """Treat the end of the connection as a reset if the driver had stopped every virtqueue before."""
        if serving := back_end.serving:
            queues = ", ".join(map(str, serving))
            raise PeerClosed(f"the driver closed its connection with virtqueues {queues} in use")
        self.reset()
        self._ended = True
        return (Reset(),)


def vhost_user_driver_target(
    path: str, *, without: ProtocolFeature = _NO_FEATURE, **seconds: float
) -> Target:
    """Return the target of the driver that connects to ``path``; the rest as for :class:`VhostUserDriver`."""
    return Target(
        f"vhost-user-driver:{path}",
        Side.DRIVER,
        lambda: VhostUserDriver(path, without=without, **seconds),
        one_at_a_time=True,
    )


def _shows(back_end: BackEnd) -> frozenset[str]:
    """Return the features in effect, under the names in :mod:`~balloon_conformance.iut.sight`."""
    names = sight.names_of(back_end.session.protocol_features)
    if not back_end.has_channel:
        # A negotiated channel need not be given: the front-end may keep it.
        names -= {str(ProtocolFeature.BACKEND_REQ.name)}
    return names | {sight.KICKS} if back_end.gives_kicks else names


def _was_closed(connection: socket.socket) -> bool:
    """Tell whether the other end of a fresh connection was closed without sending anything."""
    connection.setblocking(False)
    try:
        return not connection.recv(1, socket.MSG_PEEK)
    except BlockingIOError:
        return False
    except OSError:
        return True
    finally:
        connection.setblocking(True)


def _stuck(back_end: BackEnd, seconds: float) -> str:
    heard = [request.name for request in Request if request in back_end.session.heard]
    said = f"it sent {', '.join(heard)}" if heard else "it sent nothing"
    return f"the driver connected and did not accept features within {seconds:g} seconds; {said}"
