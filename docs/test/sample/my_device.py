"""A device that says of every inflate buffer that it wrote four bytes into it."""

from collections.abc import Sequence

from balloon_conformance.iut.reference.adapter import ReferenceDevice
from balloon_spec.events import Event, Used


class Device(ReferenceDevice):
    """The reference device, and what it says of the length of what it used."""

    def observe(self, deadline_seconds: float) -> Sequence[Event]:
        """Return what happened, the lengths of inflate buffers changed."""
        return [
            Used(event.queue, event.buffer, 4) if isinstance(event, Used) and event.queue == 0 else event
            for event in super().observe(deadline_seconds)
        ]
