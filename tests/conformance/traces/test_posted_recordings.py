"""The recordings of the posted driver: what was seen on a running kernel is found, and nothing else.

What is expected stands here by hand, with the reason; tests/data/posted-driver/README.md tells what was done.
"""

from collections import Counter

import pytest
from places import POSTED_RECORDINGS

from balloon_conformance.traces import recording
from balloon_spec import events as ev
from balloon_spec.judge import Judge
from balloon_spec.profiles import CHUNK_TRANSFER
from balloon_spec.trace import Entry

FOUND = {
    "v8-basic.jsonl": {
        # The recorder asked with id 0x11234.
        (9, "REQ-07", "param", "0x11234"),
        # D4: the deflate message has the header of the answer before it: flag 1, id 0x1234.
        (14, "HDR-04", "flag", "0x1"),
        # D11: after the unknown command at 2.1 s nothing comes until 6.1 s.
        (23, "REQ-14", "request buffer", "none"),
        # Undecided: 500 pages, then actual is 0 and no deflate buffer was recorded.
        (23, "DEF-11", "actual", "0"),
    },
    "v8-fragmented.jsonl": {
        # D1: messages 2 to 5 begin with the first chunk of message 1, a page that is in the balloon by then.
        (8, "INF-11", "chunk", "0x1b982"),
        (10, "INF-11", "chunk", "0x1b982"),
        (12, "INF-11", "chunk", "0x1b982"),
        (14, "INF-11", "chunk", "0x1b982"),
        # D1: the four chunks that belong there, a page each, were never sent.
        (16, "INF-03", "actual", "9000"),
        # Undecided, as above.
        (17, "CFG-05", "actual", "0"),
    },
    "v8-no-stats.jsonl": {
        # The recorder offered bits 3 and 4 without 1, and let the driver accept them so.
        (1, "NEG-01", "features", "CHUNK_TRANSFER, DEFLATE_ON_OOM, HOST_REQ_VQ, MUST_TELL_HOST, VERSION_1"),
        (1, "NEG-02", "features", "CHUNK_TRANSFER, DEFLATE_ON_OOM, HOST_REQ_VQ, MUST_TELL_HOST, VERSION_1"),
        (1, "NEG-06", "status", "CHUNK_TRANSFER, DEFLATE_ON_OOM, HOST_REQ_VQ, MUST_TELL_HOST, VERSION_1"),
        # D12: it accepted them, and inflates by arrays of 256, 256 and 88 entries all the same.
        (1, "NEG-03", "features", "CHUNK_TRANSFER, DEFLATE_ON_OOM, HOST_REQ_VQ, MUST_TELL_HOST, VERSION_1"),
        (1, "NEG-04", "features", "CHUNK_TRANSFER, DEFLATE_ON_OOM, HOST_REQ_VQ, MUST_TELL_HOST, VERSION_1"),
        (4, "INF-01", "buffer", "256 page frame numbers"),
        (7, "INF-01", "buffer", "256 page frame numbers"),
        (10, "INF-01", "buffer", "88 page frame numbers"),
        # In what was negotiated these name no page, so the device has none of what actual counts.
        (6, "INF-03", "actual", "256"),
        (9, "INF-03", "actual", "512"),
        (12, "INF-03", "actual", "600"),
    },
}


def judge(name, **options):
    """Return the findings of a recording, each with its line, and how often each requirement was decided."""
    verdicts = Judge(CHUNK_TRANSFER)
    found = []
    with (POSTED_RECORDINGS / name).open() as lines:
        for item in recording.read(lines, CHUNK_TRANSFER, name, **options):
            if isinstance(item, Entry):
                found += [(item.line, one) for one in verdicts.feed(item.event, item.at_seconds)]
    return found, verdicts.exercised


@pytest.mark.parametrize("name", sorted(FOUND))
def test_what_was_seen_on_a_kernel_is_found_and_nothing_else(name):
    found, _ = judge(name)
    told = Counter((line, one.requirement, one.field, one.seen) for line, one in found)
    assert told == Counter(FOUND[name])


def test_every_recording_has_an_expectation():
    assert {path.name for path in POSTED_RECORDINGS.glob("*.jsonl")} == FOUND.keys()


def test_an_id_cut_to_16_bits_is_no_defect_of_the_driver():
    # D13: asked with 0x11234 it answers with 0x1234, as REQ-08 says; asked with 7 it answers with 7.
    found, exercised = judge("v8-basic.jsonl")
    assert exercised["REQ-08"] == 2
    assert [one.subject for _, one in found if one.requirement in {"REQ-07", "REQ-08"}] == [ev.Side.DEVICE]


def test_a_held_statistics_buffer_is_nobodys_fault():
    for name in FOUND:
        found, _ = judge(name)
        assert not [one for _, one in found if one.requirement.startswith("STATS")]


def test_deflating_almost_all_and_answering_twice_is_judged_and_kept():
    found, exercised = judge("v8-basic.jsonl")
    broken = {one.requirement for _, one in found}
    for name in ("INF-01", "INF-02", "INF-11", "DEF-01", "DEF-04", "UNUSED-02", "REQ-11", "REQ-13"):
        assert exercised[name]
        assert name not in broken


def test_a_shorter_patience_shows_that_the_request_buffer_never_came():
    # D12: without queue 3 the driver primes nothing; the recording gives it 0.3 s, set-up and all.
    found, _ = judge("v8-no-stats.jsonl", quiet_seconds=0.025)
    assert [line for line, one in found if one.requirement == "REQ-01"] == [3]
