"""The two contracts between the suite and an implementation under test.

An adapter is an object with the methods below; it need not inherit from anything. The suite plays the
other side: the driver for a :class:`DeviceAdapter`, the device for a :class:`DriverAdapter`. Whatever the
implementation does comes back from ``observe`` as events, in the order it happened.

What an implementation cannot do, its adapter leaves out of ``capabilities``; a case that needs it is
reported as not exercised. What the adapter cannot show, it may tell by an attribute ``unseen``
(:mod:`balloon_conformance.iut.sight`), and nothing is judged by it. Everything else is required.

Faults are told apart by what an adapter raises: :class:`ImplementationCrashed`, :class:`ImplementationHung`
and :class:`ImplementationViolation` are the implementation's, :class:`AdapterError` is the adapter's own,
and any other exception is taken for a defect of the adapter.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import ClassVar, Protocol, runtime_checkable

from balloon_conformance.iut.ring_breach import RingBreach
from balloon_spec.events import Event, GuestAction, OperatorAction, Overwritten, RingBroken, Segment, Side
from balloon_spec.pages import EMPTY, PageSet
from balloon_spec.profiles import Profile
from balloon_spec.queues import Numbering
from balloon_spec.segments import Range
from balloon_spec.words import Word

__all__ = [
    "AdapterError",
    "BoundsFeatures",
    "BoundsTargets",
    "BreaksRings",
    "Buffer",
    "Capability",
    "DeviceAdapter",
    "DriverAdapter",
    "ImplementationCrashed",
    "ImplementationHung",
    "ImplementationViolation",
    "LooksAgain",
    "OutlivesCases",
    "PeerAbsent",
    "PeerLeft",
    "ReachesMemory",
    "ReachesRegisters",
    "ReachesThroughWindow",
    "SetsUp",
    "Setup",
    "ShowsQueuesSetUp",
    "StatesNumbering",
    "SteersGuest",
    "Target",
    "TellsAbsentQueues",
    "TellsChanges",
    "TellsGeneration",
    "TellsReliance",
    "TellsSkipped",
    "TellsStatistics",
    "WritesPages",
    "operator_capability",
]


class Capability(Word):
    """Something an implementation may be unable to do. A report names it as the reason for a gap.

    Each wish of an operator has a capability of its own: see :func:`operator_capability`.
    """

    __slots__ = ()

    # Capabilities of a device.
    OPERATOR_TARGET: ClassVar[Capability]
    """The suite can set the balloon's target (num_pages)."""
    OPERATOR_UNUSED_PAGES: ClassVar[Capability]
    """The suite can have the device request unused pages, with an id it chooses."""
    OPERATOR_STATISTICS: ClassVar[Capability]
    """The suite can have the device return the statistics buffer."""
    DISCARDS: ClassVar[Capability]
    """The suite can see which pages were discarded."""
    DESCRIPTORS: ClassVar[Capability]
    """The suite chooses how a buffer is cut into descriptors."""
    ADDRESSES: ClassVar[Capability]
    """The suite chooses the addresses of descriptors, even outside memory."""
    BROKEN_RINGS: ClassVar[Capability]
    """The suite lays descriptors and virtqueues that no driver may lay (:class:`BreaksRings`)."""
    HOST_STATISTICS: ClassVar[Capability]
    """The suite can ask which statistics the host read (:class:`TellsStatistics`)."""
    REGISTERS: ClassVar[Capability]
    """The suite reaches the registers of the device (:class:`ReachesRegisters`)."""
    WINDOW: ClassVar[Capability]
    """The suite reaches the configuration space through PCI's window too (:class:`ReachesThroughWindow`)."""
    WRITE_PAGES: ClassVar[Capability]
    """The suite, as the driver, writes to pages of guest memory (:class:`WritesPages`)."""
    SKIPS: ClassVar[Capability]
    """The suite can see which pages the device left out of a copy of guest memory (:class:`TellsSkipped`)."""
    # Capabilities of a driver.
    STEER_PAGES: ClassVar[Capability]
    """The suite chooses which pages the guest gives up, wants back, or does not use."""
    STEER_GUEST: ClassVar[Capability]
    """The suite commands the guest around the driver (:class:`SteersGuest`), e.g. to use memory."""
    GUEST_MEMORY: ClassVar[Capability]
    """The suite, as the device, reads and writes guest memory (:class:`ReachesMemory`)."""
    # Capabilities of both sides.
    RAW_FEATURES: ClassVar[Capability]
    """The suite can offer, or accept, illegal sets of features."""
    MEMORY_HOLES: ClassVar[Capability]
    """The suite chooses pages below the end of guest memory that do not exist."""


for _action in OperatorAction:
    Capability.declare(f"operator-{_action}")
Capability.OPERATOR_TARGET = Capability("operator-target")
Capability.OPERATOR_UNUSED_PAGES = Capability("operator-unused-pages")
Capability.OPERATOR_STATISTICS = Capability("operator-statistics")
Capability.DISCARDS = Capability.declare("discards")
Capability.DESCRIPTORS = Capability.declare("descriptors")
Capability.ADDRESSES = Capability.declare("addresses")
Capability.BROKEN_RINGS = Capability.declare("broken-rings")
Capability.HOST_STATISTICS = Capability.declare("host-statistics")
Capability.REGISTERS = Capability.declare("registers")
Capability.WINDOW = Capability.declare("window")
Capability.WRITE_PAGES = Capability.declare("write-pages")
Capability.SKIPS = Capability.declare("skips")
Capability.STEER_PAGES = Capability.declare("steer-pages")
Capability.STEER_GUEST = Capability.declare("steer-guest")
Capability.GUEST_MEMORY = Capability.declare("guest-memory")
Capability.RAW_FEATURES = Capability.declare("raw-features")
Capability.MEMORY_HOLES = Capability.declare("memory-holes")


def operator_capability(action: OperatorAction) -> Capability:
    """Return the capability to make a wish of the operator known to a device."""
    return Capability(f"operator-{action}")


@dataclass(frozen=True, slots=True)
class Setup:
    """The settings of one case: the profile, and the guest memory it needs, in 4 KiB pages.

    A device adapter provides guest-physical addresses from 0 up to at least ``memory_pages``, without the
    pages of ``memory_holes``, unless its :attr:`DeviceAdapter.memory` says otherwise. Only an adapter with
    :attr:`Capability.MEMORY_HOLES` is given holes.
    """

    profile: Profile
    memory_pages: int = 0x10000
    memory_holes: PageSet = EMPTY

    @property
    def memory(self) -> PageSet:
        """The guest pages the case needs."""
        return PageSet([(0, self.memory_pages)]) - self.memory_holes


@dataclass(frozen=True, slots=True)
class Buffer:
    """A buffer that the suite makes available: device-readable bytes, and ``writable_bytes`` to write to.

    ``segments`` are its descriptors, in their order. A part without segments is one descriptor, at an address
    that the adapter chooses. A segment with an address points there, even if there is no memory; then its
    bytes are not written. The memory of a device-writable segment with an address keeps its contents. If
    ``notify`` is False, the device has to find the buffer by itself.

    Only an adapter with :attr:`Capability.BROKEN_RINGS` is given segments of no bytes, device-readable ones
    behind device-writable ones, and a last device-readable one that is longer than the rest of ``readable``:
    it reaches beyond memory, and there is no more to be laid.
    """

    name: str
    readable: bytes = b""
    writable_bytes: int = 0
    segments: tuple[Segment, ...] = ()
    notify: bool = True

    @property
    def cut(self) -> tuple[int, ...]:
        """The lengths in bytes of the device-readable segments; empty if none is stated."""
        return tuple(one.length_bytes for one in self.segments if not one.writable)

    @property
    def has_addresses(self) -> bool:
        """Whether a segment has an address."""
        return any(one.address is not None for one in self.segments)


class AdapterError(Exception):
    """The adapter could not do its part; one line with the reason and the remedy."""


class ImplementationCrashed(Exception):  # noqa: N818 - a fact about the implementation, not an error of the suite
    """The implementation ended by itself, or closed its connection; one line of evidence."""


class PeerAbsent(AdapterError):  # noqa: N818 - a fact about the peer
    """Nobody is at the other end: the implementation was not started, or never connects."""


class PeerLeft(ImplementationCrashed):
    """An implementation that took part before has left for good: nobody is at the other end any more."""


class ImplementationHung(Exception):  # noqa: N818 - a fact about the implementation, not an error of the suite
    """The implementation did not answer its transport within the adapter's deadline; one line of evidence."""


class ImplementationViolation(Exception):  # noqa: N818 - a fact about the implementation, not an error of the suite
    """The implementation broke a rule of the transport below the balloon, so the exchange cannot go on.

    Examples are an invalid ring or descriptor chain, memory that does not exist, and bytes that are no
    message. No buffer could be read that could be judged. The text is one line of evidence. ``ring`` says
    what is wrong with a virtqueue, and is judged. No requirement is about other violations.
    """

    def __init__(self, text: str, ring: RingBroken | None = None) -> None:
        super().__init__(text, ring)
        self.words = text
        self.ring = ring

    def __str__(self) -> str:
        return self.words


class _Adapter(Protocol):
    """What both contracts share."""

    @property
    def capabilities(self) -> frozenset[Capability]:
        """What the implementation can do beyond what the contract requires."""

    @property
    def description(self) -> str:
        """The implementation's name and version, for reports."""

    def start(self, setup: Setup) -> None:
        """Bring the implementation up for one case, as after power-on.

        Called before every case. An adapter may keep the implementation of the case before, as long as
        nothing of that case can be seen. ``stop`` is called in between only after a case that ended badly.
        """

    def stop(self) -> None:
        """End the implementation and release what it holds. Succeeds in every state, also if called twice."""

    def reset(self) -> None:
        """Reset the device, or have the driver begin anew; negotiation follows.

        What a driver does between the decision to give the device up and the reset is not reported: it may
        take its whole balloon back, whatever the target (DEF-09).
        """

    def observe(self, deadline_seconds: float) -> Sequence[Event]:
        """Return what the implementation did since the last call, oldest first.

        Waits up to ``deadline_seconds`` until there is something to return. For an implementation that is
        known to be idle it may return nothing at once. If such an adapter has an attribute ``clock``, a
        function that returns seconds, the suite uses that time. The suite's own acts are not returned.
        """


@runtime_checkable
class DeviceAdapter(_Adapter, Protocol):
    """A device under test; the suite is its driver.

    ``observe`` returns Used, ConfigurationChanged, NeedsReset and BufferAltered events.
    """

    @property
    def memory(self) -> PageSet:
        """The guest pages that exist, valid after ``start``."""

    def offered(self) -> int:
        """Return the feature bits the device offers."""

    def accept(self, features: int) -> bool:
        """Write the accepted features; return whether the device kept FEATURES_OK."""

    def ring_sizes(self) -> tuple[tuple[int, int], ...]:
        """Return (queue index, descriptors) of the queues set up by ``driver_ok``; empty if unknown."""

    def prepare(self) -> None:
        """Set up the queues of the accepted features; buffers may be made available from here on."""

    def driver_ok(self) -> None:
        """Set DRIVER_OK."""

    def make_available(self, queue: int, buffer: Buffer) -> None:
        """Make a buffer available on the queue."""

    def read_configuration(self, offset: int, length_bytes: int) -> bytes:
        """Read the configuration space."""

    def write_configuration(self, offset: int, data: bytes) -> None:
        """Write the configuration space, with one store if the length allows it."""

    def discarded(self, pages: PageSet) -> tuple[PageSet, PageSet]:
        """Return which of ``pages`` were discarded, and which overwritten, since the last call or start.

        It is called repeatedly while a discard is awaited, and with all of memory at the end of a case.
        Without :attr:`Capability.DISCARDS` it is not called.
        """

    def operate(self, action: OperatorAction, value: int) -> None:
        """Carry out an operator's request (:class:`~balloon_spec.events.OperatorAction`).

        A request that the negotiated features do not allow, e.g. for unused pages without HOST_REQ_VQ, is
        dropped without an error. A target is accepted at any time.
        """


@runtime_checkable
class DriverAdapter(_Adapter, Protocol):
    """A driver under test; the suite is its device.

    ``observe`` returns Memory (before the first buffer), DriverOk if it can be seen, Available,
    ConfigurationRead, ConfigurationWritten, Guest (use) and BufferAltered events.

    One that reads guest memory shows what the guest does with the pages that a device may change, at which
    device-writable segments point of buffers that name pages. Before the Available event it returns Contents
    for all of these pages, as they are then. When the buffer is to be returned it looks at them again
    (:class:`LooksAgain`): Guest (use) has those that are not as they were, Guest (leave) the others.
    """

    def negotiate(self, offered: int, configuration: bytes) -> int | None:
        """Offer features; return what the driver accepted, or None if it refused the device.

        ``configuration`` is the content of the configuration space.
        """

    def use(self, queue: int, buffer: str, length_bytes: int, written: bytes) -> None:
        """Return a buffer to the driver, with what the device wrote into it."""

    def change_configuration(self, configuration: bytes) -> None:
        """Change the configuration space and notify the driver."""

    def steer(self, action: GuestAction, pages: PageSet) -> None:
        """Carry out a guest's request (:class:`~balloon_spec.events.GuestAction`).

        Without :attr:`Capability.STEER_PAGES` it is not called.
        """


@runtime_checkable
class SetsUp(Protocol):
    """A driver adapter that can tell when the driver it serves is still setting up its virtqueues."""

    def is_setting_up(self) -> bool:
        """Tell whether the driver accepted features and is not ready yet. Until then it has to do nothing.

        Returns False in the end, or raises :class:`ImplementationHung`.
        """


@runtime_checkable
class SteersGuest(Protocol):
    """A driver adapter with :attr:`Capability.STEER_GUEST`, whose guest takes commands.

    The adapter decides which commands there are.
    """

    def guest_begin(self, command: str, *words: str | int) -> None:
        """Give the guest a command; one at a time."""

    def guest_answer(self, deadline_seconds: float) -> str | None:
        """Return the guest's answer; None if there are events to observe first, or if none came in time.

        A command may wait for buffers to be returned: observe, return them and ask again. Raises
        :class:`AdapterError` for an error that the guest reports.
        """

    def guest(self, command: str, *words: str | int) -> str:
        """Give a command that needs no buffer returned, and await its answer."""


@runtime_checkable
class ReachesRegisters(Protocol):
    """A device adapter with :attr:`Capability.REGISTERS`: acts of a driver outside the usual order."""

    def status(self) -> int:
        """Read the device status, 8 bits."""

    def write_status_again(self) -> None:
        """Write the present device status again, e.g. with DRIVER_OK set."""

    def notify(self, queue: int) -> None:
        """Notify the device of a queue, even if it was not set up."""


@runtime_checkable
class BoundsFeatures(Protocol):
    """A device adapter whose transport has room for fewer feature bits than VIRTIO has."""

    @property
    def feature_bits(self) -> int:
        """How many bits a feature set has, valid before ``start``: no device offers any beyond them."""


@runtime_checkable
class TellsGeneration(Protocol):
    """A device adapter whose transport has a generation of the configuration space (VIRTIO 1.2, 2.5)."""

    def generation(self) -> int | None:
        """Return the generation in which the last ``read_configuration`` read all it did.

        It is the one that a driver finds behind that read. None if the transport has none.
        """


@runtime_checkable
class BreaksRings(Protocol):
    """A device adapter with :attr:`Capability.BROKEN_RINGS`: the virtqueues are the suite's to break."""

    def break_ring(self, queue: int, breach: RingBreach) -> None:
        """Lay what no driver may into a virtqueue that was set up, and notify the device.

        Once it did, what the device returns on the queue and was no buffer is not reported.
        """

    def rings(self, queue: int) -> tuple[Range, Range, Range]:
        """Return where descriptor table, available ring and used ring of a queue lie, guest-physical."""

    @property
    def registers_address(self) -> int | None:
        """A guest-physical address at which the device itself has registers; None if it has none there."""


@runtime_checkable
class ReachesThroughWindow(Protocol):
    """A device adapter with :attr:`Capability.WINDOW`: VIRTIO_PCI_CAP_PCI_CFG (VIRTIO 1.2, 4.1.4.9)."""

    def read_window(self, offset: int, length_bytes: int) -> bytes:
        """Read the configuration space of the device through the window.

        With a length that is not 1, 2 or 4, what is returned means nothing.
        """

    def write_window(self, offset: int, length_bytes: int, data: bytes) -> None:
        """Write the configuration space of the device through the window."""


@runtime_checkable
class BoundsTargets(Protocol):
    """A device adapter whose operator can set only some targets. Others can set any, up to 2^32 - 1 pages."""

    @property
    def largest_target(self) -> int:
        """The largest target, in 4 KiB pages, valid after ``start``."""


@runtime_checkable
class StatesNumbering(Protocol):
    """An adapter that states how its implementation numbers virtqueues if queues before them do not exist."""

    @property
    def numbering(self) -> Numbering:
        """The numbering, valid before ``start``."""


@runtime_checkable
class ShowsQueuesSetUp(Protocol):
    """A driver adapter that sees which virtqueues the driver set up, whether it uses them or not."""

    def queues_set_up(self) -> frozenset[int]:
        """Return the indices of the virtqueues that are set up now; empty if there is no driver."""


@runtime_checkable
class TellsAbsentQueues(Protocol):
    """A device adapter that can tell which virtqueues a device does not have."""

    def absent_queues(self, indices: Collection[int]) -> frozenset[int]:
        """Return those of the indices at which the device has no virtqueue, valid after ``accept``."""


@runtime_checkable
class TellsStatistics(Protocol):
    """A device adapter with :attr:`Capability.HOST_STATISTICS`: it can tell what the host read."""

    def statistics(self) -> tuple[tuple[int, int], ...]:
        """Return (tag, value) of each statistic as the host has it; empty at first."""


@runtime_checkable
class WritesPages(Protocol):
    """A device adapter with :attr:`Capability.WRITE_PAGES`: the guest writes what the suite wants."""

    def write_pages(self, pages: PageSet, data: bytes) -> None:
        """Write ``data`` into each of the pages, over and over; its length divides that of a page.

        They hold it until they are written again, or until the next case. What the device does to them is
        found, and undone, by ``discarded``. The suite does not ask for pages that do not exist.
        """


@runtime_checkable
class TellsChanges(Protocol):
    """A device adapter that can tell what became of the bytes of pages that were overwritten."""

    def changes(self) -> Sequence[Overwritten]:
        """Return the overwritten pages that the last call of ``discarded`` found, with what they show.

        All of them, each in one event; see :class:`~balloon_spec.events.Overwritten`.
        """


@runtime_checkable
class TellsSkipped(Protocol):
    """A device adapter with :attr:`Capability.SKIPS`: it can look at a copy that the device made of memory.

    The copy is the one for whose sake the operator wanted hints; it is over once the operator ended it. With
    :attr:`Capability.WRITE_PAGES`, the device sees what the guest writes as it would see any guest write.
    """

    def skipped(self, pages: PageSet) -> tuple[PageSet, PageSet]:
        """Return which of ``pages`` the copy lacks with what they held when it was over, and all it can tell.

        The second are those of ``pages`` that were looked for: not all can be told apart. Without a copy it
        is none.
        """


@runtime_checkable
class TellsReliance(Protocol):
    """A driver adapter that knows whether its guest fills free pages and relies on what they hold."""

    @property
    def relies_on_free_pages(self) -> bool:
        """Whether it does, valid after ``start``; a guest that initialises its free pages is one."""


@runtime_checkable
class ReachesMemory(Protocol):
    """A driver adapter with :attr:`Capability.GUEST_MEMORY`: memory is shared with the suite."""

    def read_memory(self, address: int, length_bytes: int) -> bytes:
        """Read guest memory at a guest-physical address."""

    def write_memory(self, address: int, data: bytes) -> None:
        """Write guest memory, as a device may do with the pages of the balloon."""


@runtime_checkable
class LooksAgain(Protocol):
    """A driver adapter that looks once more at the pages that a device may change before they go back."""

    def look_again(self, queue: int, buffer: str) -> None:
        """Look at the pages of a buffer that is about to be returned; ``observe`` tells of them."""


@runtime_checkable
class OutlivesCases(Protocol):
    """An adapter whose implementation serves several cases in turn, and reports its own complaints.

    ``served`` counts the cases, including the present one, for which the implementation was started without
    being replaced; 0 if none runs.
    """

    served: int

    def conclude(self, *, suspect: bool) -> None:
        """End the case that was played, whatever its result.

        What the implementation does while it is brought to rest belongs to that case: a fault is raised as in
        any other method. ``suspect`` says that something was found, so the next case must begin with a fresh
        implementation.
        """

    def alarms(self) -> Sequence[str]:
        """Return the implementation's own complaints since the case began, as lines; often none."""


@dataclass(frozen=True, slots=True)
class Target:
    """An implementation under test as the command line names it.

    ``make`` builds a fresh adapter; ``default_profile`` is the meaning of its stock bits, and ``stock_note``
    says why a run under it leaves something out, empty if it leaves out nothing. ``one_at_a_time``
    says that there is only one implementation, so the adapters of several processes would have to wait for
    one another. ``feature_bits`` is the number of feature bits of its transport. ``numbering`` is how it
    numbers its virtqueues, None if nothing says so. ``profiles`` are the only ones that its adapter can be
    used with, empty if it can be with any; ``profiles_note`` says why, and what to do.
    """

    name: str
    side: Side
    make: Callable[[], DeviceAdapter | DriverAdapter]
    default_profile: str = "chunk-transfer"
    stock_note: str = ""
    one_at_a_time: bool = False
    feature_bits: int = 64
    numbering: Numbering | None = None
    profiles: tuple[str, ...] = ()
    profiles_note: str = ""

    def numbered(self, profile: Profile) -> Profile:
        """Return the profile with virtqueues numbered as the implementation does."""
        return profile if self.numbering is None else profile.with_numbering(self.numbering)
