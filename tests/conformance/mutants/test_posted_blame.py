"""The suite names each defect of the posted driver: alone, and in the driver that has all of them."""

from functools import cache

import pytest

from balloon_conformance.campaign.cases import cases
from balloon_conformance.iut import registry
from balloon_conformance.iut.reference.adapter import ReferenceDriver
from balloon_conformance.mutants import mutants
from balloon_conformance.mutants.posted import DEFECTS, PostedDriver, PostedDriverElsewhere
from balloon_conformance.reference.driver import Driver
from balloon_conformance.running.outcome import Status
from balloon_spec.events import Side
from balloon_spec.requirement import catalogue

# Whole runs, whose lines other tests cover.
pytestmark = pytest.mark.untraced

ELSEWHERE = frozenset({"D9", "D10"})
"""What does not show in a 64-bit guest with pages of 4 KiB."""


@cache
def seen(make):
    """What is named broken or not followed, by the case that names it, in the order it is named."""
    found = {}
    adapter = make()
    for case in cases(Side.DRIVER).values():
        outcome = case.play(adapter)
        assert outcome.status is not Status.ERROR, f"{case.id}: {outcome.reason}"
        found[case.id] = [one.requirement for one in (*outcome.findings, *outcome.advice)]
    return found


@cache
def whole(kind):
    return seen(lambda: ReferenceDriver(kind))


def test_the_reference_is_blamed_for_nothing_where_the_defects_are():
    assert not any(whole(Driver).values())


@pytest.mark.parametrize("defect", [one for one in DEFECTS if one.mutant], ids=lambda one: one.id)
def test_a_defect_alone_is_blamed_for_what_it_breaks_and_nothing_else(defect):
    one = mutants()[defect.mutant]
    sights = [names for names in seen(one.make).values() if names]
    named = {name for names in sights for name in names}
    assert named == one.declared
    binding = {
        next((name for name in names if catalogue()[name].level.binding), names[0]) for names in sights
    } | {names[0] for names in sights}
    assert set(one.breaks) <= binding


@pytest.mark.parametrize("defect", [one for one in DEFECTS if one.mutant], ids=lambda one: one.id)
def test_a_defect_is_named_where_it_shows_in_the_whole_driver_too(defect):
    alone = {(case, name) for case, names in seen(mutants()[defect.mutant].make).items() for name in names}
    kind = PostedDriverElsewhere if defect.id in ELSEWHERE else PostedDriver
    together = {(case, name) for case, names in whole(kind).items() for name in names}
    for requirement in defect.requirements:
        assert any(name == requirement for _, name in alone & together), requirement


def test_ids_of_any_length_are_nobodys_defect():
    # D13: cut to 16 bits, as REQ-08 has it; the posted driver is not blamed for it, in any case.
    for kind in (Driver, PostedDriver):
        told = {name for names in whole(kind).values() for name in names}
        assert told.isdisjoint({"REQ-08", "REQ-09", "REQ-16"})


def test_the_whole_driver_can_be_run_by_its_name():
    target = registry.resolve("python:balloon_conformance.mutants.posted:posted_driver")
    adapter = target.make()
    assert target.side == "driver"
    assert adapter.description == "the driver posted in March 2017, modelled"
