"""A listening socket: whose place it takes, and what it leaves behind."""

from __future__ import annotations

import socket

import pytest

from balloon_conformance.vhost_user.errors import SocketError
from balloon_conformance.vhost_user.listening import Listening


def test_it_leaves_nothing_behind(tmp_path):
    with Listening(str(tmp_path / "s")) as listening:
        listening.close()
    assert list(tmp_path.iterdir()) == []


def test_a_path_somebody_else_has_taken_meanwhile_is_theirs(tmp_path):
    path = tmp_path / "s"
    with Listening(str(path)):
        path.unlink()
        path.write_text("theirs")
    assert path.read_text() == "theirs"


@pytest.mark.parametrize("path", ["", "/" + "x" * 107])
def test_a_path_no_socket_can_have_is_refused(path):
    with pytest.raises(SocketError, match="is no path for a socket; give one of 1 to 107 bytes"):
        Listening(path)


def test_a_directory_that_does_not_exist_is_named(tmp_path):
    with pytest.raises(SocketError, match=r"cannot listen on .*: No such file or directory; give another"):
        Listening(str(tmp_path / "none" / "s"))


def test_nobody_asking_is_no_connection(tmp_path):
    with Listening(str(tmp_path / "s")) as listening:
        assert listening.accept() is None
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(listening.path)
            connection = listening.accept()
            assert connection is not None
            connection.close()
