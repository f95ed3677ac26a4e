"""Rules about the copy of guest memory for whose sake a device asked for hints."""

from __future__ import annotations

from collections.abc import Iterator

from balloon_spec.families.base.discards import Discards
from balloon_spec.families.base.guest_memory import GuestMemory
from balloon_spec.families.free_page_hint.events import Skipped
from balloon_spec.families.free_page_hint.hinted_pages import HintedPages
from balloon_spec.judge.decision import Decision, broken, kept
from balloon_spec.judge.rule import Scene, rule
from balloon_spec.pages import PageSet


@rule(Skipped, "HINT-17", "HINT-19", "HINT-26", "HINT-28")
def nothing_is_lost(event: Skipped, scene: Scene) -> Iterator[Decision]:
    """The copy lacks pages that were hinted under the current id and not written since, and no others."""
    hints = scene[HintedPages]
    # What is in the balloon, or was and is empty, holds nothing; what was written late may be there or not.
    open_to_device = scene[GuestMemory].left_to_device - hints.lets_go() | scene[Discards].discarded
    looked, missing = event.looked - hints.late - open_to_device, event.pages - hints.late - open_to_device
    written = hints.must_be_copied
    yield from _left(
        "HINT-19",
        "pages that the guest wrote after their command id was published are missing in the copy",
        missing & written,
        looked & written,
    )
    stale = hints.stale_in_copy - written
    yield from _left(
        "HINT-17",
        "pages that were not hinted under the current command id are missing in the copy",
        missing & stale,
        looked & stale,
    )
    may = hints.may_be_skipped
    if not (may or written or stale):
        return
    others = looked - may - written - stale
    yield from _left("HINT-26", "pages that no hint names are missing in the copy", missing & others, others)
    should = looked & hints.should_be_skipped
    if should and missing.isdisjoint(should):
        yield broken(
            "HINT-28",
            "none of the hinted pages was left out of the copy",
            field="page",
            expected=f"left out: some of {should}",
            seen="copied",
        )
    elif should:
        yield kept("HINT-28")


def _left(requirement: str, words: str, missing: PageSet, looked: PageSet) -> Iterator[Decision]:
    if missing:
        yield broken(requirement, words, field="page", expected=f"copied: {missing}", seen="missing")
    elif looked:
        yield kept(requirement)
