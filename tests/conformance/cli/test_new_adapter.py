"""The command writes a skeleton, says what to do next, and overwrites nothing."""

import json
import os
import subprocess

import pytest
from click.testing import CliRunner
from skeleton_programs import need_language

from balloon_conformance.cli import main


def new(directory, *arguments):
    return CliRunner().invoke(main, ["new-adapter", *arguments, str(directory)])


def test_it_says_what_to_do_next(tmp_path):
    done = new(tmp_path / "new" / "place", "--language", "c", "--name", "board")
    assert done.exit_code == 0
    assert f"wrote {tmp_path}/new/place/board.c" in done.output
    assert "  make\n  balloon-conformance doctor 'stdio:./board'\n" in done.output
    assert sorted(path.name for path in (tmp_path / "new" / "place").iterdir()) == ["Makefile", "board.c"]
    python = new(tmp_path, "--language", "python", "--role", "driver")
    assert "balloon-conformance run 'stdio:python3 my-driver.py'" in python.output
    assert os.access(tmp_path / "my-driver.py", os.X_OK)
    rust = new(tmp_path, "--language", "rust")
    assert "  rustc --edition 2021 -O -o my-device my-device.rs\n" in rust.output
    go = new(tmp_path, "--language", "go", "--name", "board")
    assert "  go build -o board board.go\n" in go.output


def test_what_two_programs_share_is_written_once(tmp_path):
    assert f"wrote {tmp_path}/json.rs\n" in new(tmp_path, "--language", "rust").output
    second = new(tmp_path, "--language", "rust", "--role", "driver")
    assert second.exit_code == 0
    assert "json.rs" not in second.output
    assert sorted(path.name for path in tmp_path.iterdir()) == ["json.rs", "my-device.rs", "my-driver.rs"]
    (tmp_path / "json.rs").write_text("mine", encoding="utf-8")
    third = new(tmp_path, "--language", "rust", "--name", "third")
    assert third.exit_code == 2
    assert "json.rs: this file exists; choose another directory\n" in third.output


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


@pytest.mark.parametrize(("language", "name"), [("go", "board_test"), ("rust", "json")])
def test_a_name_that_means_something_else_is_refused(tmp_path, language, name):
    done = new(tmp_path, "--language", language, "--name", name)
    assert done.exit_code == 2
    assert f"'{name}' means something else in {language}; choose another --name" in done.output
    assert list(tmp_path.iterdir()) == []


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
    need_language("c")
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
