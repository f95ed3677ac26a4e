"""The table of the posted driver's defects is whole, and says what its mutants and recordings say."""

import re

import pytest
from places import POSTED_RECORDINGS

from balloon_conformance.mutants import mutants
from balloon_conformance.mutants.posted import DEFECTS
from balloon_spec.requirement import catalogue


def test_every_defect_stands_there_once_and_in_order():
    expected = [f"D{number}" for number in range(1, 16)] + [f"G{number}" for number in range(1, 9)]
    assert [defect.id for defect in DEFECTS] == expected


@pytest.mark.parametrize("defect", DEFECTS, ids=lambda defect: defect.id)
def test_a_defect_has_a_mutant_or_a_written_reason(defect):
    assert bool(defect.mutant) != bool(defect.why_none)
    for sentence in (defect.title, defect.wire, defect.why_none or defect.wire):
        assert re.fullmatch(r"[A-Z`0-9].*\.", sentence)
    if defect.mutant:
        one = mutants()[defect.mutant]
        assert set(one.breaks) <= set(defect.requirements) <= one.declared
        assert one.origin.startswith(f"posted driver, {defect.id}: ")
    else:
        assert not defect.requirements
    assert all(catalogue()[name].subject == "driver" for name in defect.requirements)


@pytest.mark.parametrize("defect", DEFECTS, ids=lambda defect: defect.id)
def test_a_defect_names_the_mails_it_was_found_in(defect):
    assert defect.sources
    for source in defect.sources:
        assert re.fullmatch(r"<[^<>@\s]+@[^<>@\s]+>", source)


def test_every_mutant_of_the_posted_driver_is_a_defect():
    posted = {name for name in mutants() if name.startswith("posted-")}
    assert posted == {defect.mutant for defect in DEFECTS if defect.mutant}


def test_every_recording_shows_a_defect_and_what_is_recorded_was_seen():
    shown = {defect.recording for defect in DEFECTS if defect.recording}
    assert shown == {path.name for path in POSTED_RECORDINGS.glob("*.jsonl")}
    assert all(defect.seen for defect in DEFECTS if defect.recording)
