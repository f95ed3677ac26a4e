"""The driver that was posted in March 2017, defect by defect.

Version 8 of the patch series is the only driver of chunk transfer that ever existed. Each of its defects that
shows between driver and device is a mutant of its own, in the module of its subject;
:mod:`~balloon_conformance.mutants.posted.defects` lists them all, and
:class:`~balloon_conformance.mutants.posted.driver.PostedDriver` has all of them::

    balloon-conformance run python:balloon_conformance.mutants.posted:posted_driver

``posted_driver_left_free`` is the same in a modelled guest that chooses its own pages.
"""

from __future__ import annotations

from balloon_conformance.mutants.posted.defects import DEFECTS, Defect
from balloon_conformance.mutants.posted.driver import (
    PostedDriver,
    PostedDriverElsewhere,
    posted_driver,
    posted_driver_left_free,
)

__all__ = [
    "DEFECTS",
    "Defect",
    "PostedDriver",
    "PostedDriverElsewhere",
    "posted_driver",
    "posted_driver_left_free",
]
