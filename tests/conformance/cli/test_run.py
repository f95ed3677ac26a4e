"""``run`` refuses bad usage before it begins, in one line."""

import pytest
from click.testing import CliRunner

from balloon_conformance.cli import main, run


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("nonsense",), "no implementation 'nonsense'"),
        (("reference-device", "-k", "(a"), "-k '(a': expected right parenthesis"),
        (("reference-device", "-n", "x"), "-n x: give a number of processes from 1 to 256, or auto"),
        (("reference-device", "-n", "0"), "-n 0: give a number of processes from 1 to 256, or auto"),
        (("vhost-user-device:/nowhere/x", "-n", "2"), "-n 2: vhost-user-device:/nowhere/x is one implem"),
        (("vhost-user-driver:/nowhere/x", "-n", "auto"), "at one socket, which judges one case at a time"),
        (
            ("vhost-user-driver:/nowhere/x", "--control", "/nowhere/y", "-n", "3"),
            "which judges one case at a time; leave -n out",
        ),
        (("vhost-user-device:/nowhere/x", "-n", "1"), "cannot connect to /nowhere/x"),
        (("reference-device", "--profile", "x"), "no profile 'x'; choose one of base, chunk-transfer"),
        (("reference-device", "--bit", "CHUNK_TRANSFER"), "--bit CHUNK_TRANSFER: write FEATURE=NUMBER"),
        (
            ("reference-device", "--bit", "CHUNK_TRANSFER=1"),
            "both have bit 1; give one of them another number",
        ),
        (("reference-device", "--bit", "NONSENSE=1"), "NONSENSE"),
        (("reference-device", "--qemu-binary", "x"), "--qemu-binary is for qemu"),
        (("reference-device", "--junitxml", "/nowhere/x.xml"), "--junitxml /nowhere/x.xml: No such file or"),
        (("reference-device", "--bit", ""), "--bit: there is nothing; write FEATURE=NUMBER"),
        (
            ("reference-device", "--results", ""),
            "--results : Is a directory; name a file that can be written",
        ),
        (("reference-device", "--deadline", "nan"), "'nan' is no time to wait; give seconds, above 0"),
        (("reference-device", "--deadline", "inf"), "'inf' is no time to wait"),
        (("reference-device", "--deadline", "1e300"), "'1e300' is no time to wait"),
        (("reference-device", "-n", "9" * 30), "give a number of processes from 1 to 256, or auto"),
        (
            ("reference-device", "--results", "x", "--html", "./x"),
            "--html ./x: --results names the same file",
        ),
        (
            ("reference-device", "--results", "/dev/../tmp/x.jsonl", "--junitxml", "/tmp/x.jsonl"),
            "--junitxml /tmp/x.jsonl: ",
        ),
        (("reference-device", "--results", "/dev/full"), "--results /dev/full: No space left on device"),
        (
            ("reference-device", "--results", "/nowhere/x"),
            "--results /nowhere/x: No such file or directory; name",
        ),
        (("reference-device", "--vectors", "/nowhere"), "Directory '/nowhere' does not exist"),
        (("qemu", "--qemu-binary", "/nowhere/qemu"), "no executable '/nowhere/qemu'; install QEMU"),
        (("qemu", "--qemu-memory", "much"), "--qemu-memory: 'much' is not a size"),
    ],
)
def test_bad_usage_gets_one_line(arguments, words):
    done = CliRunner().invoke(main, ["run", *arguments])
    assert (done.exit_code, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert done.stderr.startswith("balloon-conformance: ")
    assert words in done.stderr


def test_a_missing_xdist_is_named_with_the_extra_that_brings_it(monkeypatch):
    monkeypatch.setattr(run, "find_spec", lambda _name: None)
    done = CliRunner().invoke(main, ["run", "reference-device", "-n", "2"])
    assert done.exit_code == 2
    assert "install virtio-balloon-conformance[parallel]" in done.stderr


def test_the_help_says_what_each_exit_code_means():
    text = CliRunner().invoke(main, ["run", "--help"]).stdout
    for line in (
        "0  all well",
        "1  something is broken",
        "2  bad usage",
        "3  the adapter",
        "5  nothing",
        "130  interr",
        "143  ended by SIGTERM",
    ):
        assert line in text
