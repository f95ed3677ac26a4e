"""Answers of the greatest length. As vectors they would fill a file with their pages."""

from __future__ import annotations

from balloon_conformance.iut.contract import Capability
from balloon_conformance.running.case import NotExercised
from balloon_conformance.running.session import DeviceSession
from balloon_conformance.scenarios import scenario
from balloon_conformance.scenarios.driving import Driving
from balloon_spec.events import Side
from balloon_spec.families.chunk_transfer import response_message
from balloon_spec.families.chunk_transfer.chunk import Chunk
from balloon_spec.families.chunk_transfer.response_header import FLAG_CONT, FLAG_DONE
from balloon_spec.pages import EMPTY, PageSet

_PAGES = PageSet([(0x1000, 32768)])
"""As one chunk for each page they fill a message."""
_MEMORY_PAGES = 0x9000


@scenario(
    Side.DEVICE,
    *("HDR-07", "REQ-20", "UNUSED-01"),
    features=frozenset({"HOST_REQ_VQ"}),
    memory_pages=_MEMORY_PAGES,
)
def test_the_largest_answer(session: DeviceSession) -> None:
    """An answer of 524288 bytes of response data is accepted, and so is the DONE after it."""
    session.need(Capability.OPERATOR_UNUSED_PAGES)
    if missing := _PAGES - session.memory:
        raise NotExercised(f"the guest has no pages {missing}; give it the memory that start asks for")
    driving = Driving(session, EMPTY)
    driving.begin()
    number = driving.requested(0x1234)
    if number is None:
        return
    every = [Chunk(page, 1) for run in _PAGES for page in range(run.first, run.end)]
    for flag, chunks in ((FLAG_CONT, every), (FLAG_DONE, [])):
        name = "done" if flag == FLAG_DONE else "largest"
        data = response_message.build(response_message.message(chunks, flag=flag, id=number))
        if not driving.answered(name, data):
            return
    driving.look(_PAGES)
