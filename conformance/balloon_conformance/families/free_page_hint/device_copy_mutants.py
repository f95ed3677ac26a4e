"""Devices that are wrong about hinted pages: what they leave out of a copy, and what they do to them."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from balloon_conformance.families.free_page_hint.device_reference import (
    HintPhase,
    HintsOfDevice,
)
from balloon_conformance.mutants.mutant import mutant
from balloon_conformance.reference.device import Device
from balloon_conformance.reference.device_requests import Step
from balloon_conformance.reference.device_state import DeviceState, Discard
from balloon_spec.events import Available
from balloon_spec.families.free_page_hint import DONE
from balloon_spec.pages import EMPTY, PageSet, Run
from balloon_spec.queues import Queue

_HOST_PAGE: Final = 16
"""The 4 KiB pages of a host page of 64 KiB."""
_HUGE_PAGE: Final = 512
"""Those of a huge page of 2 MiB."""

_LEGACY: Final = "QEMU, the discussion of July 2020: in which order of bytes a command id is read"


@mutant("HINT-19")
class TracksNoWrites(HintsOfDevice):
    """A program of the guest finds other data in its memory after a migration."""

    def wrote(self, state: DeviceState, _pages: PageSet) -> DeviceState:
        """See nothing."""
        return state


@mutant("HINT-19")
class TracksWritesFromTheHintOn(HintsOfDevice):
    """What a guest wrote just before it hinted the page is lost, and may be in use again."""

    def wrote(self, state: DeviceState, pages: PageSet) -> DeviceState:
        """Forget that it was before the hint."""
        state = super().wrote(state, pages)
        return self.remember(state, replace(self.copying(state), written=EMPTY))


@mutant("HINT-19")
class TracksWritesInARoundAlone(HintsOfDevice):
    """What the guest writes after the last hint is lost."""

    def wrote(self, state: DeviceState, pages: PageSet) -> DeviceState:
        """See what is written while hints are taken."""
        return super().wrote(state, pages) if self.copying(state).phase is HintPhase.TAKING else state


@mutant("HINT-19")
class OverridesAWriteByAnotherHint(HintsOfDevice):
    """What a guest wrote to a page that it hints twice is lost."""

    def leave_out(self, state: DeviceState, pages: PageSet) -> Step:
        """Forget what was written to a page that was left out before."""
        copying = self.copying(state)
        again = pages - self.fresh
        self.fresh -= pages
        state = self.remember(state, replace(copying, written=copying.written - again))
        return super().leave_out(state, pages)

    def publish_id(self, state: DeviceState, pages: PageSet) -> Step:
        """Begin to note which pages are hinted for the first time."""
        self.fresh = self.device.options.memory
        return super().publish_id(state, pages)


@mutant("HINT-19")
class TracksNoWritesAfterStop(HintsOfDevice):
    """What a guest writes to hinted pages while the host makes no use of hints is lost."""

    def wrote(self, state: DeviceState, pages: PageSet) -> DeviceState:
        """See nothing between STOP and the next id."""
        is_stopped = self.copying(state).phase is HintPhase.STOPPED
        return state if is_stopped else super().wrote(state, pages)


@mutant("HINT-19")
class DiscardsHintsAtStop(HintsOfDevice):
    """A guest that used a hinted page again finds zeros there."""

    def __init__(self, device: Device) -> None:
        super().__init__(device)
        self.hinted = EMPTY

    def leave_out(self, state: DeviceState, pages: PageSet) -> Step:
        """Put the pages aside."""
        self.hinted |= pages
        return super().leave_out(state, pages)

    def publish_stop(self, state: DeviceState, pages: PageSet) -> Step:
        """Discard them, whatever the guest did since."""
        state, outputs = super().publish_stop(state, pages)
        hinted, self.hinted = self.hinted, EMPTY
        return state, (*outputs, Discard(hinted))


@mutant("HINT-19")
class TracksNoWritesAfterAReset(HintsOfDevice):
    """What a guest that was rebooted during its migration writes to hinted pages is lost."""

    was_reset = False

    def reset(self, before: DeviceState, fresh: DeviceState) -> DeviceState:
        """See nothing from here on."""
        self.was_reset = True
        return super().reset(before, fresh)

    def wrote(self, state: DeviceState, pages: PageSet) -> DeviceState:
        """See what is written before a reset."""
        return state if self.was_reset else super().wrote(state, pages)


@mutant(
    "HINT-19",
    origin="Firecracker, read in source, and warned of by its manual: a hinted range is discarded at once",
)
class DiscardsHintsAtOnce(HintsOfDevice):
    """A guest that uses a page again before the device sees the hint finds zeros there."""

    def leave_out(self, state: DeviceState, pages: PageSet) -> Step:
        """Discard what is hinted, whatever the guest did since."""
        state, _ = super().leave_out(state, pages)
        return state, (Discard(pages),)


@mutant("HINT-20")
class DiscardsHintsLate(HintsOfDevice):
    """A guest that has its pages back, and uses them, loses what is there."""

    def __init__(self, device: Device) -> None:
        super().__init__(device)
        self.hinted = EMPTY

    def leave_out(self, state: DeviceState, pages: PageSet) -> Step:
        """Put the pages aside."""
        self.hinted |= pages
        return super().leave_out(state, pages)

    def take(self, state: DeviceState, queue: Queue, buffer: Available) -> Step:
        """Discard them with the first buffer after DONE."""
        state, outputs = super().take(state, queue, buffer)
        if self.copying(state).register != DONE or not self.hinted:
            return state, outputs
        late, self.hinted = self.hinted, EMPTY
        return state, (Discard(late), *outputs)


@mutant("HINT-20")
class DiscardsOldHintsForTheNextCopy(HintsOfDevice):
    """A guest that used its pages again loses them when the next migration begins."""

    def __init__(self, device: Device) -> None:
        super().__init__(device)
        self.hinted = EMPTY

    def leave_out(self, state: DeviceState, pages: PageSet) -> Step:
        """Put the pages aside."""
        self.hinted |= pages
        return super().leave_out(state, pages)

    def publish_id(self, state: DeviceState, pages: PageSet) -> Step:
        """Discard those of the copy before."""
        if self.copying(state).left is not None:
            return super().publish_id(state, pages)
        hinted, self.hinted = self.hinted, EMPTY
        state, outputs = super().publish_id(state, pages)
        return state, (*((Discard(hinted),) if hinted else ()), *outputs)


@mutant("HINT-26", origin="QEMU, commit 483f13524b: more than was named, on hosts with larger pages")
class RoundsHintsOutward(HintsOfDevice):
    """Memory beside a hint is missing after a migration."""

    def leave_out(self, state: DeviceState, pages: PageSet) -> Step:
        """Round to pages of 64 KiB."""
        bounds = ((run.first // _HOST_PAGE, -(-run.end // _HOST_PAGE)) for run in pages)
        wide = PageSet((first * _HOST_PAGE, (end - first) * _HOST_PAGE) for first, end in bounds)
        return super().leave_out(state, wide & self.device.options.memory)


@mutant("HINT-26")
class RoundsLargeHintsOutward(HintsOfDevice):
    """Memory beside a large hint is missing after a migration."""

    def leave_out(self, state: DeviceState, pages: PageSet) -> Step:
        """Round to pages of 2 MiB what is at least as large."""
        wide = PageSet(_huge(run) if run.count >= _HUGE_PAGE else (run.first, run.count) for run in pages)
        return super().leave_out(state, wide & self.device.options.memory)


def _huge(run: Run) -> tuple[int, int]:
    first = run.first // _HUGE_PAGE * _HUGE_PAGE
    return first, -(-run.end // _HUGE_PAGE) * _HUGE_PAGE - first


@mutant("HINT-26")
class TakesOnePageTooMany(HintsOfDevice):
    """The page behind each hint is missing after a migration."""

    def leave_out(self, state: DeviceState, pages: PageSet) -> Step:
        """Count the end in."""
        more = PageSet((run.first, run.count + 1) for run in pages)
        return super().leave_out(state, more & self.device.options.memory)


@mutant("HINT-28")
class CopiesWhatIsHinted(HintsOfDevice):
    """A migration takes as long as it would without hints, and the guest lacks its memory meanwhile."""

    def leave_out(self, state: DeviceState, _pages: PageSet) -> Step:
        """Return the hint, and do nothing."""
        return state, ()


@mutant("HINT-28")
class ReadsCommandsBigEndian(HintsOfDevice):
    """No guest's hints are ever made use of."""

    def number(self, data: bytes) -> int:
        """Swap it."""
        return int.from_bytes(data, "big")


@mutant("HINT-28", origin=_LEGACY)
class ReadsLegacyCommandsBigEndian(HintsOfDevice):
    """No old guest's hints are ever made use of."""

    def number(self, data: bytes) -> int:
        """Swap it for a guest without VERSION_1."""
        is_new = self.device.has(self.device.state, "VERSION_1")
        return int.from_bytes(data, "little" if is_new else "big")
