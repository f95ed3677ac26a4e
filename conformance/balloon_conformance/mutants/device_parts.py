"""What several wrong devices share."""

from __future__ import annotations

from collections.abc import Iterable

from balloon_conformance.reference.device import Device
from balloon_conformance.reference.device_requests import Step
from balloon_conformance.reference.device_state import DeviceOptions, DeviceOutput, DeviceState
from balloon_conformance.reference.machine import Note
from balloon_spec.events import Reset, Used
from balloon_spec.pages import EMPTY

__all__ = ["Remembers", "is_malformed", "without_returns"]


def is_malformed(outputs: Iterable[DeviceOutput]) -> bool:
    """Tell from the notes whether the device found a buffer malformed."""
    return any(isinstance(one, Note) and one.clause not in {"CHUNK-03", "DEF-04"} for one in outputs)


def without_returns(outputs: Iterable[DeviceOutput]) -> tuple[DeviceOutput, ...]:
    """Leave out that buffers were returned."""
    return tuple(one for one in outputs if not isinstance(one, Used))


class Remembers(Device):
    """Remembers pages in ``seen`` until the next reset."""

    def __init__(self, options: DeviceOptions) -> None:
        super().__init__(options)
        self.seen = EMPTY

    def reset(self, state: DeviceState, given: Reset) -> Step:
        """Forget them."""
        self.seen = EMPTY
        return super().reset(state, given)
