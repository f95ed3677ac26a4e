"""Profiles named together: one error for what collides, and with bits moved all of them are judged at once."""

from __future__ import annotations

from functools import cache

import pytest
from click.testing import CliRunner

from balloon_conformance.cli import main
from balloon_conformance.iut.reference.adapter import ReferenceDevice, ReferenceDriver
from balloon_conformance.iut.targets_file import load
from balloon_conformance.mutants import mutants
from balloon_conformance.running.outcome import Status
from balloon_conformance.running.player import play
from balloon_conformance.suite.plan import move, plan
from balloon_spec import trace
from balloon_spec.events import Available, Negotiated, Side
from balloon_spec.families import registry
from balloon_spec.families.family import Family
from balloon_spec.families.host_requests import HOST_REQUEST
from balloon_spec.feature import Feature
from balloon_spec.judge import Judge
from balloon_spec.profiles import BASE, CHUNK_TRANSFER, MAINLINE, Profile, named, profile
from balloon_spec.queues import Numbering, Queue

MOVED = {"CHUNK_TRANSFER": 41, "HOST_REQ_VQ": 42}
BOTH = "mainline,chunk-transfer"
HINTS = Queue("hints", HOST_REQUEST.place, feature="HINTS")
TAKING = Profile("taking", (*BASE.families, Family("taking", (Feature("HINTS", 3),), (HINTS,))))
"""A profile with a queue at the place of another profile's."""


@pytest.fixture
def taking():
    with registry.added(TAKING):
        yield profile("taking,chunk-transfer", MOVED)


def test_what_collides_is_told_at_once_with_the_remedy():
    with registry.added(TAKING), pytest.raises(ValueError, match="profile chunk-transfer,taking: ") as told:
        profile("taking,chunk-transfer", {"HOST_REQ_VQ": 1})
    assert str(told.value).endswith(
        ": CHUNK_TRANSFER and HINTS both have bit 3, STATS_VQ and HOST_REQ_VQ both have bit 1; give one of"
        " them another number, as in --bit CHUNK_TRANSFER=41 --bit STATS_VQ=42"
    )
    done = CliRunner().invoke(main, ["run", "reference-device", "--profile", BOTH])
    assert done.exit_code == 2
    assert done.output.count("\n") == 1
    assert "HOST_REQ_VQ and PAGE_POISON both have bit 4" in done.output
    assert "as in --bit" in done.output


def test_with_bits_moved_each_feature_has_its_own():
    both = profile(BOTH, MOVED)
    assert both == profile("chunk-transfer, mainline", MOVED)
    assert set(both.families) == {*CHUNK_TRANSFER.families, *MAINLINE.families}
    assert both.names(1 << 4 | 1 << 41 | 1 << 42) == {"PAGE_POISON", "CHUNK_TRANSFER", "HOST_REQ_VQ"}
    assert both.configuration_bytes(1 << 4) == 16
    assert both.proposals == MAINLINE.proposals


@pytest.mark.parametrize("name", ["mainline,main", "mainline,", ","])
def test_a_name_that_is_no_profile_is_refused(name):
    with pytest.raises(ValueError, match=r"no profile .*; choose one of base, chunk-transfer, mainline"):
        named(name)


def test_what_another_has_whole_adds_nothing():
    assert profile("base,mainline") is MAINLINE
    assert profile("mainline,mainline") is MAINLINE


def test_a_trace_states_both():
    both = profile(BOTH, MOVED).with_numbering(Numbering.DENSE_OFFERED)
    lines = [f"{line}\n" for line in trace.write(trace.Header(both), [])]
    (header,) = trace.read(lines)
    assert header.profile == both
    assert header.profile.moved_bits == MOVED


def test_a_target_may_name_both(tmp_path):
    path = tmp_path / "balloon-conformance.toml"
    path.write_text(f'[targets.mine]\nadapter = "qemu"\nprofile = "{BOTH}"\nbits = {{CHUNK_TRANSFER = 41}}\n')
    assert load(path, frozenset())["mine"].profile == BOTH


# -- both are judged ---------------------------------------------------------------------------------------


@cache
def vector(name):
    return next(one for side in Side for one in plan(side).vectors if one.id == name)


@pytest.mark.parametrize(
    "name", ["inflate-two-runs", "poison-val-reads-back", "statistics-asked-three-times"]
)
def test_vectors_of_each_are_played(name):
    moved = move(vector(name), profile(BOTH, MOVED))
    outcome = play(moved, ReferenceDevice(), Side.DEVICE)
    assert (outcome.status, outcome.reason) == (Status.PASSED, "")


@pytest.mark.parametrize(
    ("mutant", "name", "broken"),
    [
        ("accepts-chunks-without-statistics", "refuse-chunk-transfer-offered-without-stats", "NEG-03"),
        ("changes-the-poison", "driver-says-poison-val-in-time", "POISON-03"),
    ],
)
def test_what_breaks_either_is_blamed(mutant, name, broken):
    outcome = play(move(vector(name), profile(BOTH, MOVED)), mutants()[mutant].make(), Side.DRIVER)
    assert broken in [one.requirement for one in outcome.findings]


def test_a_queue_moves_with_its_feature_to_the_next_free_place(taking):
    assert taking.moved_places == {HOST_REQUEST: 4}
    every = taking.mask(["STATS_VQ", "HINTS", "HOST_REQ_VQ"])
    assert [*taking.queue_map(every, every)] == [0, 1, 2, 3, 4]
    assert (taking.queue_map(every, every)[3], taking.queue_map(every, every)[4]) == (HINTS, HOST_REQUEST)
    # Whichever features are moved.
    other = profile("taking,chunk-transfer", {"HINTS": 50})
    assert other.moved_places == {HINTS: 4}


def test_a_vector_is_played_where_its_queue_is(taking):
    moved = move(vector("offer-has-what-it-needs"), taking)
    assert moved.profile is taking
    assert set(moved.queue_indices().values()) == {2, 4}
    outcomes = [
        play(moved, ReferenceDevice(), Side.DEVICE),
        play(move(vector("accept-stats-and-host-req"), taking), ReferenceDriver(), Side.DRIVER),
    ]
    assert [(one.status, one.reason) for one in outcomes] == [(Status.PASSED, "")] * 2


def test_the_driver_is_held_to_the_place_that_the_queue_moved_to(taking):
    judge, every = Judge(taking), taking.mask(["VERSION_1", "STATS_VQ", "HOST_REQ_VQ"])
    judge.feed(Negotiated(every, every))
    assert not judge.feed(Available(4, "r1", b"", 16))
    found = [one.requirement for one in judge.feed(Available(3, "r2", b"", 16))]
    assert found == ["QUEUE-02"]


# -- proposals ---------------------------------------------------------------------------------------------


def test_proposals_have_a_name_and_no_meaning():
    assert MAINLINE.unknown_bits(3 << 6) == (6, 7)
    assert (
        MAINLINE.told(1 << 6 | 1 << 4 | 1 << 9)
        == "PAGE_POISON, bit 6 (DEVICE_INIT_REPORTED, a proposal), bit 9"
    )
    assert not {one.name for one in MAINLINE.proposals} & MAINLINE.by_name.keys()
    assert MAINLINE.mask(["DEVICE_INIT_ON_INFLATE"]) == 1 << 7
    # The other profiles say nothing of these bits, which revisions that were never merged used.
    assert (BASE.proposals, CHUNK_TRANSFER.proposals) == ((), ())


@pytest.mark.parametrize(
    ("judged_by", "found"),
    [(MAINLINE, ["NEG-11"]), (BASE, []), (CHUNK_TRANSFER, [])],
    ids=["mainline", "base", "chunk-transfer"],
)
def test_accepting_one_is_blamed_where_it_is_known_for_one(judged_by, found):
    offered = 1 << 32 | 1 << 6
    findings = Judge(judged_by).feed(Negotiated(offered, offered))
    assert [one.requirement for one in findings] == found
    assert all(
        "DEVICE_INIT_REPORTED (bit 6) is accepted, which is a proposal" in one.words for one in findings
    )
    assert not Judge(judged_by).feed(Negotiated(offered, 1 << 32))


def test_a_feature_that_was_moved_to_such_a_bit_takes_it():
    moved = profile("mainline", {"PAGE_POISON": 6})
    assert moved.names(1 << 6) == {"PAGE_POISON"}
    assert moved.proposal(6) is None
    assert moved.proposal(7) is not None
