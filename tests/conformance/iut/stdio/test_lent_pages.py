"""The pages that a driver's program lends the device are looked at if it lets the suite read guest memory."""

import stdio_programs as programs

from balloon_conformance.iut.contract import LooksAgain, Setup
from balloon_spec.events import Available, Contents, Guest, GuestAction, Memory
from balloon_spec.families.free_page_hint import FREE_PAGE
from balloon_spec.families.page_reporting import REPORTING
from balloon_spec.pages import PAGE_BYTES, PageSet
from balloon_spec.profiles import MAINLINE

FEATURES = MAINLINE.mask(["VERSION_1", "STATS_VQ", "FREE_PAGE_HINT", "PAGE_REPORTING"])
HINTS, REPORTS = (MAINLINE.queue_index(queue, FEATURES, FEATURES) for queue in (FREE_PAGE, REPORTING))
RUN = PageSet([(16, 600)])

BODY = f"""
memory = bytearray(b"\\xaa" * {PAGE_BYTES * 1024})
report = {{"event": "available", "queue": {REPORTS}, "buffer": "r", "readable": "",
          "writable": {RUN.pages * PAGE_BYTES},
          "segments": [{{"address": "0x10000", "length": {RUN.pages * PAGE_BYTES}, "writable": True}}]}}
hint = {{**report, "queue": {HINTS}, "buffer": "h"}}
statistics = {{"event": "available", "queue": 2, "buffer": "s", "readable": "", "writable": 4096,
              "segments": [{{"length": 4096, "writable": True}}]}}
told = {{"event": "contents", "pages": [[16, 1]], "fill": "00"}}
for seq, command, line in answers():
    if command == "negotiate":
        tell(seq=seq, accepted=line["offered"], events=[statistics, told, report, hint])
    elif command == "memory-read":
        at = int(line["address"], 16)
        tell(seq=seq, data=memory[at:at + line["length"]].hex())
    elif command == "configuration-change":
        memory[0x11000:0x11004] = b"used"
        tell(seq=seq)
    else:
        tell(seq=seq)
"""


def lent(*capabilities):
    """Return what is seen when buffers come, and when one is about to be returned after the guest wrote."""
    words = programs.program(BODY, role="driver", capabilities=("synchronous", *capabilities))
    adapter = programs.target(words).make()
    assert isinstance(adapter, LooksAgain)
    try:
        adapter.start(Setup(MAINLINE, 1024))
        adapter.negotiate(FEATURES, bytes(12))
        came = list(adapter.observe(0.0))
        adapter.change_configuration(bytes(12))
        adapter.look_again(HINTS, "h")
        adapter.look_again(REPORTS, "r")
        return came, list(adapter.observe(0.0))
    finally:
        adapter.stop()


def test_they_are_read_when_the_buffer_comes_and_before_it_goes_back():
    came, again = lent("guest-memory")
    # The pages of a hint are the guest's to use, and nobody has to read them.
    assert [type(one) for one in came] == [Memory, Available, Contents, Available, Available]
    # What the program says of memory that the suite reads does not count.
    assert came[2] == Contents(RUN, b"\xaa" * 4)
    used = PageSet([(17, 1)])
    assert again == [Guest(GuestAction.USE, used), Guest(GuestAction.LEAVE, RUN - used)]


def test_without_guest_memory_the_program_says_what_they_hold():
    came, again = lent()
    assert came[2] == Contents(PageSet([(16, 1)]), b"\0")
    assert again == []
