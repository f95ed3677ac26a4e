"""The vectors in other languages: the forms agree with the YAML, and the programs of the README read them."""

import csv
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner
from installed import tool
from jsonschema import Draft202012Validator
from places import VECTOR_FILES

from balloon_conformance.cli import main
from balloon_conformance.vectors import steps
from balloon_conformance.vectors.formats.as_binary import may_hold, write_binary
from balloon_conformance.vectors.loader import load_all
from balloon_spec.events import Side

README = (VECTOR_FILES / "README.md").read_text(encoding="utf-8")
VECTORS = load_all()
FLAGS = ("-std=c11", "-Wall", "-Wextra", "-Werror")


def export(*arguments):
    return CliRunner().invoke(main, ["vectors", "export", *map(str, arguments)])


@pytest.fixture(scope="module")
def forms(tmp_path_factory):
    """A directory with all three: vectors.json, balloon_vectors.h and bin."""
    directory = tmp_path_factory.mktemp("export")
    for form, name in (("json", "vectors.json"), ("c", "balloon_vectors.h"), ("bin", "bin")):
        done = export("--format", form, "-o", directory / name)
        assert done.exit_code == 0, done.output
    return directory


def program(language):
    """The program of the README in that language."""
    (found,) = re.findall(
        rf"```{language}\n(.*?)```", README.partition("## In other languages")[2], re.DOTALL
    )
    return found


def run(*words, **options):
    return subprocess.run(
        [str(word) for word in words], capture_output=True, text=True, timeout=120, check=True, **options
    )


def inflations():
    """What a program of the README prints, by the vectors themselves."""
    return [
        f"{vector.id} {step.name} {len(step.readable)}"
        for vector in VECTORS
        for step in vector.steps
        if isinstance(step, steps.BufferStep) and step.queue.name == "inflate" and step.readable
        if Side.DEVICE in vector.sides
    ]


def test_the_json_file_is_of_its_schema_and_has_every_vector(forms):
    whole = json.loads((forms / "vectors.json").read_text(encoding="utf-8"))
    schema = json.loads((VECTOR_FILES / "export.schema.json").read_text(encoding="utf-8"))
    assert list(Draft202012Validator(schema).iter_errors(whole)) == []
    assert [one["id"] for one in whole["list"]] == [vector.id for vector in VECTORS]
    assert [len(one["steps"]) for one in whole["list"]] == [len(vector.steps) for vector in VECTORS]


def test_every_buffer_is_a_file_and_a_row_of_the_index(forms):
    with (forms / "bin" / "index.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert {row["file"] for row in rows} == {
        path.relative_to(forms / "bin").as_posix() for path in (forms / "bin").rglob("*.bin")
    }
    known = {vector.id: vector for vector in VECTORS}
    sent = 0
    for row in rows:
        data = (forms / "bin" / row["file"]).read_bytes()
        assert len(data) == int(row["length_bytes"])
        assert row["sides"] == " ".join(sorted(known[row["vector"]].sides))
        step = known[row["vector"]].steps[int(row["step"]) - 1]
        if isinstance(step, steps.BufferStep):
            assert data == step.readable
            sent += 1
    assert sent == sum(bool(getattr(step, "readable", b"")) for vector in VECTORS for step in vector.steps)


def empty_or_not(lines, shown):
    """A form without the empty buffers is compared without them."""
    return [line for line in lines if not line.endswith(" 0")] == shown


def test_the_c_program_reads_them(forms, tmp_path):
    (tmp_path / "main.c").write_text(program("c"), encoding="utf-8")
    run(tool("gcc", "cc"), *FLAGS, "-I", forms, tmp_path / "main.c", "-o", tmp_path / "main")
    printed = run(tmp_path / "main").stdout.splitlines()
    assert empty_or_not(printed, inflations())


def test_the_rust_program_reads_them(forms, tmp_path):
    (tmp_path / "main.rs").write_text(program("rust"), encoding="utf-8")
    run(tool("rustc"), "-D", "warnings", tmp_path / "main.rs", "-o", tmp_path / "main")
    assert run(tmp_path / "main", forms / "bin").stdout.splitlines() == inflations()


def test_the_go_program_reads_them(forms, tmp_path):
    (tmp_path / "main.go").write_text(program("go"), encoding="utf-8")
    done = run(tool("go"), "run", tmp_path / "main.go", forms / "vectors.json", env=_home(tmp_path))
    assert empty_or_not(done.stdout.splitlines(), inflations())


def _home(directory):
    return {**os.environ, "HOME": str(directory), "GOCACHE": str(directory / "cache"), "GO111MODULE": "off"}


def test_the_python_program_reads_them(forms, tmp_path):
    (tmp_path / "main.py").write_text(program("python"), encoding="utf-8")
    done = run(sys.executable, "-I", "-W", "ignore", tmp_path / "main.py", forms / "vectors.json")
    assert empty_or_not(done.stdout.splitlines(), inflations())


def test_a_decoder_that_shares_nothing_with_ours_reads_one_vector_of_each_structure(forms, tmp_path):
    source = Path(__file__).with_name("decode_vectors.c")
    run(tool("gcc", "cc"), *FLAGS, "-I", forms, source, "-o", tmp_path / "decode")
    assert run(tmp_path / "decode").stdout == "5 structures decoded\n"


def test_the_header_is_c_plus_plus_too(forms, tmp_path):
    (tmp_path / "main.cpp").write_text(
        '#include "balloon_vectors.h"\nint main() { return BALLOON_VECTOR_COUNT == 0; }\n'
    )
    run(
        tool("g++"),
        "-Wall",
        "-Wextra",
        "-Werror",
        "-I",
        forms,
        tmp_path / "main.cpp",
        "-o",
        tmp_path / "main",
    )


def test_some_are_exported_by_their_ids():
    whole = json.loads(
        export("--format", "json", "inflate-two-runs", "deflate/deflate-and-inflate-again").stdout
    )
    assert [one["id"] for one in whole["list"]] == ["inflate-two-runs", "deflate-and-inflate-again"]
    assert export("--format", "c", "inflate-two-runs").stdout.startswith(
        "/* The vectors of virtio-balloon-conf"
    )


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--format", "bin"), "--format bin writes files; name their directory with --output"),
        (("--format", "json", "no-such"), "no vector 'no-such'"),
        (("--format", "json", "-o", "/proc/no/such"), "--output /proc/no/such: "),
        (("--format", "xml"), "Invalid value for '--format'"),
    ],
)
def test_bad_usage_gets_one_line(arguments, words):
    done = export(*arguments)
    assert done.exit_code == 2
    assert words in done.stderr
    assert done.stderr.count("\n") == 1


def test_the_manifest_is_one_that_sha256sum_takes():
    done = run(tool("sha256sum"), "-c", "--quiet", "--strict", "MANIFEST.sha256", cwd=VECTOR_FILES)
    assert done.stdout == ""


def test_an_export_over_an_earlier_one_leaves_nothing_of_it_and_touches_nothing_else(tmp_path):
    few = [vector for vector in VECTORS if vector.id in {"inflate-one-page", "chunks-highest-first"}]
    write_binary(few, tmp_path)
    earlier = set(tmp_path.rglob("*.bin"))
    mine = tmp_path / "mine.bin"
    mine.write_bytes(b"mine")
    with (tmp_path / "index.csv").open("a", encoding="utf-8") as index:
        index.write("mine.bin\n../mine.bin\n")
    write_binary(few[:1], tmp_path)
    left = set(tmp_path.rglob("*.bin")) - {mine}
    assert left < earlier
    assert {path.parent.name for path in left} == {few[0].id}
    assert mine.read_bytes() == b"mine"
    (tmp_path / "index.csv").write_bytes(b"\xff\xfe")
    assert write_binary(few[:1], tmp_path) == len(left)


def test_an_export_may_stand_beside_nothing_but_an_earlier_one(tmp_path):
    few = [vector for vector in VECTORS if vector.id in {"inflate-one-page", "chunks-highest-first"}]
    where = tmp_path / "new"
    assert may_hold(where)
    write_binary(few, where)
    assert may_hold(where)
    write_binary(few[:1], where)
    assert may_hold(where)
    assert {path.name for path in where.iterdir()} == {"index.csv", few[0].area}
    (where / "mine").touch()
    assert not may_hold(where)
    (tmp_path / "other").mkdir()
    assert may_hold(tmp_path / "other")
    (tmp_path / "other" / "index.csv").write_text("file\n")
    assert not may_hold(tmp_path / "other")


def test_the_command_refuses_a_directory_that_holds_something_else(tmp_path):
    (tmp_path / "mine").touch()
    done = CliRunner().invoke(main, ["vectors", "export", "--format", "bin", "-o", str(tmp_path)])
    assert (done.exit_code, done.stdout) == (2, "")
    assert "holds other files than those of an export; name a new one, or an empty one" in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]
