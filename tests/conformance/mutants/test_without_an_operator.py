"""A device whose operator is out of reach is judged by all that needs none, and as far as a wish in others."""

from __future__ import annotations

import pytest

from balloon_conformance.campaign.cases import cases
from balloon_conformance.iut.contract import Capability
from balloon_conformance.mutants import mutants
from balloon_conformance.running.outcome import Status
from balloon_spec.events import Side

OPERATOR = {
    Capability.OPERATOR_TARGET,
    Capability.OPERATOR_UNUSED_PAGES,
    Capability.OPERATOR_STATISTICS,
}


def alone(name):
    """Return a mutant with nobody who could ask it for anything."""
    adapter = mutants()[name].make()
    adapter.capabilities = adapter.capabilities - OPERATOR
    return adapter


def played(name, case):
    return cases(Side.DEVICE)[case].play(alone(name))


@pytest.mark.parametrize(
    ("name", "case", "requirement"),
    [
        ("discards-whatever-is-reported", "done-with-id-0-without-a-request", "UNUSED-01"),
        ("discards-whatever-is-reported", "cont-without-a-request", "UNUSED-01"),
        ("dies-of-an-unknown-tag", "statistics-unknown-tags-beside-an-inflation", "SAFE-13"),
        ("wraps-chunks-into-memory", "chunk-4-gib-above-a-page", "SAFE-01"),
    ],
)
def test_a_fault_that_needs_no_operator_is_found(name, case, requirement):
    outcome = played(name, case)
    assert outcome.status is Status.FAILED
    assert outcome.findings[0].requirement == requirement


def test_a_case_is_not_begun_for_what_says_nothing():
    outcome = played("discards-unused-pages", "statistics-asked-three-times")
    assert (outcome.status, outcome.trace) == (Status.NOT_EXERCISED, ())
    assert outcome.reason == "the adapter lacks operator-statistics"
