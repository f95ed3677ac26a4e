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

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol, runtime_checkable

from balloon_spec.events import Event, RingBroken, Side
from balloon_spec.features import Profile
from balloon_spec.pages import EMPTY, PageSet

__all__ = [
    "AdapterError",
    "BoundsTargets",
    "Buffer",
    "Capability",
    "DeviceAdapter",
    "DriverAdapter",
    "ImplementationCrashed",
    "ImplementationHung",
    "ImplementationViolation",
    "OutlivesCases",
    "PeerAbsent",
    "PeerLeft",
    "ReachesMemory",
    "ReachesRegisters",
    "SetsUp",
    "Setup",
    "SteersGuest",
    "Target",
    "TellsStatistics",
]


class Capability(StrEnum):
    """What an implementation may be unable to do; named in a report as the reason for a hole."""

    # Of a device.
    OPERATOR_TARGET = "operator-target"
    """The suite can set the balloon's target (num_pages)."""
    OPERATOR_UNUSED_PAGES = "operator-unused-pages"
    """The suite can have the device request unused pages, with an id it chooses."""
    OPERATOR_STATISTICS = "operator-statistics"
    """The suite can have the device return the statistics buffer."""
    DISCARDS = "discards"
    """The suite can see which pages were discarded."""
    DESCRIPTORS = "descriptors"
    """The suite chooses how a buffer is cut into descriptors."""
    HOST_STATISTICS = "host-statistics"
    """The suite can ask what the host read of the statistics (:class:`TellsStatistics`)."""
    REGISTERS = "registers"
    """The suite reaches the registers of the device (:class:`ReachesRegisters`)."""
    # Of a driver.
    STEER_PAGES = "steer-pages"
    """The suite chooses which pages the guest gives up, wants back, or does not use."""
    STEER_GUEST = "steer-guest"
    """The suite commands the guest around the driver (:class:`SteersGuest`): to use memory, say."""
    GUEST_MEMORY = "guest-memory"
    """The suite, being the device, reads and writes guest memory (:class:`ReachesMemory`)."""
    # Of either.
    RAW_FEATURES = "raw-features"
    """The suite can offer, or accept, sets that are not legal."""
    MEMORY_HOLES = "memory-holes"
    """The suite chooses pages below the end of guest memory that do not exist."""


@dataclass(frozen=True, slots=True)
class Setup:
    """What holds for one case: the profile and the guest memory the case needs, in 4 KiB pages.

    A device adapter provides guest-physical addresses from 0 up to at least ``memory_pages``, but for the
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
    """A buffer the suite makes available: device-readable bytes, then ``writable_bytes`` to write to.

    ``cut`` are the lengths in bytes into which the readable part is cut, one a descriptor; empty means one
    descriptor. ``notify`` False leaves the device to find the buffer by itself.
    """

    name: str
    readable: bytes = b""
    writable_bytes: int = 0
    cut: tuple[int, ...] = ()
    notify: bool = True


class AdapterError(Exception):
    """The adapter could not do its part; one line that says what and the remedy."""


class ImplementationCrashed(Exception):  # noqa: N818 - a fact about the implementation, not an error of the suite
    """The implementation ended by itself, or closed its connection; one line of evidence."""


class PeerAbsent(AdapterError):  # noqa: N818 - a fact about the peer
    """Nobody is at the other end: the implementation was not started, or never connects."""


class PeerLeft(ImplementationCrashed):
    """An implementation that took part before is gone for good: nobody is at the other end any more."""


class ImplementationHung(Exception):  # noqa: N818 - a fact about the implementation, not an error of the suite
    """The implementation did not answer its transport within the adapter's deadline; one line of evidence."""


class ImplementationViolation(Exception):  # noqa: N818 - a fact about the implementation, not an error of the suite
    """The implementation broke a rule of the transport below the balloon, and nothing more can be exchanged.

    A ring or a descriptor chain that cannot be, memory that is not there, a message that is none: no buffer
    came of it that could be judged. One line of evidence. ``ring`` says what is wrong with a virtqueue, where
    it is one, and is judged; of the rest no requirement speaks.
    """

    def __init__(self, words: str, ring: RingBroken | None = None) -> None:
        super().__init__(words, ring)
        self.words = words
        self.ring = ring

    def __str__(self) -> str:
        return self.words


class _Adapter(Protocol):
    """What both sides share."""

    @property
    def capabilities(self) -> frozenset[Capability]:
        """What the implementation can do beyond the required."""

    @property
    def description(self) -> str:
        """The implementation's name and version, for reports."""

    def start(self, setup: Setup) -> None:
        """Bring the implementation up for one case, as after power-on.

        Called before every case. An adapter may keep a live implementation from the case before, as long as
        nothing of that case can be seen any more; ``stop`` comes between only after a case that ended badly.
        """

    def stop(self) -> None:
        """End the implementation and release what it holds. Must succeed in every state, also twice."""

    def reset(self) -> None:
        """Reset the device, or have the driver begin anew; negotiation follows.

        What a driver does from the wish to give the device up to the reset is not told: it may take its whole
        balloon back, whatever the target (DEF-09).
        """

    def observe(self, deadline_seconds: float) -> Sequence[Event]:
        """Return what the implementation did since the last call, oldest first.

        Waits until there is something to return, ``deadline_seconds`` at most; for an implementation that is
        known to be idle it may return nothing at once; where such an adapter has an attribute ``clock``, a
        function that gives seconds, the suite goes by that time. Does not return what the suite itself did.
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
        """Write the configuration space, with one store where the length allows it."""

    def discarded(self, pages: PageSet) -> tuple[PageSet, PageSet]:
        """Return which of ``pages`` were discarded, and which overwritten, since the last call or start.

        It is called again and again while a discard is awaited, and with all of memory at the end of a case.
        Without :attr:`Capability.DISCARDS` it is not called.
        """

    def operate(self, action: str, value: int) -> None:
        """Carry out an operator's wish (:class:`~balloon_spec.events.OperatorAction`).

        A wish to which the negotiated features leave no way, as one for unused pages without HOST_REQ_VQ, is
        dropped and is no error. A target is taken at any time.
        """


@runtime_checkable
class DriverAdapter(_Adapter, Protocol):
    """A driver under test; the suite is its device.

    ``observe`` returns Memory (before the first buffer), DriverOk where it can be seen, Available,
    ConfigurationRead, ConfigurationWritten, Guest (use) and BufferAltered events.
    """

    def negotiate(self, offered: int, configuration: bytes) -> int | None:
        """Offer features; return what the driver accepted, or None where it refused the device.

        ``configuration`` is what the driver finds in the configuration space.
        """

    def use(self, queue: int, buffer: str, length_bytes: int, written: bytes) -> None:
        """Return a buffer to the driver, with what the device wrote into it."""

    def change_configuration(self, configuration: bytes) -> None:
        """Change the configuration space and notify the driver."""

    def steer(self, action: str, pages: PageSet) -> None:
        """Carry out a guest's wish (:class:`~balloon_spec.events.GuestAction`).

        Without :attr:`Capability.STEER_PAGES` it is not called.
        """


@runtime_checkable
class SetsUp(Protocol):
    """A driver adapter that can tell when the driver it serves is still setting up its virtqueues."""

    def is_setting_up(self) -> bool:
        """Tell whether the driver accepted features and is not ready yet: until then it owes nothing.

        Comes to False in the end, or raises :class:`ImplementationHung`.
        """


@runtime_checkable
class SteersGuest(Protocol):
    """A driver adapter with :attr:`Capability.STEER_GUEST`: around the driver there is a guest to command.

    Which commands there are is the adapter's to say.
    """

    def guest_begin(self, command: str, *words: str | int) -> None:
        """Give the guest a command; one at a time."""

    def guest_answer(self, deadline_seconds: float) -> str | None:
        """Return what the guest answered; None where there are events to observe first, or none came in time.

        A command may wait for buffers to be returned: observe, return them and ask again. Raises
        :class:`AdapterError` for an error that the guest reports.
        """

    def guest(self, command: str, *words: str | int) -> str:
        """Give a command that needs no buffer returned meanwhile, and await the answer."""


@runtime_checkable
class ReachesRegisters(Protocol):
    """A device adapter with :attr:`Capability.REGISTERS`: what a driver may do beside the usual order."""

    def status(self) -> int:
        """Read the device status, 8 bits."""

    def write_status_again(self) -> None:
        """Write the device status as it is, DRIVER_OK for one."""

    def notify(self, queue: int) -> None:
        """Notify the device of a queue, whether or not it was set up."""


@runtime_checkable
class BoundsTargets(Protocol):
    """A device adapter whose operator cannot have every target; without this it can, up to 2^32 - 1 pages."""

    @property
    def largest_target(self) -> int:
        """The largest target, in pages of 4 KiB, valid after ``start``."""


@runtime_checkable
class TellsStatistics(Protocol):
    """A device adapter with :attr:`Capability.HOST_STATISTICS`: the host can be asked what it read."""

    def statistics(self) -> tuple[tuple[int, int], ...]:
        """Return (tag, value) of each statistic that the host has, as the device read it; empty at first."""


@runtime_checkable
class ReachesMemory(Protocol):
    """A driver adapter with :attr:`Capability.GUEST_MEMORY`: memory is shared with the suite."""

    def read_memory(self, address: int, length_bytes: int) -> bytes:
        """Read guest memory at a guest-physical address."""

    def write_memory(self, address: int, data: bytes) -> None:
        """Write guest memory: what a device may do to the pages of the balloon."""


@runtime_checkable
class OutlivesCases(Protocol):
    """What an adapter adds whose implementation serves case after case, and says when it is unwell.

    ``served`` is how many cases the implementation has been started for without being replaced, the one that
    runs included; 0 where none runs.
    """

    served: int

    def conclude(self, *, suspect: bool) -> None:
        """End the case that was played, whatever came of it.

        What the implementation does while it is brought to rest still belongs to that case: a fault of it is
        raised, as in any other method. ``suspect`` says that something was found, so that the next case
        shall begin with a fresh implementation.
        """

    def alarms(self) -> Sequence[str]:
        """Return what the implementation complained of since the case began, as lines; often nothing."""


@dataclass(frozen=True, slots=True)
class Target:
    """An implementation under test as the command line names it.

    ``make`` builds a fresh adapter; ``default_profile`` is what its stock bits mean. ``one_at_a_time`` says
    that there is one implementation, to which the adapters of several processes would have to queue up.
    ``feature_bits`` is how many feature bits its transport has.
    """

    name: str
    side: Side
    make: Callable[[], DeviceAdapter | DriverAdapter]
    default_profile: str = "chunk-transfer"
    one_at_a_time: bool = False
    feature_bits: int = 64
