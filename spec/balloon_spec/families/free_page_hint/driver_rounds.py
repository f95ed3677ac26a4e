"""Rules about what a driver sends on the free-page queue, and when."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from balloon_spec.events import Available, ConfigurationWritten, Quiet, Side
from balloon_spec.families.base.balloon import Balloon
from balloon_spec.families.base.course import Course
from balloon_spec.families.free_page_hint import COMMAND_ID, DONE, FREE_PAGE
from balloon_spec.families.free_page_hint.hinted_pages import HintedPages
from balloon_spec.families.free_page_hint.rounds import Command, Phase, Rounds, command_of
from balloon_spec.judge.buffers_in_flight import Buffers
from balloon_spec.judge.decision import Decision, broken, kept, kept_if
from balloon_spec.judge.rule import Scene, rule
from balloon_spec.judge.session import Session
from balloon_spec.pages import PAGE_BYTES, PageSet
from balloon_spec.wire.layout import swapped

_BLOCK_PAGES: Final = 1024
"""4 MiB, the largest block that guests of 4 KiB pages hint; smaller ones a driver may leave alone."""


_PLENTY_PAGES: Final = 4096
"""16 MiB. If that much is free, and half of the guest's memory, some block of 4 MiB is."""


def _has_a_block(pages: PageSet) -> bool:
    return any(run.end - -(-run.first // _BLOCK_PAGES) * _BLOCK_PAGES >= _BLOCK_PAGES for run in pages)


def _has_room_for_a_block(free: int, scene: Scene) -> bool:
    """Tell whether so much is free that some block is; not if some of it may be in hints of before."""
    rounds, memory = scene[Rounds], scene[Session].memory
    held = rounds.kept_back or rounds.released or rounds.given_back
    return memory is not None and not held and free >= max(_PLENTY_PAGES, memory.pages // 2)


def _lent(scene: Scene) -> PageSet:
    """Return the pages that are with the device for another reason than hints: they cannot be hinted."""
    others = (one for one in scene.exchange.companions if not isinstance(one, HintedPages))
    return PageSet.union(one.lets_go() for one in others)


@rule(Available, "HINT-03", "HINT-06", "HINT-12", "HINT-30", "HINT-31", "HINT-02")
def a_round_begins_with_the_id(event: Available, scene: Scene) -> Iterator[Decision]:
    """The id of a start is one that was published, is sent once, and follows the end of the round before."""
    rounds, buffer = scene[Rounds], scene.buffer
    if buffer is None or buffer.queue is not FREE_PAGE or command_of(buffer) is not Command.START:
        return
    number, raw = rounds.number_of(buffer), int.from_bytes(event.readable, "little")
    turned = swapped(raw, COMMAND_ID.length_bytes)
    if rounds.phase is Phase.BEGUN and number not in {rounds.round, DONE}:
        yield broken(
            "HINT-06",
            "a round is begun, and the one before it was not ended",
            field="cmd_id",
            expected=f"0 after {rounds.round or 0:#x}",
            seen=f"{number:#x}",
            data=event.readable,
        )
    if rounds.current is None:
        return
    if number not in rounds.published:
        modern = scene[Session].has("VERSION_1")
        if modern and turned in rounds.published:
            yield broken(
                "HINT-30",
                "the command id is big-endian",
                field="cmd_id",
                expected=f"{turned:#x}",
                seen=f"{raw:#x}",
                data=event.readable,
            )
            return
        yield broken(
            "HINT-12",
            "DONE is the device's word" if number == DONE else "a command id is sent that was not published",
            field="cmd_id",
            expected=f"{rounds.current:#x}",
            seen=f"{number:#x}",
            data=event.readable,
        )
        return
    yield kept("HINT-12")
    order = rounds.order_of(buffer)
    if order == "little":
        yield kept("HINT-30")
    if order:
        yield kept_if(
            "HINT-31",
            rounds.byteorder in {"", order},
            "command ids are in different orders of bytes",
            field="cmd_id",
            expected=f"{rounds.byteorder}-endian, as before",
            seen=f"{order}-endian",
            data=event.readable,
        )
    yield kept_if(
        "HINT-03",
        number not in rounds.sent,
        "a command id is sent again",
        field="cmd_id",
        expected="each published id once",
        seen=f"{number:#x} once more",
        data=event.readable,
    )
    if number != rounds.current and rounds.read_by_driver == rounds.current:
        yield broken(
            "HINT-02",
            "a round is begun with an id of before",
            field="cmd_id",
            expected=f"{rounds.current:#x}, which the driver has read",
            seen=f"{number:#x}",
            data=event.readable,
        )


@rule(Available, "HINT-05", "HINT-06")
def a_round_ends_with_0(_event: Available, scene: Scene) -> Iterator[Decision]:
    """A round that was begun is ended."""
    buffer = scene.buffer
    if buffer is None or buffer.queue is not FREE_PAGE or scene[Rounds].phase is not Phase.BEGUN:
        return
    if command_of(buffer) is Command.STOP:
        yield kept("HINT-06")
        if scene[Rounds].stopped_in_round:
            yield kept("HINT-05")


@rule(Quiet, "HINT-04", "HINT-05", "HINT-06")
def a_driver_does_what_is_asked(event: Quiet, scene: Scene) -> Iterator[Decision]:
    """A driver that was given its time has hinted if it could, stopped if it should, and ended its round."""
    rounds = scene[Rounds]
    if event.side is not Side.DRIVER or not scene[Session].has("FREE_PAGE_HINT"):
        return
    if rounds.stopped_in_round:
        yield kept("HINT-05")
    if rounds.phase is Phase.BEGUN and not scene[Buffers].on(FREE_PAGE):
        yield broken(
            "HINT-06",
            "a round is not ended",
            field="free-page queue",
            expected=f"0 after {rounds.round or 0:#x}",
            seen="nothing more",
        )
    free = rounds.unused
    if not rounds.is_asked or rounds.hinted_since_published:
        return
    if free is None:
        # A driver that can be told what is free hints that, and nothing before it was told.
        said = None if scene.exchange.steered else scene[Course].free_now()
        if said is not None and _has_room_for_a_block(said, scene):
            yield broken(
                "HINT-04",
                "hints are wanted, and a guest with much free memory hints nothing",
                field="free-page queue",
                expected="a hint",
                seen=f"none, and {said} free pages in the statistics",
            )
        return
    hinted = rounds.kept_back | rounds.released | rounds.given_back
    if _has_a_block(free - hinted - scene[Balloon].named - _lent(scene)):
        yield broken(
            "HINT-04",
            "hints are wanted, and no free page is hinted",
            field="free-page queue",
            expected=f"some of {free}",
            seen="no hint",
        )


@rule(Available, "HINT-02", "HINT-04", "HINT-05", "HINT-10", "HINT-13", "HINT-32")
def pages_are_hinted_in_a_round(event: Available, scene: Scene) -> Iterator[Decision]:
    """Hints come after the id, as long as they are wanted, and are of free pages."""
    rounds, buffer = scene[Rounds], scene.buffer
    if buffer is None or buffer.queue is not FREE_PAGE or event.readable or not event.writable_bytes:
        return
    if rounds.phase is Phase.IDLE:
        yield broken(
            "HINT-02",
            "pages are hinted outside a round",
            field="free-page queue",
            expected="a command id first",
            seen="a hint",
        )
    elif not rounds.hinted_in_round and rounds.phase is Phase.BEGUN:
        yield kept("HINT-02")
    if rounds.is_of_current:
        yield kept("HINT-04")
    if rounds.settled and rounds.phase is not Phase.IDLE:
        yield broken(
            "HINT-05",
            "pages are hinted although hints are not wanted any more",
            field="free-page queue",
            expected=f"none since free_page_hint_cmd_id is {rounds.current}",
            seen="a hint",
        )
    if not event.extents:
        return
    pages, balloon = buffer.content.intended, scene[Balloon].named
    if pages & rounds.given_back:
        yield kept("HINT-10")
    if balloon:
        yield kept_if(
            "HINT-13",
            pages.isdisjoint(balloon),
            "pages of the balloon are hinted",
            field="address",
            expected="pages that the guest has and does not use",
            seen=pages & balloon,
        )
    if rounds.unused is not None:
        yield kept_if(
            "HINT-13",
            pages <= rounds.unused,
            "pages that the guest uses are hinted",
            field="address",
            expected=rounds.unused,
            seen=pages - rounds.unused,
        )
    odd = next((one for one in event.extents if one[0] % PAGE_BYTES or one[1] % PAGE_BYTES), None)
    yield kept_if(
        "HINT-32",
        odd is None,
        "a part of a page is hinted",
        field="address",
        expected="whole pages of 4 KiB",
        seen=f"{odd[1]} bytes at {odd[0]:#x}" if odd else "",
    )


@rule(Available, "HINT-10")
def done_gives_pages_back(_event: Available, scene: Scene) -> Iterator[Decision]:
    """A driver that ends a round by itself, without a hint, had nothing to hint: it kept all over DONE."""
    rounds, buffer = scene[Rounds], scene.buffer
    if buffer is None or buffer.queue is not FREE_PAGE or command_of(buffer) is not Command.STOP:
        return
    if not rounds.is_of_current or rounds.hinted_in_round or rounds.hinted_since_published:
        return
    free = rounds.given_back if rounds.unused is None else rounds.given_back & rounds.unused
    if _has_a_block(free - scene[Balloon].named - _lent(scene)):
        yield broken(
            "HINT-10",
            "pages that were hinted before DONE are not hinted again",
            field="free-page queue",
            expected=f"some of {free}",
            seen="no hint in the round",
        )


@rule(ConfigurationWritten, "HINT-14")
def the_command_id_is_the_devices(event: ConfigurationWritten, scene: Scene) -> Iterator[Decision]:
    """A driver leaves the field of the device alone."""
    if not scene[Session].has("FREE_PAGE_HINT"):
        return
    yield kept_if(
        "HINT-14",
        not COMMAND_ID.is_touched(event.offset, len(event.data)),
        "the driver wrote free_page_hint_cmd_id",
        field=COMMAND_ID.name,
        expected="no store",
        seen=f"{event.data.hex(' ')} at offset {event.offset}",
        data=event.data,
    )
