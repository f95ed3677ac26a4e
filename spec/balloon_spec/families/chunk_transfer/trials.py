"""What messages of chunks put a device to the test of, and in which order blame tries it."""

from __future__ import annotations

from typing import Final

from balloon_spec.judge.trials import Trial

__all__ = ["TRIALS"]

TRIALS: Final = (
    Trial("CHUNK-09", 90, harmed="a chunk of zero pages had an effect"),
    Trial("SAFE-06", 120, harmed="a message whose data_len is no multiple of 16 had an effect"),
    Trial("SAFE-07", 130, harmed="bytes beyond data_len had an effect"),
    Trial("SAFE-08", 140, stray="a message shorter than its header had an effect"),
    Trial("SAFE-09", 150, harmed="a chunk that wraps 2^64 had an effect"),
    Trial("SAFE-11", 160, harmed="a chunk that lies partly outside guest memory had an effect"),
    Trial("HDR-07", 230, "a long message is not returned", tests_discard=True),
    Trial("HDR-05", 240, tests_discard=True),
    Trial("CHUNK-06", 250, tests_discard=True),
    Trial("CHUNK-08", 260, tests_discard=True, passes_over=True),
    Trial("CHUNK-10", 270, tests_discard=True),
    Trial("CHUNK-13", 280, tests_discard=True),
)
