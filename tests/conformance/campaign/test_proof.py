"""That *kept* was earned: a mutant that the cases of the run find out, seen no better than the run sees."""

from __future__ import annotations

from dataclasses import replace

import pytest

from balloon_conformance.campaign.cases import cases
from balloon_conformance.campaign.proof import prove
from balloon_conformance.campaign.veil import Visibility, veiled
from balloon_conformance.iut import sight
from balloon_conformance.iut.contract import Capability, Setup
from balloon_conformance.iut.linux_uml.adapter import LinuxUml
from balloon_conformance.iut.reference.adapter import ReferenceDevice, ReferenceDriver
from balloon_conformance.iut.sight import Fact
from balloon_conformance.mutants import mutants
from balloon_conformance.report.results import Results, Verdict
from balloon_conformance.running.outcome import Outcome, Proof, Status
from balloon_spec import events as ev
from balloon_spec.events import Side
from balloon_spec.profiles import BASE, CHUNK_TRANSFER, MAINLINE
from balloon_spec.queues import Numbering

EVERYTHING = Visibility()


def proofs(side, *names, visibility=EVERYTHING, profile=CHUNK_TRANSFER):
    suite = cases(side)
    adapter = ReferenceDevice() if side is Side.DEVICE else ReferenceDriver()
    outcomes = [suite[name].play(adapter, profile) for name in names]
    assert [one.status for one in outcomes] == [Status.PASSED] * len(names)
    return outcomes, prove(outcomes, suite, profile, side, visibility)


def test_a_proof_is_a_mutant_that_breaks_the_requirement_and_a_case_of_the_run_that_blames_it():
    outcomes, found = proofs(Side.DEVICE, "inflate-two-runs")
    assert {"QUEUE-07", "INF-07"} <= found.keys() <= set().union(*(one.exercised for one in outcomes))
    for name, proof in found.items():
        assert proof.case == "inflate-two-runs"
        mutant = mutants()[proof.mutant]
        assert name in mutant.declared
        outcome = cases(Side.DEVICE)[proof.case].play(mutant.make())
        assert name in {one.requirement for one in (*outcome.findings, *outcome.advice)}


def test_what_the_adapter_cannot_do_proves_nothing():
    _, found = proofs(Side.DEVICE, "inflate-two-runs")
    blind = Visibility(frozenset(Capability) - {Capability.DISCARDS})
    _, less = proofs(Side.DEVICE, "inflate-two-runs", visibility=blind)
    assert {"INF-07"} <= found.keys() - less.keys()
    assert "QUEUE-07" in less


def test_what_the_adapter_does_not_show_proves_nothing():
    name = "nobody-is-notified-before-driver-ok"
    _, found = proofs(Side.DRIVER, name)
    assert found["QUEUE-09"] == Proof("notifies-before-driver-ok", name)
    _, less = proofs(
        Side.DRIVER, name, visibility=Visibility(unseen={Fact.DRIVER_OK: "the transport hides it"})
    )
    assert "QUEUE-09" not in less


def test_under_another_profile_mutants_are_played_under_that_profile():
    _, found = proofs(Side.DEVICE, "base-accept-version-1-alone", profile=BASE)
    assert found["NEG-07"].mutant == "refuses-every-driver"


def test_a_case_that_decides_nothing_of_a_side_proves_nothing_of_it():
    nothing = Outcome("inflate-two-runs", Status.PASSED)
    assert prove([nothing], cases(Side.DEVICE), CHUNK_TRANSFER, Side.DEVICE, EVERYTHING) == {}


# -- the veil ---------------------------------------------------------------------------------------------


def test_behind_a_veil_a_mutant_has_no_more_capabilities_and_shows_no_more():
    mutant = mutants()["refuses-every-driver"]
    reason = {Fact.NEEDS_RESET: "nobody reads the status"}
    adapter = veiled(mutant, Visibility(frozenset({Capability.DISCARDS, Capability.STEER_PAGES}), reason))
    assert adapter.capabilities == {Capability.DISCARDS}
    assert adapter.unseen[Fact.NEEDS_RESET] == "nobody reads the status"
    # Another adapter to the same mutant has no veil.
    assert mutant.make().capabilities == ReferenceDevice.capabilities


def test_behind_a_veil_of_few_feature_bits_a_mutant_offers_no_more_and_is_found_out_all_the_same():
    """Over the legacy interface nobody offers VERSION_1, and the rules without it are proven there."""
    few = Visibility(unseen={Fact.REFUSAL: "there is no FEATURES_OK"}, feature_bits=32)
    name = "what-the-host-reads-of-a-legacy-guest"
    suite, mutant = cases(Side.DEVICE), "reads-legacy-statistics-big-endian"
    adapter = veiled(mutants()[mutant], few)
    adapter.start(Setup(BASE))
    assert adapter.offered() == BASE.mask(["MUST_TELL_HOST", "STATS_VQ", "DEFLATE_ON_OOM"])
    outcome = suite[name].play(ReferenceDevice(offered=adapter.offered()), BASE)
    found = prove([outcome], suite, BASE, Side.DEVICE, few)
    assert found["STATS-13"] == Proof(mutant, name)
    # With VERSION_1 before its eyes a driver could not tell whether the device insists on it.
    assert "STATS-13" not in prove([outcome], suite, BASE, Side.DEVICE, replace(few, feature_bits=64))


def test_a_driver_that_cannot_be_steered_is_represented_by_one_that_chooses_its_pages():
    free = veiled(mutants()["counts-before-the-return"], Visibility(frozenset({Capability.GUEST_MEMORY})))
    assert free.capabilities == {Capability.GUEST_MEMORY}
    # A mutant in its adapter alone is the same adapter, left free.
    kind = type(mutants()["lays-chains-in-a-circle"].make())
    rings = veiled(mutants()["lays-chains-in-a-circle"], Visibility(frozenset()))
    assert type(rings) is kind
    assert not rings.capabilities


def test_sight_crosses_from_one_process_to_another_and_adds_up():
    one = Visibility(frozenset({Capability.DISCARDS}), {Fact.RESET: "r", Fact.REFUSAL: "f"})
    other = Visibility(frozenset({Capability.DESCRIPTORS}), {Fact.RESET: "r"})
    assert Visibility.from_json(one.to_json()) == one
    assert one.beside(None) == one
    both = one.beside(other)
    assert both.capabilities == {Capability.DISCARDS, Capability.DESCRIPTORS}
    assert both.unseen == {Fact.RESET: "r"}


LINUX = Visibility(
    LinuxUml.capabilities,
    sight.unseen(sight.Kind.LINUX_UML, {"BACKEND_REQ", sight.KICKS, sight.FILLS_FREED_PAGES}),
)
"""What a kernel in user mode shows that fills pages as it frees them."""


@pytest.mark.parametrize(
    ("requirement", "mutant", "case"),
    [
        ("BUF-06", "distrusts-used-lengths", "pages-returned-with-a-length"),
        ("HINT-31", "turns-later-legacy-commands-round", "hints-over-the-legacy-interface"),
        ("INF-04", "lets-pages-be-used-early", "canaries-in-the-balloon[told]"),
        ("MQ-03", "changes-its-numbering", "hints-without-the-queues-around-theirs"),
        ("NEG-12", "leaves-out-version1", "a-bit-that-means-nothing[23]"),
        ("POISON-02", "keeps-the-poison-to-itself", "poison-and-a-balloon"),
        ("POISON-03", "changes-the-poison", "poison-and-a-balloon"),
        ("POISON-08", "says-the-poison-unasked", "a-balloon-without-page-poison"),
        ("REPORT-09", "reports-its-balloon", "reports-are-held"),
    ],
)
def test_a_driver_that_nobody_steers_is_found_out_by_what_a_kernel_shows(requirement, mutant, case):
    profile = MAINLINE.with_numbering(Numbering.DENSE_NEGOTIATED)
    outcome = cases(Side.DRIVER)[case].play(veiled(mutants()[mutant], LINUX), profile)
    named = {one.requirement for one in (*outcome.findings, *outcome.advice)}
    assert requirement in named <= mutants()[mutant].declared


# -- the verdict ------------------------------------------------------------------------------------------


def results(side=Side.DEVICE, **exercised):
    one = Results(side, CHUNK_TRANSFER, {})
    counts = {name.replace("_", "-"): count for name, count in exercised.items()}
    one.add(Outcome("case", Status.PASSED, exercised=counts))
    return one


def verdict(one, name):
    return next(each for each in one.requirements() if each.requirement.id == name)


def test_a_requirement_without_a_proof_was_not_exercised():
    one = results(QUEUE_07=2, BUF_03=1)
    one.proofs = {"QUEUE-07": Proof("a-mutant", "case")}
    assert verdict(one, "QUEUE-07").verdict is Verdict.KEPT
    assert verdict(one, "QUEUE-07").to_json()["proof"] == {"mutant": "a-mutant", "case": "case"}
    assert verdict(one, "BUF-03").verdict is Verdict.NOT_EXERCISED
    assert verdict(one, "BUF-03").reason == "it was decided once, but no breach would be seen here"


def test_the_reason_says_what_the_adapter_hides_or_why_there_is_no_proof():
    one = results(BUF_02=3, INF_09=1)
    one.proofs = {}
    one.add(Outcome("another", Status.PASSED, hidden={"BUF-02": "buffers are handed over whole"}))
    one.unprovable = {"INF-09": "nobody can tell."}
    start = "it was decided 3 times, but no breach would be seen here"
    assert verdict(one, "BUF-02").reason == f"{start}: buffers are handed over whole"
    assert verdict(one, "INF-09").reason.endswith("seen here: nobody can tell.")


def test_a_permission_needs_no_proof_and_nobody_has_to_look_for_one():
    one = results(CONC_07=1, QUEUE_07=1)
    assert verdict(one, "QUEUE-07").verdict is Verdict.KEPT
    one.proofs = {}
    assert verdict(one, "CONC-07").verdict is Verdict.KEPT
    assert verdict(one, "QUEUE-07").verdict is Verdict.NOT_EXERCISED


def test_notifications_are_hidden_where_nobody_sees_them():
    events = [ev.Used(0, "a", notified=False), ev.Notified(Side.DEVICE, 0), ev.Notified(Side.DRIVER, 0)]
    for unseen, expected in (
        ({}, events),
        ({Fact.USED_NOTIFICATION: "no"}, [ev.Used(0, "a"), ev.Notified(Side.DRIVER, 0)]),
        ({Fact.AVAILABLE_NOTIFICATION: "no"}, events[:2]),
    ):
        adapter = veiled(mutants()["refuses-every-driver"], Visibility(unseen=unseen))
        adapter.log = type("Diary", (), {"take_events": lambda *_: events})()
        assert adapter.observe(0.0) == expected


@pytest.mark.parametrize("kind", [ev.DriverOk, ev.NeedsReset])
def test_events_that_are_hidden_are_held_back(kind):
    fact = Fact.DRIVER_OK if kind is ev.DriverOk else Fact.NEEDS_RESET
    mutant = mutants()["posted-notifies-early"] if kind is ev.DriverOk else mutants()["refuses-every-driver"]
    adapter = veiled(mutant, Visibility(unseen={fact: "hidden"}))
    adapter.log = type("Diary", (), {"take_events": lambda *_: [kind(), ev.Reset()]})()
    assert adapter.observe(0.0) == [ev.Reset()]


def test_a_driver_of_a_profile_without_requests_is_proven_to_use_no_queue_of_theirs():
    name = "a-bit-that-means-nothing[23]"
    outcome = cases(Side.DRIVER)[name].play(mutants()["posts-a-request-buffer-nobody-asked-for"].make(), BASE)
    assert "QUEUE-02" in {finding.requirement for finding in outcome.findings}
