"""What another finding explains is neither blamed in a case nor counted as kept."""

from __future__ import annotations

from balloon_conformance.mutants.driver_concurrency import FinishesABufferInFlight
from balloon_conformance.running.case import carry_out
from balloon_conformance.running.session import DriverSession
from balloon_conformance.scenarios import driver_targets, of
from balloon_spec.profiles import CHUNK_TRANSFER


def test_bytes_that_were_still_moving_are_neither_blamed_nor_kept():
    session = DriverSession(FinishesABufferInFlight(), CHUNK_TRANSFER, memory_pages=0x4000)

    def action():
        driver_targets.test_the_same_target_twice(session)
        return ()

    outcome = carry_out(of(driver_targets.test_the_same_target_twice), session, action)
    assert {finding.requirement for finding in outcome.findings} == {"BUF-01"}
    # The deflate buffer was not touched: of its bits alone it was decided that they are clean.
    assert outcome.exercised["CHUNK-03"] == 1
