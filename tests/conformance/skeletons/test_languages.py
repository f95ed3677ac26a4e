"""The skeleton of every language is built, starts, fails honestly, and with a device filled in is judged."""

from __future__ import annotations

import json
import shlex
import subprocess

import pytest
from example_programs import judge
from run_command import run_command
from skeleton_programs import FILLINGS, write
from stdio_programs import SETUP

from balloon_conformance.iut.contract import AdapterError
from balloon_conformance.iut.stdio.forms import COMMANDS, ErrorKind
from balloon_conformance.iut.stdio.program import Program, StdioOptions
from balloon_conformance.skeletons.language import languages
from balloon_spec.events import Side

LANGUAGES = list(languages())
CASES = "pfn-array-cut-at-11 or pfn-duplicates-across-buffers or actual-reads-back"
"""Cases that the small device passes: of segments, of buffers returned once, of the configuration space."""

HARD = [
    '"plain"',
    r'"\u00e9\ud83d\ude00 \n\t\r\b\f \" \\ \/"',
    '"é😀\x7f"',
    '"' + "long" * 5000 + '"',
]
"""Strings that every reader of JSON has to read, as they stand in a line."""

NO_JSON = [
    "{]",
    "[1 2]",
    '{"seq": 1 "command": "stop"}',
    '{"seq": 01, "command": "stop"}',
    '{"seq": 1, "command": "\\x"}',
    "nonsense",
]


@pytest.fixture(scope="module")
def built(request, tmp_path_factory):
    """The words of a program made from a skeleton, the directory it runs in, and its side."""
    language, side = request.param
    directory = tmp_path_factory.mktemp(f"{language}-{side}")
    words = shlex.split(write(language, side, directory))
    # The suite runs a program where it is itself; the words of Python's name the file without the directory.
    return (
        tuple(str(directory / word) if (directory / word).is_file() else word for word in words),
        side,
        directory,
    )


EVERY_PROGRAM = pytest.mark.parametrize(
    "built", [(language, side) for language in LANGUAGES for side in Side], ids="-".join, indirect=True
)


def test_every_language_has_a_device_to_fill_in():
    assert set(FILLINGS) == set(LANGUAGES)


@EVERY_PROGRAM
def test_it_starts_and_answers_every_command_honestly(built):
    words, side, _ = built
    program = Program(StdioOptions(words))
    program.start(SETUP)
    assert program.introduction.role is side
    assert program.introduction.capabilities == frozenset()
    for form in COMMANDS.values():
        if form.name in {"start", "observe", "stop"}:
            continue
        answer = program.ask_openly(form.name, {})
        own = side in form.sides
        assert answer.error is (ErrorKind.NOT_IMPLEMENTED if own else ErrorKind.UNKNOWN_COMMAND), form.name
        assert not own or answer.text.startswith(f"{form.name} is not written yet; fill in ")
        assert not own or f"my-{side}." in answer.text
    assert program.observe(0.0).events == ()
    with pytest.raises(
        AdapterError, match="answered reset with not-implemented: reset is not written yet; fill in"
    ):
        program.ask("reset")
    other = program.ask_openly(
        "start", {"protocol": 1, "suite": "", "profile": "base", "bits": {}, "memory_pages": 1, "may_ask": ()}
    )
    assert other.error is ErrorKind.REFUSED
    assert program.stop()


@EVERY_PROGRAM
def test_it_ends_with_its_input(built):
    words, _, _ = built
    done = subprocess.run(words, input=b"", capture_output=True, timeout=60, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")


@EVERY_PROGRAM
def test_it_reads_and_writes_json(built):
    words, _, _ = built
    lines = [
        f'{{"more":{{"a":[[],[1,-2.5e3,null,true],{{}}]}},"seq":{at}, "command" :{text}}}'
        for at, text in enumerate(HARD)
    ]
    done = subprocess.run(
        words,
        input="".join(line + "\n" for line in lines).encode(),
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, b"")
    answers = [json.loads(line) for line in done.stdout.decode().splitlines()]
    asked = [json.loads(line) for line in lines]
    assert [answer["seq"] for answer in answers] == [one["seq"] for one in asked]
    assert [answer["text"] for answer in answers] == [one["command"] for one in asked]


@EVERY_PROGRAM
def test_what_is_no_json_ends_it_with_an_error(built):
    words, _, _ = built
    for line in NO_JSON:
        done = subprocess.run(words, input=f"{line}\n".encode(), capture_output=True, timeout=60, check=False)
        assert (done.returncode, done.stdout) == (1, b""), line


@EVERY_PROGRAM
def test_the_first_run_says_what_to_write_next(built):
    words, side, directory = built
    done = run_command(directory, "run", f"stdio:{shlex.join(words)}")
    assert done.code == 3
    assert f"negotiate is not written yet; fill in negotiate of my-{side}." in done.err


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_device_that_is_filled_in_is_judged(tmp_path, language):
    words = shlex.split(write(language, Side.DEVICE, tmp_path, wrong=False))
    seen = judge(tmp_path, *words, profile="base", cases=CASES)
    assert (seen.code, seen.not_passed()) == (0, {}), seen.said
    assert len(seen.cases) == len(CASES.split(" or "))
    write(language, Side.DEVICE, tmp_path, wrong=True)
    seen = judge(tmp_path, *words, profile="base", cases="pfn-duplicates-across-buffers")
    assert (seen.code, seen.broken()) == (1, {"BUF-03"}), seen.said
