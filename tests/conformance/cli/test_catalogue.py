"""``requirements`` and ``vectors``: what the suite knows, on the terminal."""

import json

import pytest
from click.testing import CliRunner

from balloon_conformance.cli import main
from balloon_conformance.suite.decided_by import deciders
from balloon_conformance.vectors.loader import load_all
from balloon_spec.requirement import catalogue

VECTORS = load_all()
DUPLICATE = "vector: twice\nvector: twice\n"


def run(*arguments: str):
    return CliRunner().invoke(main, list(arguments))


def test_every_requirement_is_listed_with_what_decides_it():
    lines = run("requirements").stdout.splitlines()
    listed = {line.split()[0]: line for line in lines if line.startswith("  ")}
    assert list(listed) == list(catalogue())
    known = deciders()
    assert all(line.endswith(f"  {known[name]}") for name, line in listed.items())


def test_an_area_lists_only_its_own():
    lines = run("requirements", "--area", "chunk").stdout.splitlines()
    assert lines[0] == "Chunks (chunk)"
    assert all(line.split()[0].startswith("CHUNK-") for line in lines[1:])
    assert len(lines) == 1 + len(catalogue().by_area("chunk"))


def test_one_requirement_is_shown_whole():
    done = run("requirements", "chunk-03")
    entry = catalogue()["CHUNK-03"]
    text = " ".join(done.stdout.split())
    assert text.startswith(f"CHUNK-03: MUST, of the driver, when {entry.when} {entry.text} why {entry.why}")
    assert entry.source.choice is not None
    for words in (f"reading {entry.source.choice.reading}", f"not taken {entry.source.choice.not_taken}"):
        assert words in text
    for name in ("rules", "vectors"):
        assert f" {name} " in text


def test_a_requirement_nothing_can_observe_says_so():
    assert "cannot be observed: " in run("requirements", "BUF-08").stdout


def test_requirements_are_printed_as_json_lines():
    lines = [json.loads(line) for line in run("requirements", "--json").stdout.splitlines()]
    assert [line["id"] for line in lines] == list(catalogue())
    one = next(line for line in lines if line["id"] == "NEG-07")
    assert "every-legal-subset" in one["decided_by"]["scenarios"]
    assert one["decided_by"]["rules"]


def test_vectors_are_listed_by_area_and_by_requirement():
    every = run("vectors", "list").stdout.splitlines()
    assert len(every) == len(VECTORS)
    chunks = run("vectors", "list", "--area", "chunks").stdout.splitlines()
    assert chunks == [line for line in every if line.startswith("chunks/")]
    about = run("vectors", "list", "--requirement", "chunk-06").stdout.splitlines()
    assert len(about) == sum("CHUNK-06" in (*one.requirements, *one.breaks) for one in VECTORS)


@pytest.mark.untraced
def test_vectors_of_every_area_can_be_shown():
    shown = VECTORS[::5]
    assert {vector.area for vector in shown} == {vector.area for vector in VECTORS}
    for vector in shown:
        done = run("vectors", "show", vector.id)
        assert done.exit_code == 0
        assert done.stdout.startswith(f"{vector.area}/{vector.id}: {vector.title}\n")
        assert all(name in done.stdout for name in (*vector.requirements, *vector.breaks))


def test_a_shown_vector_has_its_steps_in_order_and_its_bytes_explained():
    text = run("vectors", "show", "deflate/deflate-and-inflate-again").stdout
    places = [
        text.index(words)
        for words in (
            "target 1", "num_pages = 1", "inflate 0x1234", "inflate m1, 24 bytes", "used m1", "actual = 1",
            "deflate d1, 24 bytes", "driver to device: inflate m1", "page frame number 0x1234",
        )
    ]  # fmt: skip
    assert places == sorted(places)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("requirements", "CHUNK-99"), "no requirement 'CHUNK-99'"),
        (("requirements", "--area", "x"), "no area 'x'; there are negotiation, "),
        (("vectors", "list", "--area", "x"), "no area 'x' of vectors; there are "),
        (("vectors", "list", "--requirement", "X-01"), "no requirement 'X-01'"),
        (("vectors", "show", "x"), "no vector 'x'"),
        (("vectors", "verify", "/nowhere.yaml"), "Path '/nowhere.yaml' does not exist"),
    ],
)
def test_bad_input_gets_one_line(arguments, words):
    done = run(*arguments)
    assert (done.exit_code, done.stderr.count("\n")) == (2, 1)
    assert done.stderr.startswith("balloon-conformance: ")
    assert words in done.stderr


def test_verify_names_the_vector_that_cannot_be_read(tmp_path):
    path = tmp_path / "twice.yaml"
    path.write_text(DUPLICATE)
    done = run("vectors", "verify", str(path))
    assert done.exit_code == 1
    assert f"{path}:2: " in done.stdout


def test_verify_agrees_with_vectors_that_are_right():
    path = next(one.path for one in VECTORS if one.id == "deflate-and-inflate-again")
    done = run("vectors", "verify", str(path))
    assert done.exit_code == 0
    assert done.stdout.endswith("1 vector, 0 with differences\n")


def test_verify_reports_a_vector_whose_bytes_are_wrong(tmp_path):
    text = next(one.path for one in VECTORS if one.id == "deflate-and-inflate-again").read_text()
    path = tmp_path / "deflate-and-inflate-again.yaml"
    # The deflate buffer names another page than the one in the balloon.
    head, mark, tail = text.partition("as: d1")
    path.write_text(head + mark + tail.replace("00 40 23 01", "00 50 23 01", 1))
    done = run("vectors", "verify", str(path))
    assert done.exit_code == 1
    assert "as a trace: DEF-04 driver MUST NOT" in done.stdout
    assert "against the reference-driver: failed: " in done.stdout
    assert done.stdout.endswith("1 vector, 1 with differences\n")


def test_verify_reports_what_a_vector_says_it_breaks_and_does_not(tmp_path):
    text = next(one.path for one in VECTORS if one.id == "reserved-bit-0-of-base").read_text()
    path = tmp_path / "reserved-bit-0-of-base.yaml"
    path.write_text(text.replace("breaks: [", "breaks: [HDR-04, "))
    assert (
        "as a trace: HDR-04 stands in breaks, and no rule finds it broken"
        in run("vectors", "verify", str(path)).stdout
    )
