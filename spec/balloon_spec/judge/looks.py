"""What a look at guest memory shows of the pages of returned inflate buffers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from balloon_spec import events as ev
from balloon_spec.judge.given_back import (
    Circumstances,
    Form,
    LeftBehind,
    Since,
    blame,
    host_page_of,
)
from balloon_spec.pages import EMPTY, PageSet

if TYPE_CHECKING:
    from balloon_spec.judge.known import Known

__all__ = ["Hope", "able_after", "blamed", "host_page_after", "looked_at"]


@dataclass(frozen=True, slots=True)
class Hope:
    """Pages of a returned inflate buffer whose discard is awaited at the next look.

    ``number`` is that of the buffer, ``inflations`` the inflate buffers that the device was notified of up to
    its return.
    """

    pages: PageSet
    form: Form
    tests: frozenset[str]
    asked: bool
    number: int
    inflations: int
    at_seconds: float


def looked_at(known: Known, event: ev.Discarded) -> list[LeftBehind]:
    """Return what a look shows of the pages of each buffer that it looks at."""
    gone = known.gone | event.pages
    return [_look_at(known, hope, event, gone) for hope in known.hoped if hope.pages & event.looked]


def _look_at(known: Known, hope: Hope, event: ev.Discarded, gone: PageSet) -> LeftBehind:
    looked = hope.pages & event.looked
    if looked <= gone:
        since = Since.NOTHING if known.count == hope.number + 1 else Since.SOMETHING
        asked = hope.asked and known.is_asked
    else:
        since = Since.INFLATED if known.inflations > hope.inflations else Since.SOMETHING
        asked = hope.asked or known.is_asked
    seen = Circumstances(hope.form, known.features, hope.tests, since, asked)
    waited = (known.now_seconds or 0.0) - hope.at_seconds
    if not (looked - gone or looked & event.late):
        waited -= event.seconds
    return LeftBehind(seen, known.event, looked, looked - gone, waited)


def able_after(known: Known, event: ev.Discarded) -> dict[Circumstances, float]:
    """Return ``able`` with what a look shows."""
    able = dict(known.able)
    whole = {hope.pages for hope in known.hoped}
    for one in looked_at(known, event):
        if not one.missing and one.looked in whole:
            before = able.get(one.circumstances, one.waited_seconds)
            able[one.circumstances] = min(before, one.waited_seconds)
    return able


def blamed(known: Known, event: ev.Discarded) -> list[tuple[LeftBehind, str | None]]:
    """Return what a look shows to be left behind, and what that breaks; None for no more than INF-07."""
    able, host_page = able_after(known, event), host_page_after(known, event)
    return [
        (one, blame(one, able, host_page, losses=known.losses))
        for one in looked_at(known, event)
        if one.missing
    ]


def host_page_after(known: Known, event: ev.Discarded) -> int:
    """Return ``host_page`` with what a look finds discarded."""
    # Beside a page that was seen gone before, and is filled again, nothing ends.
    before = known.gone | known.forbidden.get("DEF-08", EMPTY)
    return min(filter(None, (known.host_page, host_page_of(event.pages, event.looked - before))), default=0)
