"""What a buffer puts a device to the test of: one table, in the order in which blame is tried.

A buffer that is unusual in some way tests requirements beyond those that every buffer does. How a device
stands such a trial shows in what becomes of the buffer: it is returned, its pages are discarded, other pages
are left alone, an open request stays open. If it does not, the first of the buffer's trials that shows in
this way is what was broken: the others follow from it, or say less.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

__all__ = [
    "BY_DISCARD",
    "BY_HARM",
    "BY_REQUEST",
    "BY_RETURN",
    "BY_RETURN_OF_MALFORMED",
    "LASTING",
    "TRIALS",
    "WELCOME",
    "Trial",
    "among",
    "first",
    "of",
]


@dataclass(frozen=True, slots=True)
class Trial:
    """One requirement that a buffer may put a device to the test of, and all the ways in which that shows.

    The words are those of a finding, empty if it does not show in that way: ``not_returned`` if the buffer
    does not come back, ``harmed`` if pages are changed that the requirement forbids to touch, ``closed`` if
    the buffer closed a request that it does not answer. A malformed buffer that does not come back breaks no
    more than SAFE-03, unless a trial of its ``tests_malformed``. With ``tests_discard`` it shows whether the
    pages are discarded. If it ``lasts``, the pages are forbidden as long as no inflate buffer names them, and
    else until all memory was looked at. A device that asks for a reset although it was to be ``welcome``
    breaks the requirement by that.
    """

    requirement: str
    not_returned: str = ""
    harmed: str = ""
    closed: str = ""
    tests_malformed: bool = False
    tests_discard: bool = False
    lasts: bool = False
    welcome: bool = False


TRIALS: Final = (
    Trial("SAFE-04", "a well-formed buffer is not returned after a malformed one and a reset"),
    Trial("SAFE-05", "a well-formed buffer is not returned after a malformed one"),
    Trial("REQ-23", "a buffer is not returned while a request is unanswered"),
    Trial(
        "RESET-01",
        "a buffer in the form of the newly negotiated features is not returned",
        tests_discard=True,
    ),
    Trial("REQ-18", "a DONE without chunks is not returned"),
    Trial(
        "REQ-19",
        "a message that matches no open request is not returned",
        closed="a message that belongs to no open request closed the open one",
        tests_malformed=True,
        welcome=True,
    ),
    Trial("REQ-25", closed="a message whose flag is neither CONT nor DONE closed the open request"),
    Trial("UNUSED-03", "a message that names pages twice, or pages of the balloon, is not returned"),
    Trial("CHUNK-09", harmed="a chunk of zero pages had an effect"),
    Trial("PFN-07", harmed="an entry was read as a negative number, and had an effect"),
    Trial("PFN-09", harmed="a partial entry of an array had an effect", tests_malformed=True),
    Trial(
        "SAFE-06",
        harmed="a message whose data_len is no multiple of 16 had an effect",
        closed="a message whose data_len is no multiple of 16 closed the open request",
    ),
    Trial("SAFE-07", harmed="bytes beyond data_len had an effect"),
    Trial("SAFE-08", closed="a message shorter than its header closed the open request"),
    Trial("SAFE-09", harmed="a chunk that wraps 2^64 had an effect"),
    Trial("SAFE-11", harmed="a chunk that lies partly outside guest memory had an effect"),
    Trial("UNUSED-01", harmed="pages that were reported unused were changed", lasts=True),
    Trial(
        "DEF-07",
        "a deflate buffer that names pages outside the balloon is not returned",
        harmed="pages were changed that a deflate buffer names and that were never inflated",
        lasts=True,
        welcome=True,
    ),
    Trial("DEF-08", harmed="pages that were taken back were changed", lasts=True),
    Trial("RESET-06", harmed="pages named before the reset were changed after it", lasts=True),
    Trial("INF-06", "an inflate buffer that names pages of the balloon is not returned"),
    Trial("QUEUE-05", "a buffer cut into several descriptors is not returned", tests_discard=True),
    Trial("HDR-07", "a long message is not returned", tests_discard=True),
    Trial(
        "HDR-05",
        closed="the header of a message on another queue closed the open request",
        tests_discard=True,
    ),
    Trial("CHUNK-06", tests_discard=True),
    Trial("CHUNK-08", tests_discard=True),
    Trial("CHUNK-10", tests_discard=True),
    Trial("CHUNK-13", tests_discard=True),
    Trial("PFN-10", tests_discard=True),
    Trial("PFN-06", tests_discard=True),
    Trial("PFN-05", tests_discard=True),
    Trial("CONC-06", "a buffer is not returned while another queue has one in flight"),
    Trial("QUEUE-06", "a buffer is not returned while its queue has another in flight"),
)
"""Every trial, in the order in which blame is tried: the most telling first."""

_BY_NAME: Final[Mapping[str, Trial]] = MappingProxyType({one.requirement: one for one in TRIALS})

BY_RETURN: Final = tuple(one.requirement for one in TRIALS if one.not_returned)
"""What the return of a well-formed buffer puts to the test."""
BY_RETURN_OF_MALFORMED: Final = tuple(one.requirement for one in TRIALS if one.tests_malformed)
"""What the return of a malformed buffer puts to the test beyond SAFE-03."""
BY_DISCARD: Final = tuple(one.requirement for one in TRIALS if one.tests_discard)
"""What the discard of a buffer's pages puts to the test."""
BY_HARM: Final = tuple(one.requirement for one in TRIALS if one.harmed)
"""What forbids touching particular pages."""
BY_REQUEST: Final = tuple(one.requirement for one in TRIALS if one.closed)
"""What leaves an open request open."""
LASTING: Final = frozenset(one.requirement for one in TRIALS if one.lasts)
"""What forbids touching pages for as long as no inflate buffer names them."""
WELCOME: Final = tuple(one.requirement for one in TRIALS if one.welcome)
"""By what a device copes with a well-formed buffer that comes at the wrong time."""


def of(requirement: str) -> Trial:
    """Return the trial of a requirement; KeyError if it is none."""
    return _BY_NAME[requirement]


def first(names: Collection[str], tested: Collection[str]) -> str | None:
    """Return the requirement to blame: the first of ``names`` that was tested, None if none was."""
    return next(among(names, tested), None)


def among(names: Collection[str], tested: Collection[str]) -> Iterator[str]:
    """Yield those of ``names`` that were tested, in their order."""
    return (name for name in names if name in tested)
