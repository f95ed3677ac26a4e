"""Results side by side: what differs, what became worse, what may not be compared; and files cut short."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from results_files import KEPT, broken, write
from run_command import run_command

from balloon_conformance.report.results import applies
from balloon_conformance.running.outcome import Outcome, Status
from balloon_spec.events import Side
from balloon_spec.profiles import BASE, CHUNK_TRANSFER
from balloon_spec.requirement import catalogue


def test_requirements_that_differ_come_first_and_others_only_when_asked_for(tmp_path):
    one = write(tmp_path / "a.jsonl", KEPT, target="a")
    two = write(tmp_path / "b.jsonl", broken("INF-08"), target="b")
    ran = run_command(tmp_path, "compare", one.name, two.name)
    assert (ran.code, ran.err) == (0, "")
    lines = ran.out.splitlines()
    assert lines[0].split() == ["requirement", "a", "b"]
    assert [line.split() for line in lines[1:2]] == [["INF-08", "kept", "broken"]]
    assert "INF-06" not in ran.out
    assert "INF-06" in run_command(tmp_path, "compare", one.name, two.name, "--all").out


def test_what_a_later_run_of_a_target_does_not_keep_is_a_regression(tmp_path):
    before = write(tmp_path / "old.jsonl", KEPT)
    after = write(tmp_path / "new.jsonl", broken("INF-08"))
    ran = run_command(tmp_path, "compare", before.name, after.name)
    assert ran.code == 1
    assert "regression: it: INF-08 was kept and is broken" in ran.out
    assert "regression: it: case one was passed and is failed" in ran.out
    better = run_command(tmp_path, "compare", after.name, before.name)
    assert (better.code, "regression:" in better.out) == (0, False)


def test_one_defect_in_many_cases_does_not_bury_the_rest(tmp_path):
    names = [f"case-{number}" for number in range(9)]
    before = write(tmp_path / "old.jsonl", *(replace(KEPT, case=name) for name in names))
    after = write(tmp_path / "new.jsonl", *(broken("INF-08", name) for name in names))
    ran = run_command(tmp_path, "compare", before.name, after.name, "--html", "c.html")
    said = [line for line in ran.out.splitlines() if line.startswith("regression: ")]
    assert len(said) == 6
    assert said[0] == "regression: it: INF-08 was kept and is broken"
    assert "and 4 cases more, passed before and not now; --all lists them" in ran.out
    assert "2 runs, " in ran.out
    assert ran.out.endswith(", 10 regressions\n")
    every = run_command(tmp_path, "compare", before.name, after.name, "--all").out
    assert all(f"regression: it: case {name} was passed and is failed" in every for name in names)
    assert "cases more" not in every
    page = (tmp_path / "c.html").read_text()
    assert "<summary>9 cases passed and do not any more</summary>" in page
    assert page.index("INF-08 was kept") < page.index("<summary>9 cases")


def test_what_is_not_exercised_any_more_is_a_regression_too(tmp_path):
    before = write(tmp_path / "old.jsonl", KEPT)
    after = write(tmp_path / "new.jsonl", Outcome("one", Status.PASSED, exercised={"INF-06": 1}))
    ran = run_command(tmp_path, "compare", before.name, after.name)
    assert "regression: it: INF-08 was kept and is not exercised" in ran.out


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"suite": "2.0"}, "different versions of the suite (1.0 and 2.0); run both with one version"),
        ({"profile": CHUNK_TRANSFER}, "different profiles"),
        ({"side": Side.DRIVER}, "different sides (device and driver)"),
    ],
    ids=["suite", "profile", "side"],
)
def test_what_cannot_be_compared_is_refused_with_the_reason(tmp_path, options, words):
    one, two = write(tmp_path / "a.jsonl", KEPT), write(tmp_path / "b.jsonl", KEPT, **options)
    ran = run_command(tmp_path, "compare", one.name, two.name)
    assert (ran.code, ran.out) == (2, "")
    assert words in ran.err
    assert ran.err.count("\n") == 1


def test_another_set_of_vectors_is_refused(tmp_path):
    one, two = write(tmp_path / "a.jsonl", KEPT), write(tmp_path / "b.jsonl", KEPT)
    header, _, rest = two.read_text().partition("\n")
    two.write_text(json.dumps({**json.loads(header), "vectors": "0" * 64}) + "\n" + rest)
    ran = run_command(tmp_path, "compare", one.name, two.name)
    assert ran.code == 2
    assert "are of different sets of vectors" in ran.err


def test_a_run_that_was_cut_short_is_named_and_a_line_cut_in_half_is_no_error_of_its_own(tmp_path):
    whole = write(tmp_path / "a.jsonl", KEPT)
    cut = tmp_path / "cut.jsonl"
    cut.write_text(whole.read_text()[:700])
    ran = run_command(tmp_path, "compare", whole.name, cut.name)
    assert ran.code == 2
    assert ran.err == ("balloon-conformance: cut.jsonl: the run did not come to its verdicts; run it again\n")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "bad.jsonl:1: the file is empty"),
        ("what\nis this\n", "bad.jsonl:1: this is no JSON object"),
        ('{"trace": "virtio-balloon"}\n', "bad.jsonl:1: a line that begins with 'trace'"),
        ('{"summary": 3}\n', "bad.jsonl:1: a line that begins with 'summary'"),
        ("[]\n", "bad.jsonl:1: a line that begins with 'list'"),
    ],
    ids=["empty", "prose", "a-trace", "a-summary", "a-list"],
)
def test_a_file_that_holds_no_results_is_named_with_the_line(tmp_path, text, words):
    (tmp_path / "bad.jsonl").write_text(text)
    ran = run_command(tmp_path, "compare", "bad.jsonl")
    assert (ran.code, ran.err.count("\n")) == (2, 1)
    assert words in ran.err
    assert "run --results wrote" in ran.err


def test_a_file_that_is_not_there_or_cannot_be_written_is_named(tmp_path):
    ran = run_command(tmp_path, "compare", "none.jsonl")
    assert (ran.code, "none.jsonl: No such file" in ran.err) == (2, True)
    one = write(tmp_path / "a.jsonl", KEPT)
    for option in ("--html", "--badge"):
        ran = run_command(tmp_path, "compare", one.name, option, "no/where")
        assert (ran.code, f"{option} no/where: No such file" in ran.err) == (2, True)


def test_the_page_of_a_comparison_marks_what_differs(tmp_path):
    one = write(tmp_path / "a.jsonl", KEPT, target="a")
    two = write(tmp_path / "b.jsonl", broken("INF-08"), target="b")
    assert run_command(tmp_path, "compare", one.name, two.name, "--html", "c.html").code == 0
    text = (tmp_path / "c.html").read_text()
    assert '<tr id="INF-08" data-verdict="differs" class="differs">' in text
    assert '<tr id="INF-06" data-verdict="same">' in text
    assert text.index('id="INF-08"') < text.index('id="INF-06"')


# What binds a device under every profile, whatever was negotiated.
BINDING = sum(applies(one, BASE) for one in catalogue().by_subject(Side.DEVICE))


@pytest.mark.parametrize(
    ("outcome", "words", "colour"),
    [(KEPT, f"2 of {BINDING} kept", "#2e7d32"), (broken("INF-08"), "1 broken", "#c62828")],
    ids=["kept", "broken"],
)
def test_a_badge_says_what_was_kept_or_how_much_broke(tmp_path, outcome, words, colour):
    one = write(tmp_path / "a.jsonl", outcome)
    assert run_command(tmp_path, "compare", one.name, "--badge", "b.svg").code == 0
    text = (tmp_path / "b.svg").read_text()
    assert f">{words}</text>" in text
    assert colour in text
    assert "virtio-balloon device" in text


def test_what_nobody_had_looked_for_a_proof_of_has_not_become_worse(tmp_path):
    old = write(tmp_path / "old.jsonl", KEPT, looked=False)
    new = write(tmp_path / "new.jsonl", KEPT, proof=None)
    ran = run_command(tmp_path, "compare", old.name, new.name)
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.startswith("old: nobody looked for proofs; ")
    assert run_command(tmp_path, "compare", new.name, old.name).code == 0
