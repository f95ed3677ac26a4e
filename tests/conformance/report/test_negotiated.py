"""What a run was told to exercise and could never negotiate is no success."""

from __future__ import annotations

import pytest

from balloon_conformance.iut.contract import Target
from balloon_conformance.iut.errors import IutError
from balloon_conformance.iut.reference.adapter import ReferenceDevice, reference_device_target
from balloon_conformance.report.negotiated import ExerciseRequest, never_negotiated
from balloon_conformance.report.results import Exit, Results
from balloon_conformance.run.options import RunOptions
from balloon_conformance.running.outcome import Outcome, Status
from balloon_conformance.running.player import play
from balloon_conformance.suite.plan import plan
from balloon_spec.events import Side
from balloon_spec.profiles import BASE, CHUNK_TRANSFER, profile

NEEDS = {
    "plain": frozenset({"STATS_VQ"}),
    "chunks": frozenset({"STATS_VQ", "CHUNK_TRANSFER"}),
    "asks": frozenset({"STATS_VQ", "HOST_REQ_VQ"}),
}
MOVED = profile("chunk-transfer", {"CHUNK_TRANSFER": 41})


def said(*outcomes, named=(), spoken=CHUNK_TRANSFER, side=Side.DEVICE):
    return never_negotiated(side, spoken, ExerciseRequest(NEEDS, frozenset(named)), outcomes)


def passed(case, *features):
    return Outcome(case, Status.PASSED, negotiated=features)


def unplayed(case):
    return Outcome(case, Status.NOT_EXERCISED)


PLAIN = passed("plain", "STATS_VQ")


def test_a_device_that_never_offers_what_the_profile_adds_is_told_of_with_the_remedy():
    words = said(PLAIN, unplayed("chunks"), unplayed("asks[1]"))
    assert words.startswith("the device never offers CHUNK_TRANSFER (bit 3) or HOST_REQ_VQ (bit 4), so ")
    assert "--bit CHUNK_TRANSFER=N" in words
    assert "--profile base" in words
    assert said(unplayed("chunks"), spoken=MOVED).startswith(
        "the device never offers CHUNK_TRANSFER (bit 41)"
    )
    assert said(unplayed("chunks"), side=Side.DRIVER).startswith("the driver never accepts CHUNK_TRANSFER")


@pytest.mark.parametrize(
    "outcomes",
    [
        (PLAIN,),
        (PLAIN, passed("chunks", "STATS_VQ", "CHUNK_TRANSFER"), unplayed("asks")),
        (Outcome("chunks", Status.ERROR, "no answer"),),
        (passed("plain", "STATS_VQ", "HOST_REQ_VQ"), unplayed("chunks")),
        (),
    ],
    ids=["never needed", "one of two", "an error", "elsewhere", "no case"],
)
def test_what_was_not_asked_for_and_what_is_there_in_part_is_well(outcomes):
    assert said(*outcomes) == ""


def test_a_feature_whose_bit_was_given_has_to_be_there():
    there = passed("chunks", "STATS_VQ", "CHUNK_TRANSFER")
    words = said(there, unplayed("asks"), named=("HOST_REQ_VQ",))
    assert words.endswith(
        "so nothing that needs it was tried; give --bit HOST_REQ_VQ=N if it has HOST_REQ_VQ on another bit"
    )
    assert said(there, named=("HOST_REQ_VQ",)) == ""


def test_under_the_base_profile_nothing_was_told():
    assert said(PLAIN, unplayed("chunks"), spoken=BASE) == ""


def test_a_run_in_which_it_happened_exits_as_one_that_exercised_nothing():
    results = Results(Side.DEVICE, CHUNK_TRANSFER, {}, requested=ExerciseRequest(plan(Side.DEVICE).needs()))
    vectors = {vector.id: vector for vector in plan(Side.DEVICE).vectors}
    deaf = ReferenceDevice(offered=CHUNK_TRANSFER.mask({"VERSION_1", "STATS_VQ", "MUST_TELL_HOST"}))
    results.add(play(vectors["pfn-inflate-one-page"], deaf, Side.DEVICE))
    assert (results.exit_code(), results.never_negotiated) == (Exit.WELL, "")
    results.add(play(vectors["inflate-two-runs"], deaf, Side.DEVICE))
    assert results.exit_code() is Exit.NOTHING
    assert results.summary()["never_negotiated"] == results.never_negotiated
    results.add(play(vectors["inflate-one-page"], ReferenceDevice(), Side.DEVICE))
    assert results.exit_code() is Exit.WELL


def test_what_was_negotiated_survives_a_results_file():
    outcome = play(plan(Side.DEVICE).vectors[0], ReferenceDevice(), Side.DEVICE)
    assert "STATS_VQ" in outcome.negotiated
    assert Outcome.from_json(outcome.to_json()) == outcome


def test_a_bit_that_the_feature_word_does_not_have_is_bad_usage():
    options = RunOptions("stdio:x", bits=("CHUNK_TRANSFER=70",))
    words = r"--bit CHUNK_TRANSFER=70: the feature word of stdio:x has 64 bits; give a number from 0 to 63"
    with pytest.raises(IutError, match=words):
        options.chosen_profile(Target("stdio:x", Side.DEVICE, ReferenceDevice))
    assert options.chosen_profile(reference_device_target()).by_name["CHUNK_TRANSFER"].bit == 70
