"""``requirements --coverage``: what decides and breaks each requirement, and what results exercised of it."""

import json

import pytest
from click.testing import CliRunner
from results_files import KEPT, broken, write

from balloon_conformance.cli import main
from balloon_conformance.report.results_file import ResultsFileError, read_results
from balloon_conformance.suite.decided_by import deciders
from balloon_conformance.vectors.loader import load_all
from balloon_spec.events import Side
from balloon_spec.families.registry import rules as all_rules
from balloon_spec.requirement import Level, catalogue

KNOWN = deciders().values()


def coverage(*arguments: str) -> str:
    done = CliRunner().invoke(main, ["requirements", "--coverage", *arguments])
    assert (done.exit_code, done.stderr) == (0, "")
    return done.stdout


def rows(text: str) -> dict[str, list[str]]:
    """The lines of the table, by requirement, each split where two spaces or more are."""
    lines = text.splitlines()[1 : 1 + len(catalogue())]
    return {line.split()[0]: [cell.strip() for cell in line.split("  ") if cell.strip()] for line in lines}


def lines_of(*arguments: str) -> list[dict]:
    return [json.loads(line) for line in coverage("--json", *arguments).splitlines()]


# -- the catalogue itself ---------------------------------------------------------------------------------


def test_every_requirement_that_can_be_observed_is_decided_by_something():
    undecided = [
        one.requirement.id
        for one in KNOWN
        if bool(one.rules or one.vectors or one.scenarios) == bool(one.requirement.not_observable)
    ]
    assert undecided == []


def test_every_requirement_has_a_vector_or_says_why_it_has_none_and_never_both():
    wrong = [
        one.requirement.id
        for one in KNOWN
        if bool(one.vectors) == bool(one.requirement.no_vector or one.requirement.not_observable)
    ]
    assert wrong == []


# -- without results --------------------------------------------------------------------------------------


def test_every_requirement_has_a_line_with_its_rules_vectors_scenarios_and_mutants():
    vectors = load_all()
    found = rows(coverage())
    assert list(found) == list(catalogue())
    for name, cells in found.items():
        rules = sum(name in rule.decides for rule in all_rules())
        named = sum(name in vector.requirements for vector in vectors)
        assert " ".join(cells).split()[-4:-2] == [str(rules or "-"), str(named or "-")], name


def test_names_are_given_when_asked_for():
    text = coverage("-v", "--area", "configuration")
    (rule,) = (one.name for one in all_rules() if "CFG-02" in one.decides)
    assert f"\n{'':<11} rules: {rule}\n" in text
    assert f"\n{'':<11} vectors: driver-writes-nothing-but-actual\n" in text
    assert "CHUNK-" not in "".join(line for line in text.splitlines() if not line.startswith(" "))


def test_what_nothing_decides_and_what_no_vector_shows_comes_with_its_reason():
    text = coverage()
    start, middle = (
        text.index("Nothing outside an implementation can decide:"),
        text.index("No vector shows:"),
    )
    assert f"  BUF-08     {catalogue()['BUF-08'].not_observable}\n" in text[start:middle]
    assert f"  REQ-22     {catalogue()['REQ-22'].no_vector}\n" in text[middle:]
    assert "no reason is written" not in text


def test_each_level_is_summed():
    last = coverage().splitlines()[-len(Level) :]
    assert [line.split(":")[0] for line in last] == [level.value for level in Level]
    musts = sum(entry.level is Level.MUST for entry in catalogue().values())
    assert last[0].startswith(f"MUST: {musts} requirements, ")


# -- with results -----------------------------------------------------------------------------------------


def test_results_say_what_was_kept_broken_or_not_exercised_of_what_binds_the_side(tmp_path):
    one = write(tmp_path / "a.jsonl", KEPT)
    two = write(tmp_path / "b.jsonl", broken("INF-08"))
    text = coverage(str(one), str(two))
    assert text.splitlines()[0].split()[-2:] == ["a", "b"]
    found = rows(text)
    assert found["INF-08"][-2:] == ["kept", "broken"]
    assert found["INF-07"][-2:] == ["not exercised", "not exercised"]
    # A driver's, one of another profile, and one that cannot be observed: no hole of this device.
    assert [found[name][-2:] for name in ("INF-01", "CHUNK-06", "BUF-08")] == [["-", "-"]] * 3
    must_not = next(line for line in text.splitlines() if line.startswith("MUST NOT: "))
    binding = [
        entry
        for entry in catalogue().values()
        if (entry.level, entry.subject) == (Level.MUST_NOT, Side.DEVICE) and not entry.not_observable
    ]
    assert "; b: 1 of " in must_not
    assert " exercised, 1 broken" in must_not
    assert int(must_not.split("; b: 1 of ")[1].split()[0]) < len(binding)


def test_names_come_with_the_reason_why_something_was_not_exercised(tmp_path):
    text = coverage("-v", str(write(tmp_path / "a.jsonl", KEPT)))
    entry = text[text.index("\nINF-07 ") :]
    assert f"\n{'':<11} a: " in entry[: entry.index("\nINF-08 ")]


def test_results_cut_short_are_read_as_far_as_they_go_and_named(tmp_path):
    path = write(tmp_path / "a.jsonl", KEPT)
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join(line for line in lines if "summary" not in line and '"requirement"' not in line))
    first, rest = coverage(str(path)).split("\n", 1)
    assert first == "a: the run was cut short; these are the cases that ended, and nobody looked for proofs"
    assert rows(rest)["INF-08"][-1] == "kept"


def test_results_of_a_run_that_looked_for_no_proofs_are_named_and_not_taken_for_unproven(tmp_path):
    path = write(tmp_path / "a.jsonl", KEPT, looked=False)
    first, rest = coverage(str(path)).split("\n", 1)
    assert first.startswith("a: nobody looked for proofs; ")
    assert rows(rest)["INF-08"][-1] == "kept"


def test_results_without_a_single_proof_read_back_as_they_were_written(tmp_path):
    path = write(tmp_path / "a.jsonl", KEPT, proof=None)
    assert rows(coverage(str(path)))["INF-08"][-1] == "not exercised"
    assert "it was decided once, but no breach would be seen here" in coverage("-v", str(path))


def test_a_file_that_is_not_text_or_ends_in_its_header_is_not_called_empty(tmp_path):
    path = tmp_path / "a.jsonl"
    for content, words in (
        (b"\xff\xfe\n", ": this is not UTF-8; give a file that run --results wrote"),
        (b'{"results": ', ":1: the header is cut short; give a file that run --results wrote"),
        (b"", ":1: the file is empty; give a file that run --results wrote"),
        (b'{"results": 1, "results": 2}\n', ":1: results: stands twice in one object; leave one of the two"),
    ):
        path.write_bytes(content)
        with pytest.raises(ResultsFileError) as caught:
            read_results(path)
        assert str(caught.value) == f"{path}{words}"


def test_files_of_one_name_are_told_apart_by_their_paths_and_one_given_twice_is_shown_once(tmp_path):
    (tmp_path / "old").mkdir()
    one, two = write(tmp_path / "a.jsonl", KEPT), write(tmp_path / "old" / "a.jsonl", KEPT)
    head = coverage(str(one), str(two), str(one)).splitlines()[0]
    assert head.split()[-2:] == ["a", str(two)]


def test_a_program_gets_one_object_a_requirement_and_one_a_level(tmp_path):
    lines = lines_of(str(write(tmp_path / "a.jsonl", broken("INF-08"))))
    entries, summaries = lines[: len(catalogue())], lines[len(catalogue()) :]
    assert [line["id"] for line in entries] == list(catalogue())
    found = {line["id"]: line for line in entries}
    assert found["INF-08"]["results"]["a"] == {
        "exercised": True,
        "verdict": "broken",
        "decisions": 1,
        "reason": "",
        "broken_by": ["one"],
        "proof": None,
    }
    assert found["INF-01"]["results"] == {"a": None}
    assert found["INF-07"]["results"]["a"]["exercised"] is False
    assert found["BUF-08"]["not_observable"]
    assert found["REQ-22"]["no_vector"]
    assert [line["summary"]["level"] for line in summaries] == [level.value for level in Level]
    counts = {line["summary"]["level"]: line["summary"]["results"]["a"] for line in summaries}
    assert (counts["MUST NOT"]["exercised"], counts["MUST NOT"]["broken"]) == (1, 1)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--coverage", "no.jsonl"], "no.jsonl: No such file or directory; give a file that run --results wrote"),
        (["--coverage", "bad.jsonl"], "bad.jsonl:1: this is no JSON object; give a file that"),
        (["-v"], "-v goes with --coverage; requirements ID shows all that is known of one"),
        (["CFG-01", "CFG-02"], "CFG-02: one requirement at a time; --coverage takes several files of results"),
    ],
)  # fmt: skip
def test_bad_usage_gets_one_line(tmp_path, monkeypatch, arguments, words):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "bad.jsonl").write_text("no\nresults\n")
    done = CliRunner().invoke(main, ["requirements", *arguments])
    assert (done.exit_code, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert words in done.stderr
