"""The campaign: the whole suite is sharp, and each way in which it could be blunt is a fault."""

import json
from dataclasses import replace

import pytest
from click.testing import CliRunner

from balloon_conformance.campaign import campaign as module
from balloon_conformance.campaign.campaign import Campaign, run_campaign
from balloon_conformance.campaign.cases import cases
from balloon_conformance.campaign.examine import Examined, Reaction, Verdict, examine
from balloon_conformance.cli import main
from balloon_conformance.cli import mutants as command
from balloon_conformance.mutants import mutants
from balloon_conformance.mutants.mutant import Mutant
from balloon_spec.events import Side
from balloon_spec.requirement import Level, catalogue

NAME = "lays-chains-in-a-circle"


def run(*arguments):
    return CliRunner().invoke(main, ["mutants", *map(str, arguments)])


@pytest.fixture(scope="module")
def whole():
    """The campaign of every mutant, as .ci/run and the command have it."""
    return run_campaign(tuple(mutants().values()), processes=2)


@pytest.mark.untraced
def test_every_mutant_is_killed_and_nothing_in_the_suite_is_idle(whole):
    assert list(whole.faults()) == []
    assert {one.verdict for one in whole.examined} == {Verdict.KILLED}
    assert len(whole.examined) >= 100


def test_every_must_of_the_catalogue_has_a_mutant_or_a_reason(whole):
    broken = {name for one in whole.chosen for name in one.breaks}
    without = {
        name
        for name, entry in catalogue().items()
        if entry.level is not Level.MAY and not entry.not_observable and name not in broken
    }
    assert without == set(module.no_mutant())


def faults_of(whole, **changes):
    return list(replace(whole, **changes).faults())


def test_a_survivor_is_a_fault(whole):
    found = faults_of(whole, reactions={**whole.reactions, NAME: [Reaction(NAME, "inflate-two-runs")]})
    assert f"mutant {NAME}: survives: none of 1 cases notices it" in found


def test_a_mutant_blamed_for_what_it_does_not_declare_is_a_fault(whole):
    wrong = Reaction(NAME, "inflate-two-runs", True, ("CHUNK-01",), frozenset({"CHUNK-01"}))
    found = faults_of(whole, reactions={**whole.reactions, NAME: [wrong]})
    assert f"mutant {NAME}: is blamed for CHUNK-01 in inflate-two-runs, which it does not declare" in found
    assert f"mutant {NAME}: is nowhere blamed first for QUEUE-11, which it breaks" in found


def test_a_mutant_that_cannot_be_played_is_a_fault(whole):
    found = faults_of(
        whole, reactions={**whole.reactions, NAME: [Reaction(NAME, "inflate-two-runs", error="it fell")]}
    )
    assert f"mutant {NAME}: inflate-two-runs: it fell" in found


def test_a_requirement_without_a_mutant_is_a_fault(whole):
    found = faults_of(whole, chosen=tuple(one for one in whole.chosen if "QUEUE-11" not in one.breaks))
    assert "requirement QUEUE-11: no mutant breaks it, and nothing says why" in found


def test_a_vector_and_a_rule_that_catch_nothing_are_faults(whole):
    idle = {
        name: [one for one in reactions if one.case != "inflate-two-runs"]
        for name, reactions in whole.reactions.items()
    }
    found = faults_of(whole, reactions=idle)
    assert any(text.startswith("vector inflate-two-runs: catches no device") for text in found)
    dumb = {
        name: [replace(one, rules=one.rules - {"rings_are_well_formed"}) for one in reactions]
        for name, reactions in whole.reactions.items()
    }
    assert "rule rings_are_well_formed: finds nothing in any mutant" in faults_of(whole, reactions=dumb)


@pytest.mark.parametrize(
    ("table", "name", "text"),
    [
        ("no_mutant", "X-01", "requirement X-01: is excused and does not exist"),
        (
            "no_mutant",
            "QUEUE-11",
            "requirement QUEUE-11: is said to have no mutant and has one; strike the excuse",
        ),
        ("only_counts", "no_such_rule", "rule no_such_rule: is excused and does not exist"),
        (
            "only_counts",
            "rings_are_well_formed",
            "rule rings_are_well_formed: is said to find nothing and does; strike the excuse",
        ),
    ],
)
def test_an_excuse_that_is_not_needed_is_a_fault(whole, monkeypatch, table, name, text):
    excuses = {**getattr(module, table)(), name: "for this test"}
    monkeypatch.setattr(module, table, lambda: excuses)
    assert text in list(whole.faults())


@pytest.mark.untraced
def test_a_mutant_that_is_right_survives_every_case(monkeypatch):
    right = mutants()[NAME]
    from balloon_conformance.campaign import examine as examining
    from balloon_conformance.iut.reference.adapter import ReferenceDriver

    harmless = Mutant("keeps-all", Side.DRIVER, "Nothing.", ("QUEUE-11",), right.also, "", ReferenceDriver)
    monkeypatch.setattr(examining, "mutants", lambda: {harmless.name: harmless})
    examining.play_against.cache_clear()
    reactions = examine("keeps-all", everything=True)
    assert len(reactions) == len(cases(Side.DRIVER))
    assert Examined(harmless, reactions).verdict is Verdict.SURVIVED
    assert "survives" in next(Examined(harmless, reactions).faults())


def test_the_same_campaign_comes_of_one_process_and_of_two():
    chosen = [one for one in mutants().values() if "CHUNK-03" in one.breaks]
    one, two = (run_campaign(chosen, processes=number) for number in (1, 2))
    assert one.reactions == two.reactions
    assert not one.is_whole


def test_a_selection_is_played_in_full_and_says_what_is_not_judged(tmp_path):
    done = run(NAME, "--json", tmp_path / "seen.json")
    assert done.exit_code == 0, done.output
    assert "1 mutant, 1 killed; requirements, vectors and rules are judged" in done.output
    assert "QUEUE-11" in done.output
    assert NAME in json.dumps(json.loads((tmp_path / "seen.json").read_text(encoding="utf-8")))


def test_a_fault_is_in_the_exit_code(monkeypatch):
    def blunt(chosen, **_):
        return Campaign(tuple(chosen), False, False, {NAME: [Reaction(NAME, "inflate-two-runs")]})

    monkeypatch.setattr(command, "run_campaign", blunt)
    done = run(NAME)
    assert done.exit_code == 1
    assert "survives" in done.output

    def fallen(chosen, **_):
        return Campaign(
            tuple(chosen), False, False, {NAME: [Reaction(NAME, "inflate-two-runs", error="it fell")]}
        )

    monkeypatch.setattr(command, "run_campaign", fallen)
    assert run(NAME).exit_code == 3


def test_a_row_is_one_line_where_there_is_no_terminal_to_fold_it(monkeypatch):
    monkeypatch.delenv("COLUMNS", raising=False)
    done = run("--requirement", "cfg-07", "--side", "device")
    rows = [line.split() for line in done.output.splitlines()]
    row = next(row for row in rows if row[:1] == ["never-announces-a-target"])
    assert row == [row[0], "CFG-07", "killed", "actual-follows-the-balloon-in-chunks", "CFG-07"]


def test_the_matrix_shows_who_catches_whom():
    done = run("--requirement", "queue-11", "--matrix", "-n", 1)
    assert done.exit_code == 0, done.output
    assert NAME in done.output


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (("no-such-mutant",), "no mutant 'no-such-mutant'; balloon-conformance mutants lists them"),
        (("returns-on-the-wrong",), "there is returns-on-the-wrong-queue"),
        (("--requirement", "X-01"), "no requirement 'X-01'"),
        (("--requirement", "QUEUE-08"), "no mutant is all of that"),
        (("--json", "/no/such/place/file"), "its directory does not exist"),
        (("-n", "0"), "Invalid value for '-n'"),
    ],
)
def test_bad_usage_gets_one_line(arguments, text):
    done = run(*arguments)
    assert done.exit_code == 2
    assert text in done.stderr
    assert done.stderr.count("\n") == 1
