"""Which structure travels in a buffer: every queue, with chunk transfer and without."""

import pytest

from balloon_spec.queues import Queue
from balloon_spec.wire.carried import readable_structure, written_structure


@pytest.mark.parametrize(
    ("queue", "without", "with_chunks", "written"),
    [
        (Queue.INFLATE, "pfn-array", "response-message", None),
        (Queue.DEFLATE, "pfn-array", "response-message", None),
        (Queue.STATISTICS, "statistics", "statistics", None),
        # Unused pages are reported in messages whatever balloon pages are handed over in (HDR-01).
        (Queue.HOST_REQUEST, "response-message", "response-message", "host-request"),
    ],
)
def test_a_buffer_carries_what_its_queue_and_the_features_say(queue, without, with_chunks, written):
    assert readable_structure(queue, {"STATS_VQ", "HOST_REQ_VQ"}) == without
    assert readable_structure(queue, {"STATS_VQ", "HOST_REQ_VQ", "CHUNK_TRANSFER"}) == with_chunks
    assert written_structure(queue) == written
