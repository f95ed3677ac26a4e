"""The defects of the posted driver: what each is, how it shows, and which case names it.

D1 to D15 show between driver and device. G1 to G8 are the guest's own, and show at most as silence. They were
found by reading the patches, by running their code in a model, and some of them on a kernel (``seen``). The
tests and the site use this data.
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["DEFECTS", "Defect"]

_SERIES = "<1489648127-37282-{}-git-send-email-wei.w.wang@intel.com>"
_CHUNKS = _SERIES.format(3)
"""Patch 2 of 4: VIRTIO_BALLOON_F_CHUNK_TRANSFER."""
_BLOCKS = _SERIES.format(4)
"""Patch 3 of 4: the free blocks."""
_REQUESTS = _SERIES.format(5)
"""Patch 4 of 4: VIRTIO_BALLOON_F_HOST_REQ_VQ."""
_SHARED_BUFFER = "<286AC319A985734F985F78AFA26841F7391E1AFC@shsmsx102.ccr.corp.intel.com>"
"""The mail of 5 April 2017, 07:47 UTC: both kinds share one buffer under the balloon's lock."""


@dataclass(frozen=True, slots=True)
class Defect:
    """One defect: a sentence on it, how it shows on the wire, and the requirements that name it there.

    ``mutant`` is the name of the mutant that has this defect alone; if there is none, ``why_none`` says why.
    ``found_by`` are cases that find it in a driver which chooses its own pages, as a kernel does, each with
    the requirement that it names first; for a non-defect, with the requirement that is kept there.
    ``recording`` is the file in ``tests/data/posted-driver`` that shows it. ``seen`` tells whether it was
    seen on a running kernel, recorded or not. ``sources`` are message-ids.
    """

    id: str
    title: str
    wire: str
    sources: tuple[str, ...]
    requirements: tuple[str, ...] = ()
    mutant: str = ""
    why_none: str = ""
    found_by: tuple[tuple[str, str], ...] = ()
    recording: str = ""
    seen: bool = False


DEFECTS: tuple[Defect, ...] = (
    Defect(
        "D1",
        "The first chunk after every flush of the full buffer is lost, and a stale one is sent in its place.",
        "Every message after the first of a burst begins with the first chunk of the first; `actual` counts "
        "the pages that should have stood there.",
        (_CHUNKS,),
        ("INF-03", "DEF-04"),
        "posted-loses-a-chunk-at-each-flush",
        found_by=(("a-fragmented-guest[3500]", "INF-03"),),
        recording="v8-fragmented.jsonl",
        seen=True,
    ),
    Defect(
        "D2",
        "A batch of one page whose number is a multiple of 64 is sent to nobody.",
        "`actual` moves by one and no message comes before it; a page leaves the balloon without a message.",
        (_CHUNKS,),
        ("INF-03", "DEF-05", "DEF-11"),
        "posted-skips-single-pages",
        found_by=(
            ("one-page-at-a-time[up]", "INF-03"),
            ("one-page-at-a-time[down]", "DEF-11"),
        ),
        seen=True,
    ),
    Defect(
        "D3",
        "Pages that compaction moves are not told to the host, and then on the wrong queue.",
        "The guest uses a page that is still in the balloon; the next message, inflate or deflate, begins "
        "with the new page and the old one.",
        (_CHUNKS,),
        ("DEF-05", "CFG-05"),
        "posted-keeps-moved-pages-to-itself",
        found_by=(("compaction-with-canaries", "DEF-05"),),
    ),
    Defect(
        "D4",
        "The fields cmd, flag and id of inflate and deflate messages are never written.",
        "Four bytes of kernel memory reach the host, or those of the last answer.",
        (_CHUNKS,),
        ("HDR-04",),
        "posted-sends-stale-headers",
        found_by=(("a-request-before-the-first-inflation", "HDR-04"),),
        recording="v8-basic.jsonl",
        seen=True,
    ),
    Defect(
        "D5",
        "An inflation walks the whole balloon, and names every page of it that lies in the range of the new "
        "ones.",
        "Pages are named and discarded again; the sum of sizes exceeds the difference of `actual`.",
        (_CHUNKS,),
        ("INF-11",),
        "posted-reports-the-balloon-again",
        found_by=(("one-page-at-a-time[up]", "INF-11"),),
    ),
    Defect(
        "D6",
        "When the buffer for unused pages is enlarged a pointer into an allocation is freed, and sent from "
        "after it.",
        "Answers, and all inflate and deflate messages after them, hold freed memory: reserved bits set, "
        "pages that do not exist.",
        (_REQUESTS, _CHUNKS),
        ("CHUNK-05",),
        "posted-answers-with-freed-memory",
        found_by=(("many-isolated-unused-pages[5000]", "CHUNK-05"),),
        seen=True,
    ),
    Defect(
        "D7",
        "A request is served inside the interrupt, where the driver takes a sleeping lock and spins.",
        "Asked while an inflate or deflate message is unanswered, the guest never does anything again, not "
        "even when that message is returned.",
        (_REQUESTS,),
        ("CONC-02", "CONC-03"),
        "posted-hangs-of-a-request",
        found_by=(
            ("a-request-beside-an-unanswered-buffer[inflate]", "CONC-02"),
            ("a-request-beside-an-unanswered-buffer[deflate]", "CONC-03"),
        ),
        seen=True,
    ),
    Defect(
        "D8",
        "Free blocks are counted against the words of the buffer, of which each takes two, and the list is "
        "scanned again from its head when they do not fit.",
        "CONT messages without end, all alike; or, in a buffer that held something already, pages named "
        "twice.",
        (_REQUESTS, _BLOCKS),
        ("UNUSED-05",),
        "posted-answers-without-end",
        found_by=(("many-isolated-unused-pages[3500]", "UNUSED-05"),),
        seen=True,
    ),
    Defect(
        "D9",
        "Guest pages larger than 4 KiB are taken for pages of 4 KiB.",
        "Chunks of one page with gaps between them, and unused pages named at a fraction of their address.",
        (_CHUNKS, _BLOCKS),
        ("INF-03", "UNUSED-10"),
        "posted-takes-large-pages-for-small-ones",
        found_by=(("canaries-in-the-balloon[told]", "INF-03"),),
    ),
    Defect(
        "D10",
        "Addresses above 4 GiB are cut to 32 bits in a 32-bit guest.",
        "A chunk names a page some multiple of 4 GiB below the one that was given up.",
        (_CHUNKS, _BLOCKS),
        ("CHUNK-01",),
        "posted-cuts-addresses",
        found_by=(("canaries-in-a-large-guest", "DEF-05"),),
    ),
    Defect(
        "D11",
        "A request with an unknown command, or with a used length other than 16, ends the use of the queue.",
        "The request buffer is not made available again.",
        (_REQUESTS,),
        ("REQ-14", "REQ-15"),
        "posted-loses-the-request-buffer",
        found_by=(
            ("an-unknown-command[9]", "REQ-14"),
            ("a-request-that-is-not-whole[8]", "REQ-15"),
        ),
        recording="v8-basic.jsonl",
        seen=True,
    ),
    Defect(
        "D12",
        "Features are given up after they were acknowledged.",
        "CHUNK_TRANSFER and HOST_REQ_VQ are accepted without STATS_VQ, inflate buffers are arrays of page "
        "frame numbers all the same, and there is no request buffer.",
        (_CHUNKS, _REQUESTS),
        ("NEG-03", "NEG-04"),
        "posted-gives-features-up-too-late",
        found_by=(
            ("chunk-transfer-offered-without-statistics[alone]", "NEG-03"),
            ("host-requests-offered-without-statistics[alone]", "NEG-04"),
        ),
        recording="v8-no-stats.jsonl",
        seen=True,
    ),
    Defect(
        "D13",
        "The id of a request comes back with 16 bits, and its command with 8.",
        "A request with param 0x11234 is answered with id 0x1234.",
        (_REQUESTS,),
        why_none="By design of the message, and so required (REQ-08, REQ-09). A device keeps to ids of 16 "
        "bits (REQ-07); the reference driver answers as the posted one does.",
        found_by=(("an-id-of-more-than-16-bits", "REQ-08"),),
        recording="v8-basic.jsonl",
        seen=True,
    ),
    Defect(
        "D14",
        "The queues are notified as they are set up, before DRIVER_OK.",
        "A notification for queues 2 and 3 while the device may not look; one that forgets it never finds "
        "the buffers.",
        (_REQUESTS,),
        ("QUEUE-09",),
        "posted-notifies-early",
        found_by=(("nothing-but-what-is-due-at-first", "QUEUE-09"),),
    ),
    Defect(
        "D15",
        "Both kinds of pages share one buffer and one lock.",
        "Between the start and the end of an inflation there is no message on queue 3, and none on queues 0 "
        "and 1 while an answer is unanswered.",
        (_SHARED_BUFFER, _CHUNKS),
        ("CONC-02", "CONC-03", "CONC-04"),
        "posted-has-one-lock",
        found_by=(
            ("a-request-beside-an-unanswered-buffer[inflate]", "CONC-02"),
            ("a-request-beside-an-unanswered-buffer[deflate]", "CONC-03"),
            ("inflating-beside-an-unanswered-message", "CONC-04"),
        ),
        seen=True,
    ),
    Defect(
        "G1",
        "All bitmaps but the first are freed after every send, also in the middle of a walk.",
        "After the first message of a burst of more than 2048 runs over more than a GiB, silence: `actual` "
        "is never written.",
        (_CHUNKS,),
        ("CFG-04",),
        "posted-dies-of-scattered-pages",
    ),
    Defect(
        "G2",
        "The walk takes one bitmap more than there are when a window is full.",
        "Asked for pages more than 32 GiB apart, silence.",
        (_CHUNKS,),
        ("INF-10",),
        "posted-dies-of-a-wide-span",
    ),
    Defect(
        "G3",
        "Fill and leak reset the range of pages before they take the lock.",
        "A deflation for want of memory during an inflation: pages of the inflation are counted in `actual` "
        "and named in no message.",
        (_CHUNKS,),
        ("INF-03",),
        "posted-forgets-pages-for-want-of-memory",
    ),
    Defect(
        "G4",
        "The list of the balloon is walked without the lock under which compaction takes pages off it.",
        "Pages that were isolated at that instant are counted in `actual` and named in no message.",
        (_CHUNKS,),
        ("INF-03",),
        "posted-misses-isolated-pages",
    ),
    Defect(
        "G5",
        "Failed allocations free a bitmap twice, and pointers that were never set.",
        "None of its own: the guest's memory is corrupted, and anything may follow.",
        (_CHUNKS,),
        why_none="Nothing between driver and device follows from it of necessity.",
    ),
    Defect(
        "G6",
        "Bitmaps are allocated, sleeping, under the lock that the notifier of want of memory takes.",
        "Asked for more than the guest has, silence.",
        (_CHUNKS, _REQUESTS),
        ("INF-10",),
        "posted-locks-itself-out",
    ),
    Defect(
        "G7",
        "Where a message cannot be made available the buffer is not emptied, and later chunks run past its "
        "end.",
        "None: a ring that takes no buffer is broken, and nothing goes over it any more.",
        (_CHUNKS,),
        why_none="It takes a device that breaks the ring; what is written then is the guest's memory, and "
        "the device never sees it.",
    ),
    Defect(
        "G8",
        "The lock of a memory zone is held, with interrupts off, for a whole list of free blocks.",
        "None but time: the first message of an answer may come late.",
        (_BLOCKS,),
        why_none="Latency inside the guest. REQ-22 measures the time to the first message, and how long "
        "interrupts are off does not show in it.",
    ),
)
