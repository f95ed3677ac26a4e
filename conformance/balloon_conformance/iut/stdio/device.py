"""A device behind a program: ``stdio:COMMAND`` if the program says that it is a device."""

from __future__ import annotations

from collections.abc import Sequence

from balloon_conformance.iut import sight
from balloon_conformance.iut.contract import Buffer
from balloon_conformance.iut.stdio.adapter import StdioAdapter
from balloon_conformance.iut.stdio.messages import Answer
from balloon_spec.events import OperatorAction, Overwritten, Side, Used
from balloon_spec.pages import EMPTY, PageSet
from balloon_spec.segments import are_lengths_alone, segments_outside

__all__ = ["StdioDevice"]


class StdioDevice(StdioAdapter):
    """A :class:`~balloon_conformance.iut.contract.DeviceAdapter`."""

    _kind = sight.Kind.STDIO_DEVICE
    _side = Side.DEVICE
    _offered = 0
    _ring_sizes: tuple[tuple[int, int], ...] = ()
    _changes: tuple[Overwritten, ...] = ()

    @property
    def memory(self) -> PageSet:
        """The guest pages that exist."""
        return self._memory

    def offered(self) -> int:
        """Return what the device offered at the start or after the last reset."""
        return self._offered

    def accept(self, features: int) -> bool:
        """Negotiate. If FEATURES_OK stayed, the virtqueues are set up too."""
        answer = self._tell("negotiate", accepted=features)
        self._ring_sizes = answer.fields["ring_sizes"]
        self._take_memory(answer)
        kept: bool = answer.fields["features_ok"]
        return kept

    def ring_sizes(self) -> tuple[tuple[int, int], ...]:
        """Return the sizes in the answer to the negotiation."""
        return self._ring_sizes

    def prepare(self) -> None:
        """Do nothing: ``negotiate`` set the virtqueues up."""

    def driver_ok(self) -> None:
        """Set DRIVER_OK."""
        self._tell("driver-ok")

    def make_available(self, queue: int, buffer: Buffer) -> None:
        """Hand a buffer over."""
        # What lies where no memory is cannot be read again, by whoever.
        if self._rereads and not segments_outside(buffer.segments, self._memory):
            self._lent[queue, buffer.name] = buffer.readable
        fields: dict[str, object] = {}
        if not buffer.notify:
            fields["notify"] = False
        if buffer.segments:
            in_short = self._protocol == 1 and are_lengths_alone(buffer.segments)
            fields |= {"cut": buffer.cut} if in_short else {"segments": buffer.segments}
        self._tell(
            "available",
            queue=queue,
            buffer=buffer.name,
            readable=buffer.readable,
            writable=buffer.writable_bytes,
            **fields,
        )

    def read_configuration(self, offset: int, length_bytes: int) -> bytes:
        """Read the configuration space."""
        data: bytes = self._tell("configuration-read", offset=offset, length=length_bytes).fields["data"]
        if len(data) != length_bytes:
            raise self.program.fault(
                f"answered configuration-read with {len(data)} bytes; {length_bytes} were asked for"
            )
        return data

    def write_configuration(self, offset: int, data: bytes) -> None:
        """Write the configuration space."""
        self._tell("configuration-write", offset=offset, data=data)

    def discarded(self, pages: PageSet) -> tuple[PageSet, PageSet]:
        """Return which of ``pages`` were discarded, and which overwritten."""
        fields = self._tell("discarded", pages=pages).fields
        discarded, changed = fields["discarded"], fields["overwritten"] or EMPTY
        self._changes = fields.get("changes", ())
        if foreign := (discarded | changed) - pages:
            raise self.program.fault(f"answered discarded with {foreign}, which it was not asked about")
        return discarded, changed

    def changes(self) -> Sequence[Overwritten]:
        """Return what the program says of the bytes of those that the last look found overwritten."""
        return self._changes

    def write_pages(self, pages: PageSet, data: bytes) -> None:
        """Have the guest write to pages."""
        self._tell("write-pages", pages=pages, data=data)

    def skipped(self, pages: PageSet) -> tuple[PageSet, PageSet]:
        """Return which of the pages the device left out of its copy, and of which the program can tell."""
        fields = self._tell("skipped", pages=pages).fields
        found, unknown = fields["skipped"], fields["unknown"]
        if foreign := (found | unknown) - pages:
            raise self.program.fault(f"answered skipped with {foreign}, which it was not asked about")
        return found - unknown, pages - unknown

    def statistics(self) -> tuple[tuple[int, int], ...]:
        """Return the statistics that the host read."""
        told: tuple[tuple[int, int], ...] = self._tell("host-statistics").fields["statistics"]
        return told

    def operate(self, action: OperatorAction, value: int) -> None:
        """Carry out an operator's request."""
        self._tell("operator", action=action, value=value)

    def _started(self, answer: Answer) -> None:
        self._offered = answer.fields["offered"]
        self._ring_sizes = ()

    def _take(self, answer: Answer) -> None:
        """Record events. Buffers that were returned are read again before anything else is asked."""
        fresh = len(self._events)
        super()._take(answer)
        if not self._lent:
            return
        told, self._events = self._events[fresh:], self._events[:fresh]
        for event in told:
            if isinstance(event, Used):
                self._reread(event.queue, event.buffer, Side.DEVICE)
                self._lent.pop((event.queue, event.buffer), None)
            self._events.append(event)

    def _look_again(self, deadline_seconds: float) -> None:
        # Not at every call: a change is still seen when the buffer comes back.
        if deadline_seconds > 0:
            self._reread_all(Side.DEVICE)
