"""Vectors from intents: the same bytes everywhere, and a check that bites."""

import shutil
import subprocess
import sys

import pytest
from click.testing import CliRunner
from places import VECTOR_FILES

from balloon_conformance.cli import main
from balloon_conformance.generation import generate
from balloon_conformance.generation.all_intents import intents, sources
from balloon_conformance.generation.fill import fill
from balloon_conformance.vectors.loader import load_all

FILLED = {}

_IMPORTS = """
import importlib, pkgutil, sys
from balloon_conformance import families, intents
from balloon_conformance.generation import intents as language
rooms = [f"{families.__name__}.{one.name}.intents" for one in pkgutil.iter_modules(families.__path__)]
rooms = [importlib.import_module(name) for name in rooms if importlib.util.find_spec(name)]
for room in (language, intents, *rooms):
    for one in pkgutil.iter_modules(room.__path__):
        importlib.import_module(f"{room.__name__}.{one.name}")
assert "balloon_conformance.intents.inflate" in sys.modules
assert "balloon_conformance.families.chunk_transfer.intents.chunks" in sys.modules
foreign = {name.partition(".")[0] for name in sys.modules} - sys.stdlib_module_names
print(sorted(name for name in foreign if name in {"balloon_spec", "construct", "numpy", "yaml", "jsonschema"}))
"""


def run(*arguments):
    return CliRunner().invoke(main, list(arguments))


@pytest.fixture(autouse=True)
def fill_once(monkeypatch):
    """Fill each of the suite's own intents once for all of these tests."""

    def fill_once(intent):
        if intent.id not in FILLED:
            FILLED[intent.id] = fill(intent)
        return FILLED[intent.id]

    monkeypatch.setattr(generate, "fill", fill_once)
    return fill_once


def test_intents_need_nothing_but_the_standard_library():
    done = subprocess.run(
        [sys.executable, "-c", _IMPORTS], capture_output=True, text=True, timeout=120, check=True
    )
    assert done.stdout == "[]\n"


def test_every_intent_has_one_id_and_one_module():
    ids = [intent.id for intent in intents()]
    assert len(ids) == len(set(ids)) == len(sources())
    assert len(ids) >= 300


@pytest.mark.untraced
def test_the_vectors_are_what_their_intents_make():
    result = run("vectors", "generate", "--check")
    assert (result.exit_code, result.stdout) == (0, f"{len(intents())} vectors, 0 with differences\n")


@pytest.mark.untraced
def test_a_generated_file_loads_to_what_was_filled(fill_once):
    """What the loader reads is what was filled, but for the lines, which are in the file alone."""
    loaded = {vector.id: vector for vector in load_all(VECTOR_FILES)}
    assert loaded.keys() == {intent.id for intent in intents()}
    for intent in intents():
        filled, read = fill_once(intent), loaded[intent.id]
        assert [type(step) for step in filled.steps] == [type(step) for step in read.steps]
        for made, there in zip(filled.steps, read.steps, strict=True):
            differing = {
                name for name in made.__dataclass_fields__ if getattr(made, name) != getattr(there, name)
            }
            assert differing <= {"line"}, f"{intent.id}: {made} {there}"
        for name in (
            "title",
            "profile",
            "kind",
            "sides",
            "requirements",
            "breaks",
            "features",
            "memory_pages",
        ):
            assert getattr(filled, name) == getattr(read, name), intent.id
        assert dict(read.provenance) == dict(filled.provenance)


@pytest.fixture
def directory(tmp_path):
    """A directory with a handful of the vectors, generated there."""
    ids = ["inflate-one-page", "request-id-0", "pfn-unsorted"]
    result = run("vectors", "generate", "--directory", str(tmp_path), *ids)
    assert (result.exit_code, result.stdout) == (0, "3 vectors, 3 written\n")
    assert sorted(path.stem for path in tmp_path.rglob("*.yaml")) == sorted(ids)
    return tmp_path


def test_what_is_there_already_is_not_written_again(directory):
    result = run("vectors", "generate", "--directory", str(directory), "inflate-one-page")
    assert (result.exit_code, result.stdout) == (0, "1 vector, 0 written\n")


def test_one_byte_changed_by_hand_is_named_with_its_line(directory):
    path = directory / "inflate" / "inflate-one-page.yaml"
    text = path.read_text()
    line = next(n for n, one in enumerate(text.split("\n"), 1) if "00 40 23 01" in one)
    path.write_text(text.replace("00 40 23 01", "00 50 23 01"))
    result = run("vectors", "generate", "--check", "--directory", str(directory), "inflate/inflate-one-page")
    assert result.exit_code == 1
    assert f"{path}: line {line} is not what the intent makes of it" in result.stdout
    assert "1 vector, 1 with differences" in result.stdout


def test_a_comment_changed_by_hand_is_a_difference_too(directory):
    path = directory / "inflate" / "inflate-one-page.yaml"
    path.write_text(path.read_text() + "# mine\n")
    result = run("vectors", "generate", "--check", "--directory", str(directory), "inflate-one-page")
    assert result.exit_code == 1


def test_a_missing_file_is_named_and_written_again(directory):
    path = directory / "host-request" / "request-id-0.yaml"
    before = path.read_bytes()
    path.unlink()
    command = ["--directory", str(directory), "request-id-0"]
    result = run("vectors", "generate", "--check", *command)
    assert result.exit_code == 1
    assert f"{path}: missing" in result.stdout
    assert not path.exists()
    assert run("vectors", "generate", *command).exit_code == 0
    assert path.read_bytes() == before


@pytest.mark.parametrize("mode", [["--check"], []], ids=["check", "write"])
def test_a_file_without_an_intent_is_named_and_left_alone(tmp_path, mode):
    shutil.copytree(VECTOR_FILES, tmp_path / "vectors")
    left = tmp_path / "vectors" / "inflate" / "mine.yaml"
    left.write_text("vector: mine\n")
    result = run("vectors", "generate", *mode, "--directory", str(tmp_path / "vectors"))
    assert result.exit_code == 1
    assert f"{left}: no intent makes this vector" in result.stdout
    assert left.exists()


def test_an_unknown_id_is_bad_input():
    result = run("vectors", "generate", "--check", "no-such-vector")
    assert result.exit_code == 2
    assert "no intent 'no-such-vector'" in result.stderr


def test_a_place_that_cannot_be_written_to_is_bad_input(tmp_path):
    (tmp_path / "inflate").write_text("a file where a directory belongs")
    result = run("vectors", "generate", "--directory", str(tmp_path), "inflate-one-page")
    assert result.exit_code == 2
    assert "name a directory to write to" in result.stderr


def test_every_line_of_bytes_has_a_remark():
    for path in VECTOR_FILES.rglob("*.yaml"):
        inside = False
        for line in path.read_text().split("\n"):
            if inside and line.startswith(" " * 8):
                assert "  # " in line, path
            else:
                inside = line.strip() == "readable: |"
