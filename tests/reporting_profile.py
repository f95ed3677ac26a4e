"""A profile for the tests with the queue for reporting free pages, by which real peers number their queues."""

from __future__ import annotations

from balloon_spec.families.family import Family
from balloon_spec.feature import Feature
from balloon_spec.profile import Profile
from balloon_spec.profiles import BASE
from balloon_spec.queues import Numbering, Queue

REPORTING = Profile(
    "reporting",
    (
        *BASE.families,
        Family(
            "reporting",
            features=(Feature("PAGE_REPORTING", 5, meaning="the reporting queue exists"),),
            queues=(Queue("reporting", 4, feature="PAGE_REPORTING", names_pages=True),),
        ),
    ),
)
FIXED, DENSE_OFFERED, DENSE_NEGOTIATED = (REPORTING.with_numbering(one) for one in Numbering)
