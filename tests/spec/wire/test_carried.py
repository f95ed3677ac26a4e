"""Which structure travels in a buffer: every queue, with chunk transfer and without."""

import pytest

from balloon_spec.families.base import DEFLATE, INFLATE
from balloon_spec.families.host_requests import HOST_REQUEST
from balloon_spec.families.statistics import STATISTICS
from balloon_spec.wire.carried import readable_structure, written_structure


@pytest.mark.parametrize(
    ("queue", "without", "with_chunks", "written"),
    [
        (INFLATE, "pfn-array", "response-message", None),
        (DEFLATE, "pfn-array", "response-message", None),
        (STATISTICS, "statistics", "statistics", None),
        # Unused pages are reported in messages whatever balloon pages are handed over in (HDR-01).
        (HOST_REQUEST, "response-message", "response-message", "host-request"),
    ],
)
def test_a_buffer_carries_what_its_queue_and_the_features_say(queue, without, with_chunks, written):
    assert readable_structure(queue, {"STATS_VQ", "HOST_REQ_VQ"}) == without
    assert readable_structure(queue, {"STATS_VQ", "HOST_REQ_VQ", "CHUNK_TRANSFER"}) == with_chunks
    assert written_structure(queue) == written
