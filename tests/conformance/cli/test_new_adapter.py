"""Skeletons compile without a warning, answer ``start``, and fail honestly at everything else."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner
from run_command import run_command
from stdio_programs import SETUP

from balloon_conformance.cli import main
from balloon_conformance.iut.contract import AdapterError
from balloon_conformance.iut.stdio.forms import COMMANDS, ErrorKind
from balloon_conformance.iut.stdio.program import Program, StdioOptions
from balloon_conformance.skeletons.write import LANGUAGES
from balloon_spec.events import Side

JANSSON = Path("/usr/include/jansson.h")
SKELETONS = [(language, side) for language in sorted(LANGUAGES) for side in Side]


def new(directory, *arguments):
    return CliRunner().invoke(main, ["new-adapter", *arguments, str(directory)])


@pytest.fixture
def built(tmp_path, request):
    """The words of a program made from a skeleton, and its side."""
    language, side = request.param
    done = new(tmp_path, "--language", language, "--role", str(side))
    assert done.exit_code == 0, done.output
    if language == "c":
        if not JANSSON.exists():
            pytest.skip("needs jansson's header: install libjansson-dev")
        subprocess.run(["make", "-C", str(tmp_path)], check=True, capture_output=True, timeout=60)
        return (str(tmp_path / f"my-{side}"),), side
    return (sys.executable, str(tmp_path / f"my-{side}.py")), side


@pytest.mark.parametrize("built", SKELETONS, ids="-".join, indirect=True)
def test_it_starts_and_answers_every_command_honestly(built):
    words, side = built
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
        assert not own or answer.text == f"{form.name} is not written yet"
    assert program.observe(0.0).events == ()
    with pytest.raises(AdapterError, match="answered reset with not-implemented: reset is not written yet"):
        program.ask("reset")
    other = program.ask_openly(
        "start", {"protocol": 1, "suite": "", "profile": "base", "bits": {}, "memory_pages": 1, "may_ask": ()}
    )
    assert other.error is ErrorKind.REFUSED
    assert program.stop()


@pytest.mark.parametrize("built", SKELETONS, ids="-".join, indirect=True)
def test_it_ends_with_its_input(built):
    words, _ = built
    done = subprocess.run(words, input=b"", capture_output=True, timeout=60, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")


def test_a_run_judges_nothing_with_it(tmp_path):
    assert new(tmp_path, "--language", "python").exit_code == 0
    done = run_command(tmp_path, "run", f"stdio:{sys.executable} my-device.py")
    assert done.code == 3
    assert "a negotiation: " in done.err
    assert "answered negotiate with not-implemented: negotiate is not written yet" in done.err


def test_it_says_what_to_do_next(tmp_path):
    done = new(tmp_path / "new" / "place", "--language", "c", "--name", "board")
    assert done.exit_code == 0
    assert f"wrote {tmp_path}/new/place/board.c" in done.output
    assert "  make\n  balloon-conformance doctor 'stdio:./board'\n" in done.output
    assert sorted(path.name for path in (tmp_path / "new" / "place").iterdir()) == ["Makefile", "board.c"]
    python = new(tmp_path, "--language", "python", "--role", "driver")
    assert "balloon-conformance run 'stdio:python3 my-driver.py'" in python.output
    assert os.access(tmp_path / "my-driver.py", os.X_OK)


def test_no_file_is_overwritten(tmp_path):
    kept = tmp_path / "Makefile"
    kept.write_text("mine", encoding="utf-8")
    done = new(tmp_path, "--language", "c")
    assert (done.exit_code, kept.read_text(encoding="utf-8")) == (2, "mine")
    assert "Makefile: this file exists; choose another directory\n" in done.output
    assert [path.name for path in tmp_path.iterdir()] == ["Makefile"]
    (tmp_path / "my-device.py").write_text("mine", encoding="utf-8")
    done = new(tmp_path, "--language", "python")
    assert "my-device.py: this file exists; choose another directory, or another --name\n" in done.output


@pytest.mark.parametrize("name", ["a b", "../up", "1st", "x" * 42])
def test_a_name_that_is_none_of_a_file_is_refused(tmp_path, name):
    done = new(tmp_path, "--language", "python", "--name", name)
    assert done.exit_code == 2
    assert "cannot be a file name" in done.output


def test_a_place_that_cannot_be_written_is_refused(tmp_path):
    (tmp_path / "file").write_text("", encoding="utf-8")
    done = new(tmp_path / "file" / "below", "--language", "python")
    assert done.exit_code == 2
    assert "Not a directory; choose a directory to write to" in done.output


def test_what_was_half_written_is_removed(tmp_path, monkeypatch):
    def fails(*_arguments, **_options):
        raise OSError(28, "No space left on device", "somewhere")

    monkeypatch.setattr("pathlib.Path.write_text", fails)
    done = new(tmp_path, "--language", "python")
    assert done.exit_code == 2
    assert "somewhere: No space left on device" in done.output
    assert list(tmp_path.iterdir()) == []


def test_the_c_skeleton_is_clean_under_sanitizers(tmp_path):
    if not shutil.which("cc") or not JANSSON.exists():
        pytest.skip("needs a C compiler and libjansson-dev")
    assert new(tmp_path, "--language", "c").exit_code == 0
    flags = "CFLAGS=-g -fsanitize=address,undefined -fno-sanitize-recover=all"
    subprocess.run(["make", "-C", str(tmp_path), flags], check=True, capture_output=True, timeout=60)
    lines = [
        {"seq": 1, "command": "start", "protocol": 2},
        {"seq": 2, "command": "negotiate"},
        {"seq": 3, "command": "nonsense"},
        {"seq": 4},
        {"seq": 5, "command": "stop"},
    ]
    text = "".join(json.dumps(line) + "\n" for line in lines)
    done = subprocess.run(
        [str(tmp_path / "my-device")], input=text, capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    errors = [json.loads(line).get("error") for line in done.stdout.splitlines()]
    assert errors == [None, "not-implemented", "unknown-command", "unknown-command", None]
