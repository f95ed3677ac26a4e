"""Which pages a buffer names is read in one place, by its queue and the negotiated features."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st
from judge_script import A, message

from balloon_spec.families.base import DEFLATE, INFLATE
from balloon_spec.families.chunk_transfer import message_checks
from balloon_spec.families.chunk_transfer.message_content import read_message
from balloon_spec.families.host_requests import HOST_REQUEST
from balloon_spec.families.statistics import STATISTICS
from balloon_spec.judge.shape import read_content
from balloon_spec.pages import EMPTY, PageSet
from balloon_spec.wire.layout import swapped

MEMORY = PageSet([(0, 0x10000)])
ARRAY = struct.pack("<2I", 0x1000, 0x1001)
PAGES = PageSet.parse("0x1000+4")
TWO = PageSet.parse("0x1000+2")


@pytest.mark.parametrize(
    ("queue", "data", "features", "pages", "faults"),
    [
        (INFLATE, message(A), {"CHUNK_TRANSFER"}, PAGES, set()),
        (DEFLATE, message(A), {"CHUNK_TRANSFER"}, PAGES, set()),
        (INFLATE, message(A, ident=7), {"CHUNK_TRANSFER"}, PAGES, {"HDR-04"}),
        (HOST_REQUEST, message(A, ident=7), {"CHUNK_TRANSFER", "HOST_REQ_VQ"}, PAGES, set()),
        (HOST_REQUEST, message(A, ident=7), {"HOST_REQ_VQ"}, PAGES, set()),
        (INFLATE, ARRAY, {"VERSION_1"}, TWO, set()),
        (DEFLATE, ARRAY, set(), TWO, set()),
        (INFLATE, struct.pack(">2I", 0x1000, 0x1001), {"VERSION_1"}, EMPTY, {"PFN-08"}),
        (INFLATE, struct.pack(">2I", 0x1000, 0x1001), set(), EMPTY, {"PFN-04"}),
        (INFLATE, b"", {"CHUNK_TRANSFER"}, EMPTY, {"HDR-01"}),
        (STATISTICS, message(A), {"CHUNK_TRANSFER", "STATS_VQ"}, EMPTY, set()),
        (None, message(A), {"CHUNK_TRANSFER"}, EMPTY, set()),
    ],
)
def test_a_buffer_names_pages_by_its_queue_and_the_features(queue, data, features, pages, faults):
    content = read_content(queue, data, MEMORY, features)
    assert (content.pages, content.faults) == (pages, faults)


WORDS = st.sampled_from(
    [0, 0x1000_000, 0x1001_000, 0x2000_000, 0xFFFF_000, 0x10000_000, 0x1000, 0x2000, 0x5000, 0x3003, 1 << 52]
)
SWAPPED = WORDS.map(swapped)
SETS = st.sampled_from([(), (MEMORY,), (PAGES,), (PAGES, PageSet.parse("0x2000"))])


@given(st.lists(st.tuples(WORDS | SWAPPED, WORDS | SWAPPED), max_size=5), SETS)
def test_few_chunks_are_read_as_many_are(chunks, meant):
    data = message(*(struct.pack("<2Q", *one) for one in chunks))
    holed = MEMORY - PageSet.parse("0x1800+4")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(message_checks, "_FEW", 0)
        expected = read_message(data, holed, meant, is_idle=True)
    assert read_message(data, holed, meant, is_idle=True) == expected
