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

__all__ = ["Returned", "able_after", "blamed", "host_page_after", "looked_at"]


@dataclass(slots=True, eq=False)
class Returned:
    """An inflate buffer that was returned, and whose pages have not all been looked at since.

    ``number`` is that of the buffer, ``inflations`` the inflate buffers that the device was notified of up to
    its return, and ``order`` how many such buffers were returned before. ``pages`` is how many are awaited:
    those that no look has shown yet, and that were not taken back. ``is_old`` says that too many later
    buffers named one of them again to say what became of it for this one.
    """

    form: Form
    tests: frozenset[str]
    asked: bool
    number: int
    inflations: int
    at_seconds: float
    order: int
    pages: int
    is_old: bool = False


def looked_at(known: Known, event: ev.Discarded) -> list[LeftBehind]:
    """Return what a look shows of the pages of each buffer that it looks at."""
    return [_look_at(known, one, looked, event) for one, looked in _awaited(known, event)]


def _awaited(known: Known, event: ev.Discarded) -> list[tuple[Returned, PageSet]]:
    """Return each buffer of which a page is awaited and was looked at, with those pages, in their order."""
    runs: dict[Returned, list[tuple[int, int]]] = {}
    for start, end, buffers in known.awaited.within(event.looked):
        for one in buffers:
            runs.setdefault(one, []).append((start, end - start))
    return [(one, PageSet(runs[one])) for one in sorted(runs, key=lambda one: one.order) if not one.is_old]


def _look_at(known: Known, hope: Returned, looked: PageSet, event: ev.Discarded) -> LeftBehind:
    missing = looked - known.gone - event.pages
    if not missing:
        since = Since.NOTHING if known.count == hope.number + 1 else Since.SOMETHING
        asked = hope.asked and known.is_asked
    else:
        since = Since.INFLATED if known.inflations > hope.inflations else Since.SOMETHING
        asked = hope.asked or known.is_asked
    seen = Circumstances(hope.form, known.features, hope.tests, since, asked)
    waited = (known.now_seconds or 0.0) - hope.at_seconds
    if not (missing or looked & event.late):
        waited -= event.seconds
    return LeftBehind(seen, known.event, looked, missing, waited)


def able_after(known: Known, event: ev.Discarded) -> dict[Circumstances, float]:
    """Return ``able`` with what a look shows."""
    able = dict(known.able)
    for hope, looked in _awaited(known, event):
        one = _look_at(known, hope, looked, event)
        if not one.missing and looked.pages == hope.pages:
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
    before = known.gone, known.forbidden.get("DEF-08", EMPTY)
    shown = host_page_of(event.pages, event.looked, *before)
    return min(filter(None, (known.host_page, shown)), default=0)
