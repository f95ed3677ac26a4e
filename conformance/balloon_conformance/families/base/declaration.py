"""The base family, as the suite knows it."""

from __future__ import annotations

from types import MappingProxyType
from typing import Final

from balloon_conformance.families.base.arrays import PfnArrays, comment_on_array
from balloon_conformance.families.base.excuses import NO_MUTANT, ONLY_COUNTS
from balloon_conformance.families.base.queues import DeflateQueue, InflateQueue
from balloon_conformance.family import Additions
from balloon_conformance.iut.sight import Fact
from balloon_conformance.running.blame import Lapse
from balloon_conformance.vectors.steps.parts import field
from balloon_conformance.vectors.steps.wishes import GuestWish, OperatorWish
from balloon_spec.events import GuestAction, OperatorAction
from balloon_spec.families.base import DEFLATE, INFLATE, pfn_array
from balloon_spec.families.base.declaration import FAMILY

__all__ = ["ADDITIONS"]

ADDITIONS: Final = Additions(
    family=FAMILY,
    can_break=MappingProxyType(
        {
            Lapse.NOT_RETURNED: frozenset(
                {
                    *("QUEUE-07", "SAFE-03", "INF-09", "NEG-09"),
                    *("QUEUE-04", "PFN-05", "PFN-06", "RESET-03"),
                }
            ),
            Lapse.NOT_DISCARDED: frozenset({"INF-07"}),
            Lapse.TOUCHED: frozenset({"INF-08", "SAFE-01", "SAFE-08", "QUEUE-10"}),
            Lapse.SPOKE: frozenset({"QUEUE-10", "RESET-02", "RESET-03"}),
            Lapse.READ_OTHERWISE: frozenset({"CFG-01", "CFG-06", "CFG-08", "CFG-09", "CFG-11", "RESET-10"}),
            Lapse.NOT_MADE_AVAILABLE: frozenset({"BUF-06", "INF-10", "RESET-04"}),
        }
    ),
    # The judge knows the pages by which PFN-07 is broken. Another page says nothing about a sign.
    cannot_break=MappingProxyType({Lapse.TOUCHED: frozenset({"PFN-07"})}),
    rests_on=MappingProxyType(
        {
            Fact.OFFER: ("NEG-12",),
            Fact.MEANT: ("PFN-03",),
            Fact.DRIVER_OK: ("QUEUE-09",),
            Fact.BEFORE_DRIVER_OK: ("QUEUE-10",),
            Fact.CONFIGURATION_CHANGE: ("CFG-07",),
            Fact.GENERATION: ("CFG-16",),
            Fact.USED_NOTIFICATION: ("QUEUE-12",),
            Fact.AVAILABLE_NOTIFICATION: ("QUEUE-13",),
            Fact.ALTERED: ("BUF-01", "BUF-02"),
            Fact.UNBOUND: ("RESET-09",),
            Fact.DISCARDED: ("INF-07", "INF-08"),
            Fact.NEEDS_RESET: ("SAFE-10",),
        }
    ),
    queues=(InflateQueue(INFLATE), DeflateQueue(DEFLATE)),
    comparisons=(PfnArrays(pfn_array.NAME),),
    comments=MappingProxyType({pfn_array.NAME: comment_on_array}),
    operator_wishes=(
        OperatorWish(
            action=OperatorAction.TARGET,
            key="target",
            schema=field("how many pages the balloon shall hold", "pageCount"),
            text=str,
            label=lambda pages: f"target {pages}",
        ),
    ),
    guest_wishes=(
        GuestWish(action=GuestAction.INFLATE, schema=field("the pages the guest gives up", "someRuns")),
        GuestWish(action=GuestAction.DEFLATE, schema=field("the pages the guest wants back", "someRuns")),
    ),
    no_mutant=NO_MUTANT,
    only_counts=ONLY_COUNTS,
)
