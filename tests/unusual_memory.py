"""Devices that treat memory in a way that is right and unusual: nothing of theirs may be called broken."""

from __future__ import annotations

from balloon_conformance.iut.reference.adapter import ReferenceDevice
from balloon_conformance.reference.device import Device
from balloon_spec.pages import EMPTY, PageSet


class DiscardsLate(ReferenceDevice):
    """Every page goes half a second after its buffer was returned; what is taken back meanwhile stays."""

    def __init__(self, delay_seconds=0.5):
        super().__init__(description="discards late")
        self._delay_seconds = delay_seconds
        self._due = []

    def start(self, setup):
        super().start(setup)
        self._due = []

    def _tell(self, given):
        before, self._discarded = self._discarded, EMPTY
        outputs = super()._tell(given)
        if self._discarded:
            self._due.append((self.clock() + self._delay_seconds, self._discarded))
        self._discarded = before
        return outputs

    def _carry_out(self, *, everything=False):
        due = [one for one in self._due if everything or one[0] <= self.clock()]
        self._due = [one for one in self._due if one not in due]
        for _, pages in due:
            self._discarded |= pages

    def make_available(self, queue, buffer):
        if queue == 1:
            self._carry_out(everything=True)
        super().make_available(queue, buffer)

    def reset(self):
        self._carry_out(everything=True)
        super().reset()

    def discarded(self, pages):
        self._carry_out()
        return super().discarded(pages)


class DiscardsAtTheNextKick(Device):
    """What a buffer names goes when the next buffer comes, on whatever queue."""

    def __init__(self, options):
        super().__init__(options)
        self._pending = ()

    def take(self, state, buffer):
        due, self._pending = self._pending, ()
        state, outputs = super().take(state, buffer)
        return state, (*due, *outputs)

    def discard(self, pages):
        self._pending = (*self._pending, *super().discard(pages))
        return ()

    def reset(self, state, given):
        self._pending = ()
        return super().reset(state, given)


class HasLargePages(Device):
    """The host has pages of 64 KiB, and gives back those that lie whole in what one buffer names."""

    def discard(self, pages):
        inward = [(-(-run.first // 16), run.end // 16) for run in pages]
        return super().discard(
            PageSet((first * 16, (end - first) * 16) for first, end in inward if end > first)
        )


class CollectsParts(Device):
    """The host has pages of 64 KiB; one is given back when the last of its parts was inflated."""

    def __init__(self, options):
        super().__init__(options)
        self._parts = EMPTY

    def discard(self, pages):
        self._parts |= pages
        inward = [(-(-run.first // 16), run.end // 16) for run in self._parts]
        whole = PageSet((first * 16, (end - first) * 16) for first, end in inward if end > first)
        self._parts -= whole
        return super().discard(whole)

    def take_deflate(self, state, buffer):
        self._parts -= self.read_pages(state, buffer).pages
        return super().take_deflate(state, buffer)

    def reset(self, state, given):
        self._parts = EMPTY
        return super().reset(state, given)


class NeverDiscards(Device):
    """Guest memory is locked: there is nothing to give back."""

    def discard(self, pages):
        return ()


class DiscardsTheBalloonAgain(Device):
    """With every inflate buffer it discards the whole balloon, and before it returns a deflate buffer too."""

    def take_inflate(self, state, buffer):
        state, outputs = super().take_inflate(state, buffer)
        return state, (*self.discard(state.balloon), *outputs)

    def take_deflate(self, state, buffer):
        before = self.discard(state.balloon)
        state, outputs = super().take_deflate(state, buffer)
        return state, (*before, *outputs)


class DiscardsTheBalloonAtItsReset(Device):
    """Until the reset is complete it makes sure of the balloon once more."""

    def reset(self, state, given):
        before = self.discard(state.balloon)
        state, outputs = super().reset(state, given)
        return state, (*before, *outputs)


PEERS = {
    "late": DiscardsLate,
    "at-the-next-kick": lambda: ReferenceDevice(DiscardsAtTheNextKick),
    "large-pages": lambda: ReferenceDevice(HasLargePages),
    "parts-of-large-pages": lambda: ReferenceDevice(CollectsParts),
    "again": lambda: ReferenceDevice(DiscardsTheBalloonAgain),
    "again-at-the-reset": lambda: ReferenceDevice(DiscardsTheBalloonAtItsReset),
    "never": lambda: ReferenceDevice(NeverDiscards),
}
