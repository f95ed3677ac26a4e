"""Why a requirement has no mutant, and why a rule or a vector catches none: one sentence each.

A requirement that cannot be observed at all says so in its own entry, and is not listed here. An excuse that
is no longer needed is a fault, and so is an excuse for something that does not exist.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from balloon_conformance import family

__all__ = ["no_mutant", "only_counts"]

_NO_MUTANT: Mapping[str, str] = MappingProxyType(
    {
        "QUEUE-08": "The ring belongs to the transport, which has no room for a buffer too many; only a "
        "trace that tells the sizes of the rings can show it.",
        "INF-09": "Nothing outside tells that a host may not discard; a buffer that is held back for that "
        "reason is one that is not returned, which is QUEUE-07.",
    }
)
"""Requirements that no mutant can break so that the suite sees it."""

_ONLY_COUNTS: Mapping[str, str] = MappingProxyType(
    {
        "a_device_that_returns_a_buffer_is_there": "It counts that SAFE-02, SAFE-12 and SAFE-13 were kept; "
        "a_device_stays finds them broken.",
        "what_was_taken_back_stays": "It counts that DEF-13 was kept; "
        "what_was_taken_back_is_not_inflated_at_once finds it broken.",
        "a_reported_page_may_be_inflated": "UNUSED-06 is a permission.",
        "kinds_do_not_wait": "It counts that CONC-02 to CONC-04 were kept; the_driver_answers finds them "
        "broken.",
        "a_return_answers_what_was_asked": "It counts what the return of a buffer keeps; "
        "nothing_is_held_back finds it broken.",
        "returns_in_any_manner_are_taken": "It counts that CONC-05 and BUF-06 were kept; the rules on actual "
        "find them broken.",
        "a_return_is_notified": "It counts that QUEUE-12 was kept; no_notification_is_lost finds it broken.",
        "a_buffer_is_notified": "It counts that QUEUE-13 was kept; no_notification_is_lost finds it broken.",
        "a_notification_came_later": "It counts that QUEUE-12 or QUEUE-13 was kept; no_notification_is_lost "
        "finds them broken.",
        "a_stray_closes_nothing": "It counts what an open request keeps; a_request_is_well_formed finds it "
        "broken.",
        "an_unbound_driver_is_quiet": "It counts that RESET-09 was kept; two other rules find it broken.",
        "what_was_held_comes_back": "It counts that QUEUE-14 was kept; what_was_held_is_not_lost finds it "
        "broken.",
        "an_old_wish_may_be_dropped": "RESET-12 is a permission.",
        "a_target_beyond_memory_may_be_left": "CFG-14 is a permission.",
        "several_buffers_fly": "CONC-08 is a permission.",
        "an_exchange_ends_with_the_reset": "It counts that RESET-05 was kept; a_message_answers_the_request "
        "finds it broken.",
        "statistics_are_returned": "It counts that STATS-07 and STATS-08 were kept; a vector misses the "
        "return where they are broken.",
        "a_chain_that_was_followed_is_well_formed": "It counts that QUEUE-11 was kept; "
        "rings_are_well_formed finds it broken.",
        "ring_is_not_exceeded": _NO_MUTANT["QUEUE-08"],
    }
)
"""Rules that find nothing broken in any mutant."""


def no_mutant() -> Mapping[str, str]:
    """Return the requirements that no mutant can break so that the suite sees it, with the reasons."""
    return {**_NO_MUTANT, **{name: why for one in family.additions() for name, why in one.no_mutant.items()}}


def only_counts() -> Mapping[str, str]:
    """Return the rules that find nothing broken in any mutant, with the reasons."""
    more = {name: why for one in family.additions() for name, why in one.only_counts.items()}
    return {**_ONLY_COUNTS, **more}
