"""Devices and drivers that are right about hints in an unusual way stay clean."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import pytest

from balloon_conformance.families.free_page_hint.device_reference import HintPhase, HintsOfDevice
from balloon_conformance.families.free_page_hint.driver_reference import (
    HintsOfDriver,
    RoundInput,
    RoundPhase,
    blocks,
)
from balloon_conformance.iut.reference.adapter import ReferenceDevice, ReferenceDriver
from balloon_conformance.reference import Device, Driver
from balloon_conformance.reference.device_state import Overwrite
from balloon_conformance.reference.driver_state import Flight
from balloon_conformance.running.outcome import Status
from balloon_conformance.running.player import play
from balloon_conformance.vectors.loader import load_all
from balloon_spec.events import Available, Segment, Side, Used
from balloon_spec.families.free_page_hint import FREE_PAGE, STOP
from balloon_spec.pages import EMPTY, PAGE_SHIFT, PageSet

VECTORS = {one.id: one for one in load_all() if "HINT" in " ".join(one.requirements)}


def judged(vector, part):
    device = issubclass(part, HintsOfDevice)
    adapter = (ReferenceDevice if device else ReferenceDriver)(
        partial(Device if device else Driver, parts=(part,))
    )
    return play(VECTORS[vector], adapter, Side.DEVICE if device else Side.DRIVER)


class SaysThatItWrote(HintsOfDevice):
    """It reports the length of each hint as written, for it may change the pages; QEMU once reported 1."""

    def take(self, state, queue, buffer):
        state, outputs = super().take(state, queue, buffer)
        return state, tuple(
            replace(one, length_bytes=buffer.writable_bytes) if isinstance(one, Used) else one
            for one in outputs
        )


class ZeroesHintsBeforeDone(HintsOfDevice):
    """It overwrites hinted pages that were not written since, and then says DONE."""

    def publish_done(self, state, pages):
        left = self.copying(state).left or EMPTY
        state, outputs = super().publish_done(state, pages)
        hinted = self.device.options.memory - left
        return state, (*((Overwrite(hinted, b"\0"),) if hinted else ()), *outputs)


class Shows0InARound(HintsOfDevice):
    """The register shows the id as long as nobody has answered it, as QEMU's does."""

    def word(self, state, name):
        is_answered = self.copying(state).phase in {HintPhase.TAKING, HintPhase.TOLD}
        return STOP if is_answered else super().word(state, name)


class Shows0AndGoesOn(Shows0InARound):
    """It makes use of hints whatever its operator says."""

    def publish_stop(self, state, _pages):
        return state, ()


class AsksOnce(HintsOfDevice):
    """While its id is not answered it has no use for another."""

    def publish_id(self, state, pages):
        is_asking = self.copying(state).phase is HintPhase.ASKING
        return (state, ()) if is_asking else super().publish_id(state, pages)


class AsksOnceAloud(AsksOnce):
    """It announces the id again that stands there."""

    def publish_id(self, state, pages):
        after, outputs = super().publish_id(state, pages)
        return (after, outputs) if outputs else self.publish(after, self.copying(after).current)


class CopiesAtTheEndOfTheRound(HintsOfDevice):
    """It has its copy as soon as the driver has ended its round."""

    def end_round(self, state, pages):
        return self.publish_done(state, pages)


@pytest.mark.parametrize(
    ("vector", "part", "status"),
    [
        ("hint-of-several-descriptors", SaysThatItWrote, Status.PASSED),
        ("hints-after-the-end-of-the-round", SaysThatItWrote, Status.PASSED),
        ("hint-of-2-mib", ZeroesHintsBeforeDone, Status.PASSED),
        ("hinted-page-is-written", ZeroesHintsBeforeDone, Status.PASSED),
        ("hints-after-stop", Shows0InARound, Status.PASSED),
        ("driver-writes-0x0-over-the-command-id", Shows0InARound, Status.PASSED),
        ("hints-after-stop", Shows0AndGoesOn, Status.NOT_EXERCISED),
        ("new-id-after-stop-overtakes-a-round", Shows0AndGoesOn, Status.NOT_EXERCISED),
        ("ids-nobody-answers-are-not-used-again", AsksOnce, Status.NOT_EXERCISED),
        ("id-of-before-is-answered-late", AsksOnce, Status.NOT_EXERCISED),
        ("id-of-before-is-answered-late", AsksOnceAloud, Status.NOT_EXERCISED),
        ("hinted-page-is-written", CopiesAtTheEndOfTheRound, Status.PASSED),
        ("every-page-of-a-hint-is-written", CopiesAtTheEndOfTheRound, Status.PASSED),
    ],
)
def test_a_device_stays_clean(vector, part, status):
    outcome = judged(vector, part)
    assert (outcome.findings, outcome.advice, outcome.status) == ((), (), status)


def test_what_was_written_after_the_copy_shows_nothing_of_the_device():
    name = "every-page-of-a-hint-is-written"
    assert judged(name, HintsOfDevice).exercised["HINT-19"] > 0
    assert "HINT-19" not in judged(name, CopiesAtTheEndOfTheRound).exercised


def test_a_0_that_was_there_before_keeps_no_requirement():
    assert judged("hints-after-stop", Shows0InARound).exercised["HINT-15"] > 0
    assert "HINT-15" not in judged("hints-after-stop", Shows0AndGoesOn).exercised


class Ends2Times(HintsOfDriver):
    """It says twice that its round is over, as far as there is room."""

    def end_round(self, state):
        state, outputs = super().end_round(state)
        ended = any(isinstance(one, Available) and one.readable == bytes(4) for one in outputs)
        if not ended or not self.driver.has_room(state, FREE_PAGE):
            return state, outputs
        state, more = self.send(state, STOP)
        return state, (*outputs, *more)


class HintsManyBlocksAtOnce(HintsOfDriver):
    """Its buffers have 16 descriptors each."""

    def go_on(self, state):
        outputs = []
        while self.hinting(state).phase is RoundPhase.HINTING and self.may_hint(state):
            some = [block for block, _ in zip(blocks(self.free(state)), range(16), strict=False)]
            if not some:
                break
            pages = PageSet(some)
            hinting = self.hinting(state)
            state = self.remember(state, replace(hinting, hinted=hinting.hinted | pages))
            room = tuple(
                Segment(count << PAGE_SHIFT, writable=True, address=first << PAGE_SHIFT)
                for first, count in some
            )
            state, more = self.driver.lend(state, Flight(FREE_PAGE, pages), room)
            outputs += more
        if self.hinting(state).phase is RoundPhase.ENDING or not self.free(state):
            state, more = self.follow(state, RoundInput.EXHAUSTED)
            outputs += more
        return state, tuple(outputs)


class GivesPagesBackBeforeDone(HintsOfDriver):
    """Its guest needs the hinted pages, and has them free again by the next round (HINT-07)."""

    def begin_round(self, state):
        return super().begin_round(self.release(state))


@pytest.mark.parametrize(
    ("vector", "part"),
    [
        ("driver-answers-the-same-id-once", Ends2Times),
        ("driver-does-not-begin-a-round-twice", Ends2Times),
        ("driver-is-stopped-in-a-round", HintsManyBlocksAtOnce),
        ("driver-is-done-in-a-round", HintsManyBlocksAtOnce),
        ("driver-hints-odd-runs", HintsManyBlocksAtOnce),
        ("driver-hints-what-becomes-free-in-a-round", GivesPagesBackBeforeDone),
    ],
)
def test_a_driver_stays_clean(vector, part):
    outcome = judged(vector, part)
    assert (outcome.findings, outcome.advice) == ((), ())
    assert outcome.exercised["HINT-12"] > 0
