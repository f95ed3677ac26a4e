"""A device behind a vhost-user socket, under test: the suite is the front-end, and owns guest memory.

The back-end listens, and the suite connects anew for every case. Real split virtqueues are in shared memory;
discarded pages are found there without touching them.

What vhost-user cannot show:

- **FEATURES_OK** exists only with the protocol feature STATUS. Without it, an acknowledgement of SET_FEATURES
  other than 0 (with REPLY_ACK) counts as the device's refusal. So does the end of the connection, before or
  after such an acknowledgement, if the back-end listens again. An acknowledgement of 0 is ambiguous, so it
  decides nothing about an illegal set. A back-end with neither lacks :attr:`Capability.RAW_FEATURES`.
- **A reset** is a message with STATUS or RESET_DEVICE; without them the connection is closed and made again.
- **Before DRIVER_OK** the device has no virtqueue: as with other front-ends, the queues are handed over when
  the driver is ready. A buffer that was made available earlier is in the ring by then. Each queue is notified
  once when it is handed over, because a vhost-user ring starts with its first notification.
- **DEVICE_NEEDS_RESET** can be seen only with STATUS.
- **The operator** is out of reach. With a control socket, an extension of this project that
  ``balloon-conformance serve`` has, the suite is the operator.
"""

from __future__ import annotations

import errno
import select
import socket
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from balloon_conformance.iut import sight
from balloon_conformance.iut.contract import (
    AdapterError,
    Buffer,
    Capability,
    ImplementationCrashed,
    ImplementationHung,
    ImplementationViolation,
    PeerAbsent,
    PeerLeft,
    Setup,
    Target,
    operator_capability,
)
from balloon_conformance.iut.lent_buffers import LentBuffers
from balloon_conformance.iut.notifications import Notifications
from balloon_conformance.iut.numbering_hint import hint
from balloon_conformance.iut.ring_breach import RingBreach
from balloon_conformance.iut.vhost_user.control_client import ControlClient
from balloon_conformance.iut.vhost_user.faults import peer_faults
from balloon_conformance.iut.vhost_user.front_end_memory import (
    RINGS_ADDRESS,
    RINGS_BYTES,
    FrontEndMemory,
    user_address,
)
from balloon_conformance.vhost_user.errors import PeerClosed
from balloon_conformance.vhost_user.front_end import Activity, FrontEnd
from balloon_conformance.vhost_user.frontend_session import WANTED
from balloon_conformance.vhost_user.messages import ProtocolFeature
from balloon_conformance.virtio import RingLayout
from balloon_spec.events import ConfigurationChanged, Event, NeedsReset, OperatorAction, Overwritten, Side
from balloon_spec.pages import EMPTY, PageSet
from balloon_spec.profiles import Profile
from balloon_spec.segments import Range

__all__ = ["VhostUserDevice", "VhostUserOptions", "connect", "vhost_user_device_target"]

_OPERATOR: Final = frozenset(map(operator_capability, OperatorAction))
_FAULTS: Final = (ImplementationCrashed, ImplementationHung, ImplementationViolation)
_PAUSE_SECONDS: Final = 0.01
_LONG_PAUSE_SECONDS: Final = 0.04
"""How often the rings are read while the device is silent: the longer it is silent, the more rarely."""


@dataclass(frozen=True, slots=True)
class VhostUserOptions:
    """How to reach a back-end, and how to treat it.

    ``socket`` is the path at which it listens, ``control`` that of its control socket, empty if it has none.
    ``ring_size`` is the number of descriptors of each queue, a power of 2. ``answer_seconds`` bounds every
    message and reply, and the time until the back-end listens, for the first time or again. ``without`` are
    protocol features that are not accepted.
    """

    socket: str
    control: str = ""
    ring_size: int = 256
    answer_seconds: float = 5.0
    without: ProtocolFeature = ProtocolFeature(0)  # noqa: RUF009 - a frozen value


class VhostUserDevice:
    """A :class:`~balloon_conformance.iut.contract.DeviceAdapter` to a vhost-user back-end."""

    def __init__(self, options: VhostUserOptions) -> None:
        self._options = options
        self._control = ControlClient(options.control, options.answer_seconds) if options.control else None
        self._profile: Profile | None = None
        self._memory: FrontEndMemory | None = None
        self._front_end: FrontEnd | None = None
        self._lent: LentBuffers | None = None
        self._notifications = Notifications()
        self._layouts: dict[int, RingLayout] = {}
        self._started = False
        self._offered = self._accepted = 0
        self._configuration = b""
        self._needs_reset = False
        self._described: tuple[str, bool] | None = None
        self._protocol: frozenset[str] = frozenset()

    @property
    def capabilities(self) -> frozenset[Capability]:
        """What can be done, as far as the back-end's protocol features tell. The back-end is asked once."""
        capabilities = {
            Capability.DISCARDS,
            Capability.DESCRIPTORS,
            Capability.ADDRESSES,
            Capability.BROKEN_RINGS,
            Capability.RAW_FEATURES,
            Capability.MEMORY_HOLES,
            Capability.WRITE_PAGES,
        }
        try:
            # Nobody waits here. A back-end that is slow to listen is waited for at the start of a case.
            _, shows_refusal = self._described or self._look(0.0)
        except (AdapterError, *_FAULTS):
            # Nobody answers. The error is reported at the start of a case, which needs the back-end.
            shows_refusal = True
        if not shows_refusal:
            capabilities.remove(Capability.RAW_FEATURES)
        return frozenset(capabilities) | (_OPERATOR if self._control is not None else frozenset())

    @property
    def unseen(self) -> Mapping[sight.Fact, str]:
        """What the protocol features of the present or the last connection do not show."""
        shown = self._protocol
        if self._front_end is not None and not self._front_end.has_channel:
            # A back-end may close its channel although the feature was negotiated.
            shown -= {str(ProtocolFeature.BACKEND_REQ.name)}
        return sight.unseen(sight.Kind.VHOST_USER_DEVICE, shown)

    @property
    def description(self) -> str:
        """The socket, and the protocol features on which the back-end and the suite agree."""
        try:
            words, _ = self._described or self._look(self._options.answer_seconds)
        except _FAULTS as error:
            raise AdapterError(f"{self._options.socket}: {error}; is this a vhost-user back-end?") from error
        return words

    @property
    def memory(self) -> PageSet:
        """The pages of guest RAM. All of them may be named."""
        return self._memory.ram.nameable if self._memory else EMPTY

    def start(self, setup: Setup) -> None:
        """Connect anew, with fresh memory and, if it can be set, a target of 0."""
        self._profile = setup.profile
        try:
            self._begin(setup)
        except BaseException:
            # Keep nothing of a back-end that failed here. The next case meets another one, or none.
            self.stop()
            raise

    def stop(self) -> None:
        """Hang up and give the memory back."""
        if self._front_end is not None:
            self._front_end.close()
            self._front_end = None
        self._forget()
        self._free_memory()
        if self._control is not None:
            self._control.close()

    def reset(self) -> None:
        """Reset the device, by a message if the back-end has one, otherwise by a new connection."""
        front_end = self._connected()
        with peer_faults():
            self._stop_queues(front_end)
            again = front_end.reset()
        self._forget()
        if not again:
            front_end.close()
            self._front_end = None
            self._front_end = self._connect()

    def offered(self) -> int:
        """Return the feature bits the device offers."""
        with peer_faults():
            self._offered = self._connected().ask_offered()
        return self._offered

    def accept(self, features: int) -> bool:
        """Write the accepted features; return whether the device took them, True if that cannot be seen."""
        self._accepted = features
        front_end = self._connected()
        with peer_faults():
            try:
                return front_end.accept(features)
            except PeerClosed:
                if front_end.has(ProtocolFeature.STATUS):
                    raise
        # Without STATUS a back-end can refuse in no other way. One that has left for good does not come back.
        front_end.close()
        self._front_end = None
        self._front_end = self._connect()
        return False

    def ring_sizes(self) -> tuple[tuple[int, int], ...]:
        """Return (queue index, descriptors) of the queues that were set up."""
        return () if self._lent is None else self._lent.ring_sizes

    def prepare(self) -> None:
        """Lay the queues of the accepted features into memory, at their indices (QUEUE-01)."""
        front_end = self._connected()
        if self._memory is None or self._profile is None:
            raise AssertionError("a connected adapter has both")
        names = self._profile.names(self._accepted)
        indices = list(self._profile.queue_map(self._offered, self._accepted))
        if absent := self.absent_queues(indices):
            raise AdapterError(
                f"the back-end has {front_end.queue_limit} queues and accepted features that need"
                f" {max(absent) + 1}; does it give the bits the meaning of profile {self._profile.name}?"
                + hint(self.absent_queues, self._profile, self._offered, self._accepted)
            )
        self._lent = LentBuffers(
            self._memory.rings,
            RINGS_ADDRESS,
            RINGS_BYTES,
            ram=self._memory.ram,
            event_index="EVENT_IDX" in names,
            indirect="INDIRECT_DESC" in names,
        )
        for index in indices:
            self._layouts[index] = self._lent.set_up(index, self._options.ring_size)
            front_end.make_kickable(index)

    def absent_queues(self, indices: Collection[int]) -> frozenset[int]:
        """Return those of the indices that are above the number of queues that the back-end tells."""
        limit = self._connected().queue_limit
        return frozenset(() if limit is None else (index for index in indices if index >= limit))

    def driver_ok(self) -> None:
        """Hand over memory and queues, and set DRIVER_OK."""
        front_end = self._connected()
        if self._memory is None:
            raise AssertionError("a connected adapter has memory")
        with peer_faults():
            front_end.share(self._memory.table, self._memory.descriptors)
            self._configuration = self._read_space(front_end)
            self._started = True
            for index, layout in self._layouts.items():
                front_end.start_queue(index, layout, user_address(0))
            front_end.driver_ok()

    def make_available(self, queue: int, buffer: Buffer) -> None:
        """Make a buffer available and, unless the case omits that, notify the device."""
        if self._lent is None or self._front_end is None:
            raise AdapterError(f"buffer {buffer.name}: no queue is set up; call prepare first")
        self._lent.lend(queue, buffer)
        if buffer.notify:
            self._front_end.kick(queue)

    def break_ring(self, queue: int, breach: RingBreach) -> None:
        """Lay what no driver may into a virtqueue, and notify the device."""
        if self._lent is None or self._front_end is None:
            raise AdapterError(f"queue {queue} is not set up; call prepare first")
        self._lent.break_ring(queue, breach)
        self._front_end.kick(queue)

    def rings(self, queue: int) -> tuple[Range, Range, Range]:
        """Return where descriptor table, available ring and used ring of a queue lie, guest-physical."""
        lent = self._lent
        if lent is None:
            raise AdapterError(f"queue {queue} is not set up; call prepare first")
        return lent.rings(queue)

    @property
    def registers_address(self) -> int | None:
        """None: a back-end has no registers in guest memory."""
        return None

    def read_configuration(self, offset: int, length_bytes: int) -> bytes:
        """Read the configuration space."""
        with peer_faults():
            return self._connected().read_configuration(offset, length_bytes)

    def write_configuration(self, offset: int, data: bytes) -> None:
        """Write the configuration space with one message."""
        with peer_faults():
            self._connected().write_configuration(offset, data)

    def observe(self, deadline_seconds: float) -> Sequence[Event]:
        """Return what the device did since the last call; wait for it until the deadline.

        The rings are read repeatedly, so a buffer is found even if its notification was lost.
        """
        front_end = self._connected()
        until = time.monotonic() + deadline_seconds
        wait_seconds, left_seconds = 0.0, deadline_seconds
        with peer_faults():
            while True:
                front_end.wait(min(wait_seconds, left_seconds))
                if events := self._see(front_end):
                    return events
                left_seconds = until - time.monotonic()
                if left_seconds <= 0:
                    return events
                wait_seconds = min(max(2 * wait_seconds, _PAUSE_SECONDS), _LONG_PAUSE_SECONDS)

    def discarded(self, pages: PageSet) -> tuple[PageSet, PageSet]:
        """Return which of ``pages`` were discarded, and which overwritten, since the last call or start."""
        return self._memory.ram.examine(pages) if self._memory else (EMPTY, EMPTY)

    def changes(self) -> Sequence[Overwritten]:
        """Return the overwritten pages that the last look found, with what they hold."""
        return self._memory.ram.changes if self._memory else ()

    def write_pages(self, pages: PageSet, data: bytes) -> None:
        """Write to pages of guest memory, as the guest does."""
        if self._memory:
            self._memory.ram.write_pages(pages, data)

    def operate(self, action: OperatorAction, value: int) -> None:
        """Have the operator at the control socket carry a request out."""
        self._connected()
        if self._control is None:
            raise AdapterError(f"nobody is there to be asked for {action}; name a control socket")
        self._control.wish(operator=action, value=value)

    def _see(self, front_end: FrontEnd) -> list[Event]:
        """Read the rings and the back-end's messages once, in the order that :class:`Notifications` needs."""
        before = [] if self._lent is None else self._lent.collect()
        activity = front_end.take(0.0) or Activity()
        after = [] if self._lent is None else self._lent.collect()
        events = self._notifications.join(before, activity.queues, after)
        if not activity.changed:
            return events
        data = self._read_space(front_end)
        broken = not self._needs_reset and front_end.needs_reset()
        # DEVICE_NEEDS_RESET is announced as a change of the configuration (2.1.2). Then only a changed space
        # shows that the configuration also changed.
        if not broken or data != self._configuration:
            events.append(ConfigurationChanged(data))
        self._configuration = data
        if broken:
            self._needs_reset = True
            events.append(NeedsReset())
        return events

    def _read_space(self, front_end: FrontEnd) -> bytes:
        """Read the words of the configuration space that exist with the accepted features."""
        if self._profile is None:
            raise AssertionError("a connected adapter has a profile")
        return front_end.read_configuration(0, self._profile.configuration_bytes(self._accepted))

    def _begin(self, setup: Setup) -> None:
        self._let_go()
        if self._memory is not None and self._memory.existing == setup.memory:
            self._memory.ram.restore()
        else:
            self._free_memory()
            self._memory = FrontEndMemory(setup.memory_pages, holes=setup.memory_holes)
        self._front_end = self._connect()
        if self._control is not None:
            self._control.wish(operator=OperatorAction.TARGET, value=0)

    def _look(self, seconds: float) -> tuple[str, bool]:
        """Connect only to find out what the back-end offers."""
        if self._front_end is not None:
            return self._describe(self._front_end)
        front_end = self._connect(seconds)
        try:
            return self._describe(front_end)
        finally:
            front_end.close()

    def _describe(self, front_end: FrontEnd) -> tuple[str, bool]:
        names = [str(feature.name) for feature in front_end.protocol_features]
        self._protocol = frozenset(names)
        text = f"vhost-user back-end at {self._options.socket}, protocol features {', '.join(names)}"
        self._described = text, front_end.shows_refusal
        return self._described

    def _connect(self, seconds: float | None = None) -> FrontEnd:
        options = self._options
        until = time.monotonic() + (options.answer_seconds if seconds is None else seconds)
        while True:
            connection = connect(options.socket, until - time.monotonic(), served=self._described is not None)
            with peer_faults():
                try:
                    front_end = FrontEnd(connection, options.answer_seconds, WANTED & ~options.without)
                    break
                except PeerClosed as error:
                    # A listener that is about to end accepts connections that it will never serve.
                    if not error.unheard or time.monotonic() >= until:
                        raise
            select.select([], [], [], _PAUSE_SECONDS)
        if not front_end.has(ProtocolFeature.CONFIG):
            front_end.close()
            raise AdapterError(
                "the back-end has no protocol feature CONFIG, without which the balloon's configuration space"
                " is out of reach; add it"
            )
        self._describe(front_end)
        return front_end

    def _let_go(self) -> None:
        """End the connection of the case before, and give up memory that its device may still use."""
        if self._front_end is None:
            return
        try:
            with peer_faults():
                self._stop_queues(self._front_end)
        except _FAULTS:
            self._free_memory()
        self._front_end.close()
        self._front_end = None
        self._forget()

    def _stop_queues(self, front_end: FrontEnd) -> None:
        front_end.stop_queues(list(self._layouts) if self._started else [])

    def _forget(self) -> None:
        self._lent = None
        self._notifications = Notifications()
        self._layouts = {}
        self._started = self._needs_reset = False
        self._accepted = 0

    def _free_memory(self) -> None:
        if self._memory is not None:
            self._memory.close()
            self._memory = None

    def _connected(self) -> FrontEnd:
        if self._front_end is None:
            raise AdapterError("the adapter is not started; call start first")
        return self._front_end


def connect(path: str, seconds: float, *, served: bool) -> socket.socket:
    """Connect to the socket at ``path``; wait up to ``seconds`` until somebody listens there.

    Raises :class:`PeerAbsent` if nobody did in that time, and :class:`PeerLeft` if somebody ``served`` before
    and has left for good.
    """
    until = time.monotonic() + seconds
    while True:
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        connection.settimeout(max(until - time.monotonic(), _PAUSE_SECONDS))
        try:
            connection.connect(path)
        except TimeoutError:
            connection.close()
            raise ImplementationHung(f"{path} took no connection within {seconds:g} seconds") from None
        except OSError as error:
            connection.close()
            nobody_listens = error.errno in (errno.ENOENT, errno.ECONNREFUSED)
            if nobody_listens and time.monotonic() < until:
                # There is nothing to poll that tells when somebody begins to listen at a path.
                select.select([], [], [], _PAUSE_SECONDS)
                continue
            if served and nobody_listens:
                raise PeerLeft(
                    f"nobody listens at {path} any more ({error.strerror}, for {seconds:.3g} seconds)"
                ) from None
            raise PeerAbsent(
                f"cannot connect to {path}: {error.strerror or error}; start the back-end there first"
            ) from None
        return connection


def vhost_user_device_target(options: VhostUserOptions) -> Target:
    """Return the back-end as the command line names it."""
    return Target(
        f"vhost-user-device:{options.socket}",
        Side.DEVICE,
        lambda: VhostUserDevice(options),
        one_at_a_time=True,
    )
