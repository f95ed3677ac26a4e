"""The qtest client against a peer on a real socket that answers well, badly, or not at all."""

from __future__ import annotations

import base64
import socket
import threading
from contextlib import suppress

import pytest

from balloon_conformance.iut.contract import AdapterError, ImplementationCrashed, ImplementationHung
from balloon_conformance.iut.qemu.qtest import QtestClient


@pytest.fixture
def ends():
    ours, peer = socket.socketpair()
    with ours, peer:
        yield ours, peer


@pytest.fixture
def peer(ends):
    return ends[1]


@pytest.fixture
def client(ends):
    return QtestClient(ends[0], 5.0, lambda: "exit status 1; its last words: out of luck")


@pytest.fixture
def impatient(ends):
    return QtestClient(ends[0], 0.05)


@pytest.mark.parametrize(
    ("name", "value"), [("readb", 0xAB), ("readw", 0xABCD), ("readl", 0xFEDCBA98), ("readq", 2**64 - 1)]
)
def test_reads_each_width(client, peer, name, value):
    peer.sendall(f"OK 0x{value:016x}\n".encode())
    assert getattr(client, name)(0xFEB00E70) == value
    assert peer.recv(100) == f"{name} 0xfeb00e70\n".encode()


@pytest.mark.parametrize(
    ("name", "value"), [("writeb", 0xAB), ("writew", 0xABCD), ("writel", 0xFEDCBA98), ("writeq", 2**64 - 1)]
)
def test_writes_each_width_with_one_command(client, peer, name, value):
    peer.sendall(b"OK\n")
    getattr(client, name)(0x1000, value)
    assert peer.recv(100) == f"{name} 0x1000 {value:#x}\n".encode()


@pytest.mark.parametrize(("name", "value"), [("writeb", 0x100), ("writew", -1), ("writel", 2**32)])
def test_refuses_to_send_a_value_that_does_not_fit(client, name, value):
    with pytest.raises(ValueError, match="does not fit"):
        getattr(client, name)(0, value)


def test_writes_many_bytes_in_pieces(client, peer):
    data = bytes(range(256)) * 129
    peer.sendall(b"OK\nOK\n")
    client.write(0x1000, data)
    lines = [line.split() for line in peer.recv(1 << 17).decode().splitlines()]
    assert [(word, address, length) for word, address, length, _ in lines] == [
        ("b64write", "0x1000", "0x8000"),
        ("b64write", "0x9000", "0x100"),
    ]
    assert b"".join(base64.b64decode(text) for *_, text in lines) == data


def test_counts_interrupt_lines_and_takes_none_for_an_answer(client, peer):
    peer.sendall(b"IRQ raise 5\nIRQ lower 5\nOK 0x7\nIRQ raise 6\n")
    assert client.readl(0) == 7
    peer.sendall(b"OK 0x8\n")
    assert client.readl(0) == 8
    assert client.interrupt_lines == 3


def test_joins_an_answer_that_comes_in_pieces(client, peer):
    def answer():
        assert peer.recv(100) == b"readl 0x0\n"
        for piece in (b"O", b"K 0x", b"12", b"34\n"):
            peer.sendall(piece)

    with_pieces = threading.Thread(target=answer)
    with_pieces.start()
    assert client.readl(0) == 0x1234
    with_pieces.join(5)


@pytest.mark.parametrize(
    "answer",
    [
        b"FAIL Unknown command\n",
        b"hello\n",
        b"\n",
        b"OKAY 0x1\n",
        b"\xff\xfe\n",
        b"OK\n",
        b"OK seven\n",
        b"OK 0x100000000\n",
        b"OK -1\n",
    ],
)
def test_blames_the_adapter_for_an_answer_that_is_not_qtest(client, peer, answer):
    peer.sendall(answer)
    with pytest.raises(AdapterError, match="qtest") as caught:
        client.readl(0)
    assert "\n" not in str(caught.value)


def test_blames_the_adapter_for_a_line_without_end(client, peer):
    def babble():
        # Until the client hangs up.
        with suppress(OSError):
            while True:
                peer.sendall(b"x" * 4096)

    babbling = threading.Thread(target=babble)
    babbling.start()
    with pytest.raises(AdapterError, match="without a line end"):
        client.readl(0)
    client.close()
    babbling.join(5)
    assert not babbling.is_alive()


def test_a_closed_connection_is_a_crash_with_evidence(client, peer):
    peer.close()
    with pytest.raises(ImplementationCrashed, match="QEMU ended: exit status 1; its last words: out of luck"):
        client.readl(0)


def test_a_connection_closed_in_the_middle_of_a_line_is_a_crash(client, peer):
    peer.sendall(b"OK 0x1")
    peer.shutdown(socket.SHUT_WR)
    with pytest.raises(ImplementationCrashed):
        client.readl(0)


@pytest.mark.parametrize("said", [b"", b"OK 0x1", b"IRQ raise 1\n"])
def test_silence_is_a_hang(impatient, peer, said):
    peer.sendall(said)
    with pytest.raises(ImplementationHung, match=r"'readl 0x10' within 0\.05 seconds"):
        impatient.readl(0x10)


def test_an_answer_that_comes_too_late_is_never_taken_for_the_next_one(impatient, peer):
    with pytest.raises(ImplementationHung):
        impatient.readl(0)
    peer.sendall(b"OK 0x1\n")
    with pytest.raises(ImplementationHung):
        impatient.readl(4)


def test_waiting_ends_with_an_interrupt_line(client, peer):
    peer.sendall(b"IRQ raise 5\n")
    client.wait(5)
    assert client.interrupt_lines == 1


def test_waiting_for_nothing_returns(client):
    client.wait(0)
    client.wait(0.01)
    assert client.interrupt_lines == 0


def test_waiting_notices_the_end_of_the_peer(client, peer):
    peer.close()
    with pytest.raises(ImplementationCrashed):
        client.wait(5)


def test_waiting_refuses_an_answer_nobody_asked_for(client, peer):
    peer.sendall(b"OK\n")
    with pytest.raises(AdapterError, match="a line that nobody asked for"):
        client.wait(5)
