"""The reference device: negotiation, the balloon queues and the configuration space.

A reset by the driver keeps ``num_pages``, because the operator's wish outlives the driver, and sets
``actual`` to zero, because no page is in the balloon of a driver that begins anew.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType

from balloon_conformance.reference.device_pages import BufferContent
from balloon_conformance.reference.device_requests import RequestingDevice, Step
from balloon_conformance.reference.device_state import (
    Accept,
    DeviceOptions,
    DeviceOutput,
    DevicePhase,
    DeviceState,
    Discard,
    Expire,
    FeaturesOk,
    Wrote,
)
from balloon_conformance.reference.machine import Move, Note, Refusal, Refused, Table
from balloon_conformance.reference.parts import DevicePart, device_parts
from balloon_spec.events import (
    Available,
    ConfigurationChanged,
    ConfigurationWritten,
    DriverOk,
    Operator,
    OperatorAction,
    Reset,
    Side,
)
from balloon_spec.families.base import DEFLATE, INFLATE, configuration
from balloon_spec.families.family import ConfigurationWord
from balloon_spec.pages import PageSet
from balloon_spec.queues import Queue

__all__ = ["DEVICE", "QUEUES", "Device"]

_FRESH, _NEGOTIATED, _RUNNING = DevicePhase

DEVICE: Table = MappingProxyType(
    {
        (_FRESH, Accept): Move("accept", (_FRESH, _NEGOTIATED)),
        (_FRESH, DriverOk): Refusal("no features are accepted"),
        (_FRESH, Available): Refusal("no virtqueue exists before features are accepted", ("QUEUE-02",)),
        (_FRESH, ConfigurationWritten): Move("configure", (_FRESH,)),
        (_FRESH, Operator): Move("remember", (_FRESH,)),
        (_FRESH, Expire): Refusal("no request is open"),
        (_FRESH, Wrote): Move("see_writes", (_FRESH,)),
        (_FRESH, Reset): Move("reset", (_FRESH,)),
        (_NEGOTIATED, Accept): Refusal("features are accepted once between two resets"),
        (_NEGOTIATED, DriverOk): Move("begin", (_RUNNING,), ("QUEUE-04",)),
        (_NEGOTIATED, Available): Move("keep_waiting", (_NEGOTIATED,)),
        (_NEGOTIATED, ConfigurationWritten): Move("configure", (_NEGOTIATED,)),
        (_NEGOTIATED, Operator): Move("remember", (_NEGOTIATED,)),
        (_NEGOTIATED, Expire): Refusal("no request is open"),
        (_NEGOTIATED, Wrote): Move("see_writes", (_NEGOTIATED,)),
        (_NEGOTIATED, Reset): Move("reset", (_FRESH,)),
        (_RUNNING, Accept): Refusal("features are accepted once between two resets"),
        (_RUNNING, DriverOk): Refusal("the driver is running"),
        (_RUNNING, Available): Move("take", (_RUNNING,)),
        (_RUNNING, ConfigurationWritten): Move("configure", (_RUNNING,)),
        (_RUNNING, Operator): Move("operate", (_RUNNING,)),
        (_RUNNING, Expire): Move("expire", (_RUNNING,)),
        (_RUNNING, Wrote): Move("see_writes", (_RUNNING,)),
        (_RUNNING, Reset): Move("reset", (_FRESH,)),
    }
)
"""What happens in every phase."""

QUEUES: Mapping[Queue, str] = MappingProxyType(
    {
        INFLATE: "take_inflate",
        DEFLATE: "take_deflate",
    }
)
"""The method that takes a buffer of each queue of the base family; those of other families have their parts.

No method looks at another queue (CONC-06).
"""

_NUM_PAGES_LIMIT = (1 << 32) - 1


class Device(RequestingDevice):
    """A device that keeps every requirement; :data:`DEVICE` lists what it answers.

    It has the parts that the families of its profile declare; ``parts`` take the place of those of their
    families.
    """

    table = DEVICE

    def __init__(self, options: DeviceOptions | None = None, parts: Sequence[type[DevicePart]] = ()) -> None:
        self.options = options or DeviceOptions()
        self.state = DeviceState()
        self.family_parts = device_parts(self, self.options.profile.families, parts)

    # -- negotiation --------------------------------------------------------------------------------------

    # NEG-01, NEG-02: the options refuse a set that may not be offered.
    def offer(self) -> int:
        """Return the feature bits the device offers."""
        return self.options.features

    # NEG-06, NEG-07, NEG-09: every legal subset and no other. MUST_TELL_HOST may be left out (NEG-08).
    def allows(self, features: int) -> bool:
        """Tell whether FEATURES_OK stays for these accepted features."""
        return self.options.profile.may_accept(self.offer(), features)

    def accept(self, state: DeviceState, given: Accept) -> Step:
        """Keep FEATURES_OK or clear it."""
        if not self.allows(given.features):
            return state, (FeaturesOk(False),)
        state = replace(state, phase=DevicePhase.NEGOTIATED, accepted=given.features)
        outputs: tuple[DeviceOutput, ...] = (FeaturesOk(True),)
        for part in self.family_parts:
            state, more = part.negotiated(state)
            outputs += more
        return state, outputs

    def has(self, state: DeviceState, feature: str) -> bool:
        """Tell whether the feature is negotiated."""
        return feature in self.options.profile.names(state.accepted)

    # QUEUE-01: the numbers are the profile's.
    def queue(self, state: DeviceState, index: int) -> Queue | None:
        """Return the queue with this virtqueue index, None if it does not exist."""
        return self.options.profile.queue_map(self.offer(), state.accepted).get(index)

    def keep_waiting(self, state: DeviceState, buffer: Available) -> Step:
        """Leave a buffer in its queue that was made available before DRIVER_OK."""
        return replace(state, waiting=(*state.waiting, buffer)), ()

    # QUEUE-04: whatever is available at DRIVER_OK is taken, whether it was notified or not.
    def begin(self, state: DeviceState, _given: DriverOk) -> Step:
        """Take what is available on every queue."""
        waiting = state.waiting
        state = replace(state, phase=DevicePhase.RUNNING, waiting=())
        outputs: tuple[DeviceOutput, ...] = ()
        for part in self.family_parts:
            state, more = part.begin(state)
            outputs += more
        for buffer in waiting:
            state, more = self.take(state, buffer)
            outputs += more
        return state, outputs

    # RESET-01, RESET-02, RESET-03, RESET-06: nothing from before the reset is acted on or returned.
    def reset(self, state: DeviceState, _given: Reset) -> Step:
        """Begin anew. The docstring of the module says what a reset keeps."""
        fresh = DeviceState(num_pages=state.num_pages)
        for part in self.family_parts:
            fresh = part.reset(state, fresh)
        return fresh, ()

    # -- the queues ---------------------------------------------------------------------------------------

    # QUEUE-05, QUEUE-06: a buffer comes whole, however it is cut into descriptors, and any number may come.
    # Buffers are returned in the order they came, although no driver may rely on that (CONC-07).
    def take(self, state: DeviceState, buffer: Available) -> Step:
        """Take a buffer from its queue."""
        queue = self.queue(state, buffer.queue)
        if queue is None:
            return state, (Note("QUEUE-02", f"virtqueue {buffer.queue} does not exist"),)
        for part in self.family_parts:
            if queue in part.family.queues:
                return part.take(state, queue, buffer)
        step: Step = getattr(self, QUEUES[queue])(state, buffer)
        return step

    def take_inflate(self, state: DeviceState, buffer: Available) -> Step:
        """Discard the pages a buffer names and return it."""
        content = self.read_pages(state, buffer)
        # INF-06: discarding a page that is already in the balloon has no further effect.
        balloon = state.balloon | content.pages
        after = state if balloon is state.balloon else replace(state, balloon=balloon)
        # INF-07, QUEUE-07: the pages are discarded first; the buffer is returned even if nothing was
        # discarded.
        return after, (*content.notes, *self.discard(content.pages), self.return_buffer(buffer))

    # INF-08, SAFE-01: exactly the pages that were named. INF-09: no page if the host inhibits discarding.
    def discard(self, pages: PageSet) -> tuple[DeviceOutput, ...]:
        """Return the effect of inflating ``pages``."""
        return (Discard(pages),) if pages and not self.options.inhibited else ()

    # DEF-07, DEF-08: to deflate is to stop counting the pages. Their memory comes back when the guest uses
    # them.
    def take_deflate(self, state: DeviceState, buffer: Available) -> Step:
        """Stop counting the pages that a buffer names, and return it."""
        content = self.read_pages(state, buffer)
        notes = content.notes
        foreign = content.pages - state.balloon
        if foreign:
            notes += (Note("DEF-04", f"{foreign.pages} pages are not in the balloon"),)
        return replace(state, balloon=state.balloon - content.pages), (*notes, self.return_buffer(buffer))

    def read_pages(self, state: DeviceState, buffer: Available) -> BufferContent:
        """Read an inflate or deflate buffer in the negotiated form. A malformed buffer names no pages."""
        if buffer.writable_bytes:
            return BufferContent(notes=(Note("QUEUE-03", "the buffer has a device-writable part"),))
        # RESET-01: the features accepted since the last reset decide the form.
        if self.has(state, "CHUNK_TRANSFER"):
            # HDR-05: only data_len of the header is read.
            return self.read_message(buffer.readable, self.options.memory, self.options.max_data_bytes)
        return self.read_array(buffer.readable, self.options.memory)

    # -- the configuration space --------------------------------------------------------------------------

    # CFG-01, CFG-06, CFG-11: both fields are little-endian and count 4 KiB pages; actual is as the driver
    # wrote it.
    def configuration(self, state: DeviceState | None = None) -> bytes:
        """Return the whole configuration space: its first 8 bytes, and the words of further families."""
        state = state or self.state
        space = configuration.build(configuration.Configuration(state.num_pages, state.actual))
        for part, word in self._words(state):
            value = part.word(state, word.name).to_bytes(word.length_bytes, "little")
            space = space.ljust(word.offset_bytes, b"\0") + value
        return space

    def _words(self, state: DeviceState) -> Iterator[tuple[DevicePart, ConfigurationWord]]:
        """Yield the words of further families that exist for the accepted features, by offset."""
        for word in self.options.profile.configuration_words(state.accepted):
            for part in self.family_parts:
                if word in part.family.words:
                    yield part, word

    # CFG-08: only this and a reset change actual. CFG-09: num_pages does not change here.
    def configure(self, state: DeviceState, given: ConfigurationWritten) -> Step:
        """Take a write. Bytes that fall on num_pages, or beyond the space, are dropped."""
        space = bytearray(self.configuration(state))
        for at, byte in enumerate(given.data, given.offset):
            if configuration.ACTUAL_OFFSET <= at < len(space):
                space[at] = byte
        outputs: tuple[DeviceOutput, ...] = ()
        for part, word in self._words(state):
            if word.written_by is Side.DRIVER and word.is_touched(given.offset, len(given.data)):
                value = int.from_bytes(space[word.offset_bytes : word.end_bytes], "little")
                state, more = part.store(state, word.name, value)
                outputs += more
        if given.offset < configuration.ACTUAL_OFFSET:
            outputs += (Note("CFG-02", f"{len(given.data)} bytes were written at {given.offset}"),)
        actual = configuration.parse(bytes(space[: configuration.LENGTH_BYTES])).actual
        return replace(state, actual=actual), outputs

    def see_writes(self, state: DeviceState, given: Wrote) -> Step:
        """See that the guest wrote to pages, if somebody tracks that."""
        for part in self.family_parts:
            state = part.wrote(state, given.pages)
        return state, ()

    # -- the operator -------------------------------------------------------------------------------------

    def operate(self, state: DeviceState, given: Operator) -> Step:
        """Carry out an operator's request while the driver runs."""
        for part in self.family_parts:
            if given.action in part.wishes:
                return part.operate(state, given.action, given.value)
        if given.action == OperatorAction.TARGET:
            return self.change_target(state, given.value)
        return state, (Refused(f"{given.action}", "no family of the profile carries it out"),)

    def remember(self, state: DeviceState, given: Operator) -> Step:
        """Take the operator's target while no driver runs: a later driver will read it.

        No driver can be notified now, and requests that need one are dropped.
        """
        if given.action != OperatorAction.TARGET:
            return state, (Note("REQ-01", f"no driver runs that could answer {given.action}"),)
        return replace(state, num_pages=self.target_pages(given.value)), ()

    def target_pages(self, value: int) -> int:
        """Return the target as it stands in the configuration space, 32 bits."""
        return min(max(value, 0), _NUM_PAGES_LIMIT)

    # CFG-07: the driver is notified of every change, and only of changes.
    def change_target(self, state: DeviceState, value: int) -> Step:
        """Set num_pages and notify the driver."""
        target = self.target_pages(value)
        if target == state.num_pages:
            return state, ()
        state = replace(state, num_pages=target)
        return state, (ConfigurationChanged(self.configuration(state)),)

    def expire(self, state: DeviceState, _given: Expire) -> Step:
        """Wait no longer for whatever the driver was asked."""
        outputs: tuple[DeviceOutput, ...] = ()
        for part in self.family_parts:
            state, more = part.expire(state)
            outputs += more
        return state, outputs
