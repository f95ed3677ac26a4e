"""The command itself: help, version, and errors in one line."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner
from places import ROOT

from balloon_conformance import cli
from balloon_conformance.cli import main, suite_version


def run(*arguments: str):
    return CliRunner().invoke(main, list(arguments))


def test_help_lists_every_command_and_the_exit_codes():
    done = run("--help")
    assert done.exit_code == 0
    for name in ("run", "check", "decode", "requirements", "vectors"):
        assert f"\n  {name} " in done.stdout
    assert "Exit codes: 0 all well; 1 something is broken; 2 bad usage or input" in done.stdout


@pytest.mark.parametrize("name", ["run", "check", "decode", "requirements", "vectors"])
def test_every_command_has_help_of_its_own(name):
    done = run(name, "--help")
    assert done.exit_code == 0
    assert done.stdout.startswith(f"Usage: balloon-conformance {name} ")


def test_help_loads_nothing_heavy():
    code = (
        "import sys\nfrom balloon_conformance.cli import main\n"
        "try: main(['--help'])\nexcept SystemExit: pass\n"
        "print(sorted({'numpy', 'pytest', 'construct', 'yaml', 'rich', 'jsonschema'} & sys.modules.keys()))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


def test_the_version_is_that_of_the_distribution():
    assert run("--version").stdout == f"balloon-conformance {suite_version()}\n"


def test_a_version_that_cannot_be_known_is_said_to_be_unknown(monkeypatch):
    def missing(_name):
        raise cli.PackageNotFoundError

    monkeypatch.setattr(cli, "version", missing)
    assert suite_version() == "unknown"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("nonsense",), "No such command 'nonsense'."),
        (("run",), "Missing argument 'IUT'."),
        (("run", "--nonsense", "x"), "No such option"),
        (("run", "reference-device", "--deadline", "0"), "Invalid value for '--deadline'"),
        (("vectors", "nonsense"), "No such command 'nonsense'."),
    ],
)
def test_bad_usage_gets_one_line(arguments, words):
    done = run(*arguments)
    assert (done.exit_code, done.stderr.count("\n"), done.stdout) == (2, 1, "")
    assert done.stderr.startswith("balloon-conformance: ")
    assert words in done.stderr


README = ROOT / "README.md"
QUICK = ("compare", "requirements", "vectors show", "decode")


def test_what_the_readme_shows_can_be_done(monkeypatch):
    monkeypatch.chdir(README.parent)
    lines = re.findall(r"^\$ balloon-conformance (.*)$", README.read_text(encoding="utf-8"), re.MULTILINE)
    quick = [shlex.split(line, comments=True) for line in lines if line.startswith(QUICK)]
    assert {words[0] for words in quick} == {name.split()[0] for name in QUICK}
    for words in quick:
        done = run(*words)
        assert done.exit_code == 0, (words, done.stderr)


class Failing(click.Command):
    def __init__(self, error: BaseException) -> None:
        super().__init__("check")
        self._error = error

    def invoke(self, ctx):
        raise self._error


def failing(monkeypatch, error: BaseException, *options: str):
    monkeypatch.setattr(cli, "import_module", lambda _name: type("M", (), {"command": Failing(error)}))
    return run(*options, "check")


def test_a_defect_gets_one_line_that_asks_for_a_report(monkeypatch):
    done = failing(monkeypatch, KeyError("boo"))
    assert (done.exit_code, done.stderr.count("\n")) == (3, 1)
    assert done.stderr.startswith(
        "balloon-conformance: unexpected KeyError: 'boo'; this is a defect, please report"
    )


def test_debug_shows_the_traceback(monkeypatch):
    done = failing(monkeypatch, KeyError("boo"), "--debug")
    assert isinstance(done.exception, KeyError)


def test_an_interrupt_is_130(monkeypatch):
    done = failing(monkeypatch, KeyboardInterrupt())
    assert (done.exit_code, done.stderr) == (130, "balloon-conformance: interrupted\n")


@pytest.mark.parametrize("words", ["vectors list", "vectors export --format json"])
def test_a_full_disk_is_no_defect_of_the_suite(words):
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "balloon_conformance", *words.split()],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    said = "balloon-conformance: standard output: no space is left where it goes; free some, and run again\n"
    assert (done.returncode, done.stderr) == (2, said)


@pytest.mark.parametrize(
    "words",
    [
        "requirements --json",
        "vectors export --format json",
        "vectors show inflate-two-runs",
        "run reference-device -k inflate-two-runs",
    ],
)
def test_a_reader_that_goes_away_ends_the_command_in_silence_and_not_as_if_all_were_well(words):
    command = f"{sys.executable} -m balloon_conformance {words} | head -c 10; echo ${{PIPESTATUS[0]}} >&2"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=True)
    assert (len(done.stdout), done.stderr) == (10, "141\n")


@pytest.mark.parametrize("option", ["--html", "--junitxml"])
def test_a_file_that_takes_nothing_is_named_when_all_was_said(option):
    done = run("run", "reference-device", "-k", "inflate-two-runs", option, "/dev/full")
    assert done.exit_code == 2
    assert "requirements exercised of" in done.stdout.splitlines()[-1]
    assert done.stderr == (
        f"balloon-conformance: {option} /dev/full: No space left on device; name a file that can be written\n"
    )


def test_streams_that_are_closed_lead_nowhere():
    program = [sys.executable, "-m", "balloon_conformance", "requirements", "CHUNK-03"]
    closing = "import os, sys; os.close(1); os.close(2); os.execv(sys.argv[1], sys.argv[1:])"
    assert subprocess.run([sys.executable, "-c", closing, *program], check=False, timeout=60).returncode == 0
