"""Which cases there are for a side, and vectors under other bit numbers."""

import pytest

from balloon_conformance.iut.qemu import target
from balloon_conformance.iut.reference.adapter import reference_device_target, reference_driver_target
from balloon_conformance.running.outcome import Status
from balloon_conformance.running.player import play
from balloon_conformance.suite.plan import move, plan, why_foreign
from balloon_conformance.vectors.steps import ResetStep
from balloon_spec.events import Side
from balloon_spec.profiles import BASE, CHUNK_TRANSFER, MAINLINE
from balloon_spec.queues import Numbering

MOVED = CHUNK_TRANSFER.with_bits({"CHUNK_TRANSFER": 41, "HOST_REQ_VQ": 42})


@pytest.mark.parametrize("side", list(Side))
def test_a_plan_holds_what_judges_the_side_and_nothing_else(side):
    one = plan(side)
    assert all(side in vector.sides for vector in one.vectors)
    assert {scenario.side for scenario in one.scenarios} == {side}
    assert len(one.about()) == len(one.vectors) + len(one.scenarios)


def test_vectors_of_ones_own_come_without_scenarios():
    own = plan(Side.DEVICE).vectors[0].path.parent
    assert plan(Side.DEVICE, own).scenarios == ()
    assert {vector.path.parent for vector in plan(Side.DEVICE, own).vectors} == {own}


def test_a_vector_is_moved_with_every_negotiation_in_it():
    vector = next(
        one
        for one in plan(Side.DEVICE).vectors
        if any(isinstance(step, ResetStep) for step in one.steps) and one.features.accepted >> 3 & 1
    )
    moved = move(vector, MOVED)
    assert [CHUNK_TRANSFER.names(sets.accepted) for sets in vector.negotiations] == [
        MOVED.names(sets.accepted) for sets in moved.negotiations
    ]
    assert moved.features.accepted >> 41 & 1
    assert not moved.features.accepted >> 3 & 1


@pytest.mark.parametrize(
    "kind", [reference_device_target(), reference_driver_target()], ids=lambda one: one.name
)
def test_moved_vectors_are_passed_by_the_references(kind):
    some = [one for one in plan(kind.side).vectors if "CHUNK_TRANSFER" in one.profile.by_name][::9]
    assert {play(move(one, MOVED), kind.make(), kind.side).status for one in some} == {Status.PASSED}


def test_a_vector_of_another_profile_is_left_as_it_is():
    base = next(one for one in plan(Side.DEVICE).vectors if one.profile == BASE)
    assert move(base, MOVED) is base
    assert why_foreign(MOVED, frozenset(BASE.by_name), reference_device_target()) == ""


def test_a_vector_of_another_profile_takes_over_the_numbers_of_the_run():
    base = next(
        one
        for one in plan(Side.DEVICE).vectors
        if one.profile == BASE and "STATS_VQ" in BASE.names(one.features.accepted)
    )
    run = CHUNK_TRANSFER.with_bits({"STATS_VQ": 40}).with_numbering(Numbering.DENSE_OFFERED)
    moved = move(base, run)
    assert moved.profile == BASE.with_bits({"STATS_VQ": 40}).with_numbering(Numbering.DENSE_OFFERED)
    assert (moved.features.accepted >> 40 & 1, moved.features.accepted >> 1 & 1) == (1, 0)
    assert play(moved, reference_device_target().make(), Side.DEVICE).status is Status.PASSED


def test_what_is_foreign_says_which_features_the_profile_lacks():
    names = frozenset(CHUNK_TRANSFER.by_name)
    assert (
        why_foreign(BASE, names, reference_device_target())
        == "profile base has no CHUNK_TRANSFER and no HOST_REQ_VQ"
    )
    qemu = target()
    assert why_foreign(MAINLINE, names, qemu).endswith("HOST_REQ_VQ: " + qemu.stock_note)
    assert qemu.stock_note.startswith("bits 3 to 5 of a stock QEMU")
    assert qemu.stock_note not in why_foreign(CHUNK_TRANSFER, frozenset({"ECHO"}), qemu)
