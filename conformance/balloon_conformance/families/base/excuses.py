"""Why a requirement of the base family has no mutant, and why a rule catches none: one sentence each."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

__all__ = ["NO_MUTANT", "ONLY_COUNTS"]

NO_MUTANT: Final[Mapping[str, str]] = MappingProxyType(
    {
        "QUEUE-08": "The ring belongs to the transport, which has no room for a buffer too many; only a "
        "trace that tells the sizes of the rings can show it.",
        "INF-09": "Nothing outside tells that a host may not discard; a buffer that is held back for "
        "that reason is one that is not returned, which is QUEUE-07.",
    }
)
"""Requirements that no mutant can break so that the suite sees it."""

ONLY_COUNTS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "a_device_that_returns_a_buffer_is_there": "It counts that SAFE-02, SAFE-12 and SAFE-13 were "
        "kept; a_device_stays finds them broken.",
        "what_was_taken_back_stays": "It counts that DEF-13 was kept; "
        "what_was_taken_back_is_not_inflated_at_once finds it broken.",
        "a_return_answers_what_was_asked": "It counts what the return of a buffer keeps; "
        "nothing_is_held_back finds it broken.",
        "returns_in_any_manner_are_taken": "It counts that CONC-05 and BUF-06 were kept; the rules on "
        "actual find them broken.",
        "a_return_is_notified": "It counts that QUEUE-12 was kept; no_notification_is_lost finds it broken.",
        "a_buffer_is_notified": "It counts that QUEUE-13 was kept; no_notification_is_lost finds it broken.",
        "a_notification_came_later": "It counts that QUEUE-12 or QUEUE-13 was kept; "
        "no_notification_is_lost finds them broken.",
        "a_queue_behind_a_gap_is_served": "It counts that MQ-02 was kept; no_queue_behind_a_gap_is_forgotten "
        "finds it broken.",
        "an_unbound_driver_is_quiet": "It counts that RESET-09 was kept; two other rules find it broken.",
        "what_was_held_comes_back": "It counts that QUEUE-14 was kept; what_was_held_is_not_lost finds "
        "it broken.",
        "an_old_wish_may_be_dropped": "RESET-12 is a permission.",
        "a_target_beyond_memory_may_be_left": "CFG-14 is a permission.",
        "several_buffers_fly": "CONC-08 is a permission.",
        "a_chain_that_was_followed_is_well_formed": "It counts that QUEUE-11 was kept; "
        "rings_are_well_formed finds it broken.",
        "ring_is_not_exceeded": NO_MUTANT["QUEUE-08"],
    }
)
"""Rules that find nothing broken in any mutant."""
