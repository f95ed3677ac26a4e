"""What a device gives back of the memory it was named, and what that says of the pages it left.

INF-07 is a SHOULD: a device may have reasons of its own to discard nothing, or to discard late. So pages that
are still there break no more than INF-07 by themselves. They break a MUST if the device gave others back
under the same circumstances: then it can, it may, and it passed these over. The comparison is between two
looks at memory, of one trace or of two traces of one device.

====================  ==================================================================================
what was seen         what is broken
====================  ==================================================================================
the same, but for     a requirement that both buffers put to the test but one: that one
one requirement
pages of one buffer,  the first requirement that the buffer puts to the test
in part
the same form         as above; if the buffer tests nothing, that its pages are acted on (CHUNK-13, PFN-05)
the other form        only when no more can come: the device does not act on this form at all
====================  ==================================================================================

A buffer of which a part is to be passed over is one that a device may pass over whole: what is left of it
breaks no more than the SHOULD about the other parts, whatever else the buffer puts to the test.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import Any, TypeAlias

from balloon_spec.judge import trials
from balloon_spec.judge.shape import known_shapes
from balloon_spec.pages import PageSet

__all__ = [
    "Abilities",
    "Circumstances",
    "GivenBack",
    "LeftBehind",
    "Losses",
    "Since",
    "blame",
    "form_of",
    "host_page_of",
    "on_its_pages",
]

_FEATURES_OF_BEFORE = "RESET-01"
"""To break it takes a device that does well what it is asked in the same features from the start."""


class Since(StrEnum):
    """What the driver made available between a buffer and the look at its pages.

    A device may collect what it is to discard until it has something else to do.
    """

    NOTHING = "nothing"
    SOMETHING = "something"
    INFLATED = "inflated"
    """The device was notified of a further inflate buffer."""


@dataclass(frozen=True, slots=True)
class Circumstances:
    """Of a look at the pages of a returned inflate buffer.

    ``form`` is the name of the buffer's shape, ``features`` are the names of those negotiated. ``tests`` are
    the trials to which the buffer puts the device and that show by a discard. ``asked`` says that the device
    had a reason to keep memory for a while: a host request was open, as while the guest is moved elsewhere.
    """

    form: str
    features: frozenset[str]
    tests: frozenset[str]
    since: Since = Since.NOTHING
    asked: bool = False


@dataclass(frozen=True, slots=True)
class LeftBehind:
    """Pages of a returned inflate buffer that were still there, at the look that is event ``event``.

    ``looked`` are the pages looked at, ``missing`` those of them that were not discarded. ``waited_seconds``
    is the time from the return to the look.
    """

    circumstances: Circumstances
    event: int
    looked: PageSet
    missing: PageSet
    waited_seconds: float = 0.0


_NOTHING: Mapping[Any, Any] = MappingProxyType({})

Abilities: TypeAlias = Mapping[Circumstances, float]
"""Under which circumstances all the pages of a buffer were found discarded, and how many seconds after."""


@dataclass(frozen=True, slots=True)
class GivenBack:
    """All that one trace shows of it; ``left`` is what it cannot decide by itself.

    ``host_page`` is as in :func:`blame`, 0 if nothing was discarded.
    """

    able: Abilities = field(default_factory=dict)
    left: tuple[LeftBehind, ...] = ()
    host_page: int = 0


Losses: TypeAlias = Mapping[tuple[str, frozenset[str]], str]
"""What was blamed for pages that were left, by the form of the buffer and what it puts to the test."""


def blame(
    left: LeftBehind, able: Abilities, host_page: int, *, losses: Losses = _NOTHING, final: bool = False
) -> str | None:
    """Name the requirement that pages left behind break; None if no more than INF-07 can be said.

    ``host_page`` is the size of the host's pages in pages of 4 KiB as far as discards tell, 0 if they do not;
    a part of such a page cannot be given back. With ``final`` nothing more will be learned of the device.
    What ``losses`` have of a buffer that puts no more to the test is blamed again: it is the same fault.
    """
    if not host_page or not _whole_pages(left.looked, host_page) & left.missing:
        return None
    peers = [one for one, seconds in able.items() if _covers(one, seconds, left)]
    own = left.circumstances
    table = trials.known()
    advice = trials.first(table.passing_over, own.tests)
    same = [one for one in peers if one.form == own.form]
    # After a change of form what went may be a page that the other form happens to name.
    in_part = left.missing != left.looked and _FEATURES_OF_BEFORE not in own.tests
    asked = [
        name
        for name in trials.among(table.by_discard, own.tests)
        if left.missing == left.looked or not table.of(name).finds_none
    ]
    if same or in_part:
        for (form, tests), name in losses.items():
            if form == own.form and tests <= own.tests:
                return name
        if advice is not None:
            return advice
        for name in asked:
            if any(_differs_in(name, own, one) for one in same):
                return name
        for name in asked:
            if name != _FEATURES_OF_BEFORE and (in_part or any(name not in one.tests for one in same)):
                return name
        plain = not asked or any(own.tests <= one.tests for one in same) or in_part
        return on_its_pages(own.form) if plain else None
    return (advice or on_its_pages(own.form)) if final and peers else None


def form_of(name: str) -> str:
    """Return the name of a form in which buffers name pages; ValueError for any other."""
    known = [one.name for one in known_shapes() if one.acted_on]
    if name not in known:
        raise ValueError(f"no form {name!r}; choose one of {', '.join(known)}")
    return name


def on_its_pages(form: str) -> str:
    """Return the requirement to act on what a buffer of this form names."""
    return next(one.acted_on for one in known_shapes() if one.name == form)


def _covers(one: Circumstances, seconds: float, left: LeftBehind) -> bool:
    """Tell whether a device that gave back under ``one`` has no reason to leave those pages."""
    own = left.circumstances
    soon_enough = seconds <= left.waited_seconds
    as_idle = one.since is Since.NOTHING or own.since is Since.INFLATED
    return soon_enough and as_idle and (one.asked or not own.asked)


def _differs_in(name: str, own: Circumstances, one: Circumstances) -> bool:
    """Tell whether ``one`` is as hard as ``own`` but for the requirement ``name``."""
    alike = name not in one.tests and own.tests - {name} <= one.tests
    return alike and (name != _FEATURES_OF_BEFORE or own.features == one.features)


def _whole_pages(pages: PageSet, host_page: int) -> PageSet:
    """Return what is left of ``pages`` when each run is rounded inward to pages of the host."""
    inward = ((-(-run.first // host_page), run.end // host_page) for run in pages)
    return PageSet((first * host_page, (end - first) * host_page) for first, end in inward if end > first)


def host_page_of(discarded: PageSet, looked: PageSet, *but: PageSet) -> int:
    """Return the largest page of the host, in pages of 4 KiB, that explains a discard; 0 if none shows.

    It shows if a run that was discarded ends beside a page that was not, and was looked at. Pages that are
    in one of the sets ``but`` show nothing.
    """

    def shows(pfn: int) -> bool:
        return pfn in looked and not any(pfn in one for one in but)

    starts = [run.first for run in discarded if run.first and shows(run.first - 1)]
    ends = [run.end for run in discarded if shows(run.end)]
    return min((one & -one for one in (*starts, *ends)), default=0)
