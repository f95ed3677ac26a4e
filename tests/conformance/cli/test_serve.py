"""``balloon-conformance serve``: what it refuses, in one line each."""

from __future__ import annotations

import pytest
from run_command import run_command


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("reference-device",), "give --vhost-user SOCKET, or --stdio, and not both"),
        (("reference-device", "--vhost-user", "/nowhere/s"), "cannot listen on /nowhere/s: No such file"),
        (("reference-device", "--vhost-user", "/" + "x" * 200), "is no path for a socket"),
        (("reference-device", "--vhost-user", "/nowhere/s", "--bit", "X"), "--bit X: write FEATURE=NUMBER"),
        (
            ("reference-device", "--stdio", "--numbering", "fixed"),
            "--numbering is not for --stdio: the suite",
        ),
        (("reference-driver", "--vhost-user", "/nowhere/s", "--numbering", "x"), "'x' is not one of 'fixed'"),
        (("reference-device", "--vhost-user", "/nowhere/s", "--profile", "v9"), "no profile 'v9'"),
        (("reference-driver", "--vhost-user", "/nowhere/s", "--memory", "64"), "'64' is not a size"),
        (("reference-driver", "--vhost-user", "/nowhere/s", "--memory", "9" * 40 + "G"), "is not a size"),
        (("reference-driver", "--vhost-user", "/nowhere/s", "--memory", "1025G"), "give at most 1024G"),
        (("reference-driver", "--vhost-user", "/nowhere/s", "--memory", "900G"), "pages of guest memory"),
        (("reference-driver", "--vhost-user", "/nowhere/s", "--control", "/nowhere/c"), "cannot listen on"),
    ],
)
def test_what_cannot_be_served_is_said_in_one_line(tmp_path, arguments, words):
    ended = run_command(tmp_path, "serve", *arguments)
    assert (ended.code, ended.out) == (2, "")
    assert words in ended.err
    assert len(ended.err.splitlines()) == 1
