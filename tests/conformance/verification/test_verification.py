"""What vectors verify finds: a change of one digit in any vector, and everything else that is out of step."""

import ast
import os
import re
import shutil
import sys
from concurrent.futures import BrokenExecutor
from importlib import import_module
from pathlib import Path

import pytest
from click.testing import CliRunner
from places import VECTOR_FILES

from balloon_conformance import families, second_encoder
from balloon_conformance.cli import main
from balloon_conformance.generation.all_intents import intents
from balloon_conformance.generation.fill import FillError
from balloon_conformance.second_encoder.structures import without
from balloon_conformance.vectors import manifest, schema
from balloon_conformance.vectors.loader import VectorError, load_text, paths_below
from balloon_conformance.verification import verify_each as verification
from balloon_conformance.verification.verify import Check, Fault, Verified, as_generated, as_made_again
from balloon_conformance.verification.verify_each import missing, out_of_step, verify_each

PATHS = paths_below(VECTOR_FILES)

# The package has the command under the name of its module.
command = import_module("balloon_conformance.cli.vectors.verify")

BYTES = re.compile(
    r"(?:(?:readable|written|data): (?:\|\n\s+|\")(?=[0-9a-f]{2})|with: '(?=[0-9a-f]{2})|address: 0x)([0-9a-f])"
)
MEMORY = re.compile(r"^memory: \{pages: 0x([0-9a-f])", re.MULTILINE)
NO_BYTES = {
    "driver-that-relies-",
    "accept-",
    "base-accept-",
    "statistics-with-unset-entries",
    "ids-nobody-answers-",
    "id-of-a-former-copy-",
    "round-nobody-answers",
}
"""How the names of the vectors begin in which a driver sends nothing."""


def verify(*arguments):
    return CliRunner().invoke(main, ["vectors", "verify", *map(str, arguments)])


def with_a_digit_changed(place):
    """Yield every vector in which ``place`` is found with its text, that with one digit changed, and its line."""
    for path in PATHS:
        text = path.read_text(encoding="utf-8")
        if found := place.search(text):
            at = found.start(1)
            changed = f"{text[:at]}{(int(text[at], 16) + 1) % 16:x}{text[at + 1 :]}"
            yield path, text, changed, text.count("\n", 0, at) + 1


@pytest.mark.untraced
def test_the_vectors_agree_with_all_there_is(monkeypatch):
    # Two new interpreters, which hash otherwise than this one, make the vectors again: to the byte what is published.
    monkeypatch.setenv("PYTHONHASHSEED", "1" if os.environ.get("PYTHONHASHSEED") != "1" else "2")
    result = verify("-n", 2)
    assert result.output.splitlines()[-1] == f"{len(PATHS)} vectors, 0 with differences"
    assert result.exit_code == 0
    for said in ("as their intents fill to", "judged as traces", "in the manifest"):
        assert f"{len(PATHS)} {said}" in result.output


@pytest.mark.untraced
def test_one_byte_changed_in_any_vector_is_found_by_the_second_encoder_on_its_line():
    meant = {intent.id: intent for intent in intents()}
    without_bytes = {path.name for path in PATHS}
    for path, _, changed, line in with_a_digit_changed(BYTES):
        without_bytes.remove(path.name)
        try:
            vector = load_text(changed, str(path))
        except VectorError as error:
            assert str(error).startswith(f"{path}:{line}: ")  # noqa: PT017 - it may be read, too
            continue
        assert line in {fault.line for fault in as_made_again(changed, vector, meant[vector.id])}, path
    assert {name for name in without_bytes if not name.startswith(tuple(NO_BYTES))} == set()
    assert len(PATHS) - len(without_bytes) > 600


@pytest.mark.untraced
def test_one_digit_changed_in_any_vector_is_found_on_its_line():
    found = 0
    for path, text, changed, line in with_a_digit_changed(MEMORY):
        # What is published is what was generated: see the test above.
        assert [fault.line for fault in as_generated(path, changed, text)] == [line]
        found += 1
    assert found == len(PATHS)


def test_a_fault_names_the_file_the_line_and_the_byte(tmp_path):
    copy = tmp_path / "inflate-one-run.yaml"
    text = (VECTOR_FILES / "inflate" / "inflate-two-runs.yaml").read_text(encoding="utf-8")
    copy.write_text(text.replace("20 00 00 00 ", "30 00 00 00 ", 1), encoding="utf-8")
    copy = copy.rename(tmp_path / "inflate-two-runs.yaml")
    line = text[: text.index("20 00 00 00 ")].count("\n") + 1
    result = verify(copy)
    assert f"{copy}:{line}: " in result.output
    assert "byte 4 of 40 is 30; made again from the intent it is 20" in result.output
    assert result.exit_code == 1


def test_a_vector_of_ones_own_is_judged_and_played_without_an_intent(tmp_path):
    text = (VECTOR_FILES / "inflate" / "inflate-two-runs.yaml").read_text(encoding="utf-8")
    own = tmp_path / "a-vector-of-mine.yaml"
    own.write_text(
        re.sub("provenance: .*", "provenance: {written: for a test}", text).replace(
            "inflate-two-runs", own.stem
        ),
        encoding="utf-8",
    )
    result = verify(own)
    assert result.exit_code == 0, result.output
    assert "intents" not in result.output
    dirty = own.with_name("dirty.yaml")
    dirty.write_text(
        own.read_text(encoding="utf-8").replace(own.stem, "dirty").replace("20 00 00 00 ", "30 00 00 00 ", 1),
        encoding="utf-8",
    )
    result = verify(own, dirty)
    assert result.exit_code == 1
    assert "dirty.yaml" in result.output
    assert "as a trace: HDR-02" in result.output
    assert own.name not in result.output


def test_a_generated_vector_without_an_intent_is_refused(tmp_path):
    text = (VECTOR_FILES / "inflate" / "inflate-two-runs.yaml").read_text(encoding="utf-8")
    stray = tmp_path / "stray.yaml"
    stray.write_text(text.replace("vector: inflate-two-runs", "vector: stray"), encoding="utf-8")
    assert "no intent fills to this vector" in verify(stray).output


def test_a_vector_that_breaks_less_than_it_says_is_refused(tmp_path):
    clean = tmp_path / "clean.yaml"
    text = (VECTOR_FILES / "chunks" / "reserved-bit-0-of-base.yaml").read_text(encoding="utf-8")
    text = re.sub("provenance: .*", "provenance: {written: for a test}", text)
    text = text.replace("reserved-bit-0-of-base", "clean")
    assert "01 00 10 01" in text
    clean.write_text(text.replace("01 00 10 01", "00 00 10 01"), encoding="utf-8")
    assert "as a trace: CHUNK-03 stands in breaks, and no rule finds it broken" in verify(clean).output


def test_an_intent_whose_file_is_gone_is_named():
    (fault,) = missing([path for path in PATHS if path.stem != "inflate-two-runs"])
    assert fault.path == schema.directory() / "inflate" / "inflate-two-runs.yaml"
    assert "run vectors generate" in fault.words


def test_a_file_that_the_manifest_does_not_have_is_named(tmp_path):
    for path in PATHS[:3]:
        shutil.copy(path, tmp_path)
    manifest.write(tmp_path)
    assert list(out_of_step(tmp_path)) == []
    copy = tmp_path / PATHS[0].name
    copy.write_bytes(copy.read_bytes() + b"\n")
    (fault,) = out_of_step(tmp_path)
    assert (fault.path, fault.check) == (copy, Check.MANIFEST)


def test_a_file_that_is_no_vector_is_a_fault_and_the_others_are_verified(tmp_path):
    (tmp_path / "cut.yaml").write_text("vector: cut\nsteps: [\n", encoding="utf-8")
    shutil.copy(VECTOR_FILES / "inflate" / "inflate-two-runs.yaml", tmp_path)
    result = verify(tmp_path)
    assert result.exit_code == 1
    assert "cut.yaml:" in result.output
    assert "2 vectors, 1 with differences" in result.output


def test_what_differs_is_not_counted_among_what_passed(tmp_path):
    text = (VECTOR_FILES / "inflate" / "inflate-one-page.yaml").read_text(encoding="utf-8")
    path = tmp_path / "inflate-one-page.yaml"
    path.write_text(text, encoding="utf-8")
    streams = re.search(r"(\d+) byte streams", verify(path).output)[1]
    for check in (
        "well formed",
        "as their intents fill to",
        "judged as traces",
        "against the reference device",
    ):
        assert re.search(rf"^ +1 .*{check}$", verify(path).output, re.MULTILINE)
    # The page of the first chunk is another, here and in what the effect has.
    path.write_text(text.replace("00 40 23 01", "00 50 23 01", 1), encoding="utf-8")
    assert path.read_text(encoding="utf-8") != text
    said = verify(path).output
    assert re.search(r"^ +1 well formed$", said, re.MULTILINE)
    assert re.search(rf"^ +{int(streams) - 1} byte streams", said, re.MULTILINE)
    for check in ("as their intents fill to", "against the reference device", "against the reference driver"):
        assert check not in re.sub(r"(?m)^/.*$", "", said)


@pytest.mark.parametrize("arguments", [("/no/such/place",), ("-n", "0")])
def test_bad_usage_is_refused(arguments):
    assert verify(*arguments).exit_code == 2


def test_an_intent_that_cannot_be_filled_is_a_difference_that_says_why(monkeypatch):
    def refuse(intent):
        raise FillError(f"{intent.id}: step 3: the reference does otherwise; mend the intent")

    monkeypatch.setattr(verification, "fill", refuse)
    (verified,) = verify_each([VECTOR_FILES / "inflate" / "inflate-two-runs.yaml"], published=True)
    (fault,) = verified.faults
    assert (fault.check, fault.line) == (Check.GENERATED, 1)
    assert "inflate-two-runs: step 3: the reference does otherwise" in fault.words


def test_a_copy_of_the_vectors_is_held_against_its_manifest(tmp_path):
    for path in PATHS[:3]:
        shutil.copy(path, tmp_path)
    manifest.write(tmp_path)
    result = verify(tmp_path)
    assert result.exit_code == 0, result.output
    assert "3 in the manifest" in result.output
    (tmp_path / PATHS[0].name).unlink()
    result = verify(tmp_path)
    assert result.exit_code == 1
    assert f"{tmp_path / PATHS[0].name}:1: the file is missing, and MANIFEST.sha256 names it" in result.output
    assert "in the manifest" not in result.output


def test_what_is_found_in_play_and_by_the_rules_names_the_step(tmp_path):
    own = tmp_path / "own.yaml"
    text = (VECTOR_FILES / "inflate" / "inflate-two-runs.yaml").read_text(encoding="utf-8")
    text = re.sub("provenance: .*", "provenance: {written: for a test}", text)
    text = text.replace("inflate-two-runs", "own")
    asked = 'effect: {discarded: ["0x1000+16"'
    own.write_text(text.replace(asked, 'effect: {discarded: ["0x1000+17"'), encoding="utf-8")
    line = text[: text.index(asked)].count("\n") + 1
    output = verify(own).output
    assert f"{own}:{line}: steps[6]: as a trace: INF-08 " in output
    assert f"{own}:{line}: steps[6]: against the reference-device: passed: INF-07 " in output


@pytest.mark.parametrize(
    ("end", "code", "said"),
    [
        (BrokenExecutor("gone"), 3, "was killed; give -n a smaller number, or free memory"),
        (KeyboardInterrupt(), 130, "interrupted"),
    ],
)
def test_what_was_found_is_said_though_the_work_does_not_end(monkeypatch, end, code, said):
    def found_and_cut_off(paths, **_):
        yield Verified(paths[0], [Fault(paths[0], 7, Check.BYTES, "a difference")])
        raise end

    monkeypatch.setattr(command, "verify_each", found_and_cut_off)
    result = verify(VECTOR_FILES)
    assert result.exit_code == code
    assert f"{PATHS[0]}:7: a difference\n" in result.stdout
    assert said in result.stderr
    assert "with differences" not in result.stdout


def test_help_says_what_each_stage_proves():
    text = verify("--help").output
    for stage in (
        "the schema",
        "its intent",
        "the second encoder",
        "as a trace",
        "the references",
        "the manifest",
    ):
        assert re.search(rf"^ +{stage} {{2,}}\S", text, re.MULTILINE), stage
    assert "\\b" not in text
    assert max(map(len, text.splitlines())) <= 100


def test_the_second_encoder_names_nothing_but_the_intents_and_the_standard_library():
    package, rooms = Path(second_encoder.__file__).parent, Path(families.__file__).parent
    modules = [*package.glob("*.py"), *rooms.glob("*/second_encoding.py"), *rooms.glob("*/vocabulary.py")]
    allowed = re.compile(
        r"balloon_conformance\.(second_encoder|generation\.intents|families\.\w+)"
        r"(\.(structures|wishes|model|shorthand|vocabulary|second_encoding))?"
    )
    foreign = set()
    for path in modules:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else ()
            names = [node.module] if isinstance(node, ast.ImportFrom) else names
            foreign |= {name for name in names if name.partition(".")[0] not in sys.stdlib_module_names}
    assert foreign
    assert {name for name in foreign if not allowed.fullmatch(name)} == set()


@pytest.mark.parametrize(
    ("runs", "taken", "left"),
    [
        ([(0, 10)], [(2, 3)], [(0, 2), (5, 5)]),
        ([(0, 4), (6, 4)], [(3, 4)], [(0, 3), (7, 3)]),
        ([(5, 1)], [(5, 1)], []),
        ([(5, 2)], [(0, 5), (7, 1)], [(5, 2)]),
    ],
)
def test_pages_are_taken_out_of_runs(runs, taken, left):
    assert without(runs, taken) == left
