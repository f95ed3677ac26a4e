"""Scenarios pass what is right and catch what is wrong."""

from dataclasses import replace

import pytest

from balloon_conformance.families.host_requests import driver_request_scenarios as driver_requests
from balloon_conformance.iut.reference.adapter import ReferenceDevice, ReferenceDriver
from balloon_conformance.running.case import NotExercised, carry_out
from balloon_conformance.running.outcome import Fault, Status
from balloon_conformance.running.session import DeviceSession, DriverSession
from balloon_conformance.scenarios import (
    device_negotiation,
    device_storm,
    driver_walk,
    of,
    scenarios,
)
from balloon_spec import events as ev
from balloon_spec.pages import PageSet
from balloon_spec.profiles import BASE, CHUNK_TRANSFER, MAINLINE
from balloon_spec.requirement import catalogue

PAGES = 0x4000


def play(function, adapter, *arguments, profile=CHUNK_TRANSFER):
    kind = DeviceSession if isinstance(adapter, ReferenceDevice) else DriverSession
    session = kind(adapter, profile, memory_pages=PAGES)

    def action():
        function(session, *arguments)
        return ()

    return carry_out(of(function), session, action)


def test_every_scenario_has_a_name_of_its_own_and_requirements_of_its_side():
    names = [one.id for one in scenarios()]
    assert len(names) == len(set(names)) >= 6
    for one in scenarios():
        assert one.title
        assert {catalogue()[name].subject for name in one.requirements} == {one.side}


@pytest.mark.parametrize("profile", [CHUNK_TRANSFER, BASE, MAINLINE], ids=lambda one: one.name)
@pytest.mark.parametrize(
    ("function", "adapter", "arguments"),
    [
        (device_storm.test_storm_of_pfn_arrays, ReferenceDevice, (7,)),
        (device_negotiation.test_every_legal_subset, ReferenceDevice, ()),
        (driver_walk.test_walk_by_single_pages, ReferenceDriver, ([],)),
        (driver_walk.test_buffers_held_back, ReferenceDriver, ([],)),
        (driver_walk.test_buffers_held_back, lambda: ReferenceDriver(steered=False), ([],)),
    ],
)
def test_the_references_pass_and_what_a_scenario_is_about_is_decided(function, adapter, arguments, profile):
    outcome = play(function, adapter(), *arguments, profile=profile)
    assert (outcome.status, outcome.reason) == (Status.PASSED, "")
    about = {
        name for name in of(function).requirements if catalogue()[name].when.holds(frozenset(profile.by_name))
    }
    assert about - {"NEG-09"} <= outcome.exercised.keys() | _forms(profile)


def _forms(profile) -> set[str]:
    """What depends on the form of buffers that was negotiated, or on features the profile lacks."""
    return {"PFN-05", "CHUNK-13", "CONC-05"} | (set() if profile is CHUNK_TRANSFER else {"NEG-01", "NEG-02"})


class Greedy(ReferenceDevice):
    """Discards the page after every run it is looked at for."""

    def discarded(self, pages):
        gone, changed = super().discarded(pages)
        return gone | PageSet((run.end, 1) for run in gone) & pages, changed


class Forgetful(ReferenceDevice):
    """Never returns the fortieth inflate buffer."""

    def observe(self, deadline_seconds):
        return [event for event in super().observe(deadline_seconds) if getattr(event, "buffer", "") != "b40"]


class Choosy(ReferenceDevice):
    """Refuses to leave DEFLATE_ON_OOM out."""

    def accept(self, features):
        return bool(features >> 2 & 1) and super().accept(features)


class Lax(ReferenceDevice):
    """Keeps FEATURES_OK for every set."""

    def accept(self, features):
        super().accept(features)
        return True


class Miscounting(ReferenceDriver):
    """Counts one page too few in actual."""

    def observe(self, deadline_seconds):
        return [
            replace(event, data=max(int.from_bytes(event.data, "little") - 1, 0).to_bytes(4, "little"))
            if isinstance(event, ev.ConfigurationWritten)
            else event
            for event in super().observe(deadline_seconds)
        ]


class Talkative(ReferenceDriver):
    """Says DONE twice."""

    def observe(self, deadline_seconds):
        events = super().observe(deadline_seconds)
        return [
            one
            for event in events
            for one in ([event, replace(event, buffer="again")] if _is_done(event) else [event])
        ]


def _is_done(event):
    return isinstance(event, ev.Available) and event.queue == 3 and event.readable[1:2] == b"\1"


def test_many_buffers_in_flight_come_back_in_another_order():
    outcome = play(driver_walk.test_buffers_held_back, ReferenceDriver(), ["CHUNK_TRANSFER"])
    assert outcome.status is Status.PASSED
    assert outcome.exercised["CONC-05"]


@pytest.mark.parametrize(
    ("function", "adapter", "arguments", "requirement"),
    [
        (device_storm.test_storm_of_chunks, Greedy(), (1,), "INF-08"),
        (device_storm.test_storm_of_chunks, Forgetful(), (1,), "QUEUE-06"),
        (device_negotiation.test_every_subset_that_is_not_legal, Lax(), (), "NEG-06"),
        (driver_walk.test_walk_by_single_pages, Miscounting(), ([],), "CFG-05"),
        (driver_walk.test_buffers_held_back, Miscounting(), ([],), "CFG-05"),
    ],
)
def test_what_is_wrong_is_found_under_the_right_requirement(function, adapter, arguments, requirement):
    outcome = play(function, adapter, *arguments)
    assert outcome.status is Status.FAILED
    assert requirement in {finding.requirement for finding in outcome.findings}


def test_a_message_nobody_asked_for_is_found_once_and_takes_no_request():
    outcome = play(driver_requests.test_one_request_after_another, Talkative())
    assert [finding.requirement for finding in outcome.findings] == ["REQ-11"]


def test_a_legal_subset_that_is_refused_is_advice():
    outcome = play(device_negotiation.test_every_legal_subset, Choosy(), profile=BASE)
    assert outcome.status is Status.PASSED
    assert "NEG-07" in {finding.requirement for finding in outcome.advice}


def test_a_scenario_that_cannot_be_played_says_why():
    adapter = ReferenceDevice()
    adapter.capabilities = frozenset()
    outcome = play(device_negotiation.test_every_subset_that_is_not_legal, adapter)
    assert (outcome.status, outcome.reason) == (Status.NOT_EXERCISED, "the adapter lacks raw-features")
    outcome = play(driver_walk.test_walk_by_single_pages, ReferenceDriver(), ["CHUNK_TRANSFER"], profile=BASE)
    assert outcome.reason == "profile base has no CHUNK_TRANSFER to leave out"
    outcome = play(device_negotiation.test_every_subset_that_is_not_legal, ReferenceDevice(offered=1 << 32))
    assert outcome.reason == "the device offers no feature that requires another"


def test_a_defect_of_the_suite_is_not_laid_to_the_adapter():
    session = DeviceSession(ReferenceDevice(), CHUNK_TRANSFER)
    outcome = carry_out(scenarios()[0], session, lambda: (_ for _ in ()).throw(ValueError("two\nlines")))
    assert (outcome.status, outcome.fault) == (Status.ERROR, Fault.SUITE)
    assert outcome.reason == "the suite raised ValueError: two lines; this is a defect of the suite"


def test_what_the_suite_breaks_without_having_said_so_is_its_own_fault():
    def action():
        session.negotiate(1 << 3 | 1 << 32)
        return ()

    session = DeviceSession(ReferenceDevice(), CHUNK_TRANSFER)
    outcome = carry_out(replace(scenarios()[0], breaks=()), session, action)
    assert (outcome.status, outcome.fault) == (Status.ERROR, Fault.SUITE)
    assert "the suite's own side broke NEG-03" in outcome.reason


def test_a_reason_raised_in_a_scenario_is_kept():
    def action():
        raise NotExercised("no time")

    outcome = carry_out(scenarios()[0], DeviceSession(ReferenceDevice(), CHUNK_TRANSFER), action)
    assert (outcome.status, outcome.reason, outcome.fault) == (Status.NOT_EXERCISED, "no time", None)
