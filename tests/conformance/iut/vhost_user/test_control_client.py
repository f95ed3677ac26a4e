"""The client of a control socket, against servers written by hand."""

from __future__ import annotations

import json
import socket
from threading import Thread

import pytest

from balloon_conformance.iut.contract import AdapterError, ImplementationCrashed, ImplementationHung
from balloon_conformance.iut.vhost_user.control_client import ControlClient


@pytest.fixture
def answering(tmp_path):
    """Serve one client that is answered with the given bytes; None hangs up, b"" says nothing."""
    ends = []

    def serve(*answers):
        listening = socket.socket(socket.AF_UNIX)
        listening.bind(str(tmp_path / "c"))
        listening.listen()
        wishes = []

        def talk():
            connection, _ = listening.accept()
            with connection, connection.makefile("rb") as lines:
                for answer in answers:
                    wishes.append(json.loads(lines.readline()))
                    if answer is None:
                        return
                    connection.sendall(answer)
                lines.readline()

        thread = Thread(target=talk)
        thread.start()
        client = ControlClient(str(tmp_path / "c"), 0.3)
        ends.append((client, thread, listening))
        return client, wishes

    yield serve
    for client, thread, listening in ends:
        client.close()
        thread.join(10)
        listening.close()
        assert not thread.is_alive()


def test_a_wish_is_one_line_and_so_is_its_answer(answering):
    client, wishes = answering(b'{"ok": true}\n', b'{"ok": true}\n')
    client.wish(operator="target", value=3)
    client.wish(guest="use", pages=["0x1+2"])
    assert wishes == [{"operator": "target", "value": 3}, {"guest": "use", "pages": ["0x1+2"]}]


@pytest.mark.parametrize(
    ("answer", "error", "words"),
    [
        (b'{"error": "no"}\n', AdapterError, r"refused {'operator': 'target'}: no"),
        (b"yes\n", AdapterError, r"answered b'yes', not a JSON object"),
        (b"[1]\n", AdapterError, r"not a JSON object"),
        (b"x" * 70_000, AdapterError, r"without a line end"),
        (None, ImplementationCrashed, r"was closed"),
        (b"", ImplementationHung, r"did not answer within 0.3 seconds"),
        (b'{"ok"', ImplementationHung, r"did not answer within 0.3 seconds"),
    ],
    ids=["refused", "no-json", "no-object", "endless", "closed", "silent", "half"],
)
def test_any_other_answer_is_told_apart(answering, answer, error, words):
    client, _ = answering(answer)
    with pytest.raises(error, match=words):
        client.wish(operator="target")


def test_where_nobody_listens_it_says_what_to_do(tmp_path):
    with pytest.raises(AdapterError, match=r"cannot connect to the control socket .*; start the impl"):
        ControlClient(str(tmp_path / "none"), 1.0).wish(operator="target")
