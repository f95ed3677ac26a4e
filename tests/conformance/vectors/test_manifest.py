"""The manifest: what it says, and every way in which files fall out of step with it."""

import hashlib
import shutil
import subprocess

import pytest

from balloon_conformance.vectors import manifest

NEWLINE_DIGEST = "01ba4719c80b6fe911b091a7c05124b64eeece964e09c058ef8f9805daca546b"
EMPTY_DIGEST = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


@pytest.fixture
def directory(tmp_path):
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "one.yaml").write_bytes(b"")
    (tmp_path / "a.yaml").write_bytes(b"abc")
    (tmp_path / "x.schema.json").write_bytes(b"{}")
    (tmp_path / "README.md").write_bytes(b"prose is not in it")
    manifest.write(tmp_path)
    return tmp_path


def found(directory):
    return [
        (path.relative_to(directory).as_posix(), words) for path, _, words in manifest.differences(directory)
    ]


def test_it_is_what_sha256sum_writes(directory):
    text = (directory / manifest.NAME).read_bytes()
    assert text.splitlines()[:2] == [
        b"ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad  a.yaml",
        EMPTY_DIGEST.encode() + b"  b/one.yaml",
    ]
    assert text.count(b"\n") == 3
    assert text.endswith(hashlib.sha256(b"{}").hexdigest().encode() + b"  x.schema.json\n")


@pytest.mark.skipif(shutil.which("sha256sum") is None, reason="there is no sha256sum here")
def test_sha256sum_agrees(directory):
    command = ["sha256sum", "--check", "--strict", "--quiet", manifest.NAME]
    assert subprocess.run(command, cwd=directory, check=False, timeout=60).returncode == 0


def test_what_was_not_changed_is_in_step(directory):
    assert found(directory) == []


def test_it_is_written_only_where_it_changes(directory):
    assert not manifest.write(directory)
    (directory / "a.yaml").write_bytes(b"abd")
    assert manifest.write(directory)
    assert found(directory) == []


def test_a_file_that_differs_is_named_with_both_digests(directory):
    (directory / "b" / "one.yaml").write_bytes(b"\n")
    ((name, words),) = found(directory)
    assert name == "b/one.yaml"
    assert words.startswith(f"its SHA-256 is {NEWLINE_DIGEST}, in MANIFEST.sha256 {EMPTY_DIGEST}")


def test_a_file_that_is_missing_and_one_too_many_are_named(directory):
    (directory / "a.yaml").rename(directory / "c.yaml")
    assert [(name, words.split(";")[0]) for name, words in found(directory)] == [
        ("a.yaml", "the file is missing, and MANIFEST.sha256 names it"),
        ("c.yaml", "the file is not in MANIFEST.sha256"),
    ]


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (lambda text: text.replace(b"  a.yaml", b" a.yaml"), ":1: "),
        (lambda text: text + b"\xff", ":1: file: this is not UTF-8"),
        (lambda text: text + text.splitlines(keepends=True)[0], ":4: a.yaml stands twice"),
        (
            lambda text: b"".join(text.splitlines(keepends=True)[::-1]),
            ":1: the paths are not in ascending order",
        ),
    ],
)
def test_a_manifest_that_cannot_be_read_says_the_line_and_the_remedy(directory, spoil, says):
    path = directory / manifest.NAME
    path.write_bytes(spoil(path.read_bytes()))
    with pytest.raises(manifest.ManifestError) as caught:
        manifest.read(directory)
    assert str(caught.value).startswith(f"{path}{says}")
    assert str(caught.value).endswith("; write it again with balloon-conformance vectors generate")


def test_a_manifest_that_is_not_there_says_so(tmp_path):
    with pytest.raises(
        manifest.ManifestError, match=r"MANIFEST\.sha256:1: file: No such file or directory; write it"
    ):
        manifest.read(tmp_path)


def test_the_files_that_agree_are_told_from_the_others(directory):
    (directory / "b" / "two.yaml").write_bytes(b"")
    (directory / "a.yaml").write_bytes(b"abd")
    assert manifest.agreeing(directory) == {directory / "b" / "one.yaml", directory / "x.schema.json"}


def test_under_another_schema_or_another_manifest_nothing_agrees(directory):
    (directory / "x.schema.json").write_bytes(b"{ }")
    assert manifest.agreeing(directory) == frozenset()
    manifest.write(directory)
    assert len(manifest.agreeing(directory)) == 3
    (directory / manifest.NAME).write_text("something else\n")
    assert manifest.agreeing(directory) == frozenset()
