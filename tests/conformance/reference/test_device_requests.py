"""The reference device on the host request queue, by bytes put together by hand."""

from __future__ import annotations

import pytest
from hand_bytes import message, request

from balloon_conformance.reference import Device, DeviceOptions
from balloon_conformance.reference.device_state import Accept, Discard, Expire, Hint
from balloon_conformance.reference.machine import Note, Refused
from balloon_spec.events import Available, DriverOk, Operator, OperatorAction, Reset, Used
from balloon_spec.pages import PageSet
from balloon_spec.profiles import CHUNK_TRANSFER

NAMES = ("STATS_VQ", "HOST_REQ_VQ", "VERSION_1")


def running(*names: str) -> Device:
    device = Device(DeviceOptions(memory=PageSet([(0, 0x1000)])))
    device.receive(Accept(CHUNK_TRANSFER.mask(names or NAMES)))
    device.receive(DriverOk())
    return device


def ask(device: Device, identifier: int) -> tuple:
    return device.receive(Operator(OperatorAction.UNUSED_PAGES, identifier))


def offer(device: Device, name: str = "r", writable_bytes: int = 16) -> tuple:
    return device.receive(Available(3, name, writable_bytes=writable_bytes))


def answer(
    device: Device, *runs: tuple[int, int], name: str = "m", flag: int, identifier: int, cmd: int = 0
) -> tuple:
    return device.receive(Available(3, name, message(*runs, cmd=cmd, flag=flag, identifier=identifier)))


def wire(outputs: tuple) -> list:
    return [output for output in outputs if isinstance(output, Used | Discard)]


def open_request(identifier: int = 0x1234) -> Device:
    device = running()
    offer(device)
    ask(device, identifier)
    return device


@pytest.mark.parametrize("names", [NAMES, (*NAMES, "CHUNK_TRANSFER")])
def test_a_request_is_sixteen_bytes_with_the_operators_id(names: tuple[str, ...]) -> None:
    device = running(*names)
    assert offer(device) == ()
    assert ask(device, 0x1234) == (Used(3, "r", 16, bytes.fromhex("0000000000000000 3412000000000000")),)


def test_a_buffer_from_before_driver_ok_is_found() -> None:
    device = Device()
    device.receive(Accept(CHUNK_TRANSFER.mask(NAMES)))
    device.receive(Available(3, "r", writable_bytes=16, notified=False))
    assert device.receive(DriverOk()) == ()
    assert ask(device, 1) == (Used(3, "r", 16, request(0, 1)),)


def test_a_wish_waits_for_the_request_buffer() -> None:
    device = running()
    assert ask(device, 9) == ()
    assert offer(device) == (Used(3, "r", 16, request(0, 9)),)


def test_hints_are_collected_until_done_and_never_discarded() -> None:
    device = open_request()
    hint = Hint(0x1234, PageSet([(0x40, 4)]))
    assert answer(device, (0x40, 4), flag=0, identifier=0x1234) == (hint, Used(3, "m", 0, b""))
    assert wire(answer(device, (0x40, 2), (0x50, 1), flag=1, identifier=0x1234)) == [Used(3, "m")]
    assert device.state.requests.hints == PageSet([(0x40, 4), (0x50, 1)])
    assert device.state.requests.phase == "empty"


def test_done_may_be_empty() -> None:
    device = open_request()
    assert answer(device, flag=1, identifier=0x1234) == (Used(3, "m"),)
    assert device.state.requests.phase == "empty"


def test_the_next_request_comes_after_done_and_a_fresh_buffer() -> None:
    device = open_request()
    assert ask(device, 2) == ()
    assert offer(device, "r2") == ()
    assert answer(device, flag=0, identifier=0x1234)[-1] == Used(3, "m")
    assert answer(device, flag=1, identifier=0x1234) == (Used(3, "m"), Used(3, "r2", 16, request(0, 2)))


@pytest.mark.parametrize(
    ("flag", "identifier", "cmd"),
    [(0, 0x1235, 0), (1, 0x3412, 0), (1, 0x1234, 1), (2, 0x1234, 0), (0xFF, 0x1234, 0)],
)
def test_a_message_that_matches_nothing_is_returned_without_effect(
    flag: int, identifier: int, cmd: int
) -> None:
    device = open_request()
    outputs = answer(device, (1, 1), flag=flag, identifier=identifier, cmd=cmd)
    assert [type(output) for output in outputs] == [Note, Used]
    assert device.state.requests.phase == "open"
    assert not device.state.requests.hints


def test_nothing_of_the_exchange_comes_after_done() -> None:
    device = open_request()
    answer(device, flag=1, identifier=0x1234)
    assert wire(answer(device, (1, 1), flag=0, identifier=0x1234)) == [Used(3, "m")]
    offer(device, "r2")
    assert wire(answer(device, (1, 1), flag=1, identifier=0x1234)) == [Used(3, "m")]
    assert not device.state.requests.hints
    assert ask(device, 2) == (Used(3, "r2", 16, request(0, 2)),)


def test_a_message_before_any_request_is_returned_without_effect() -> None:
    device = running()
    assert wire(answer(device, (1, 1), flag=1, identifier=0)) == [Used(3, "m")]
    assert not device.state.requests.hints


def test_a_malformed_message_does_not_close_the_exchange() -> None:
    device = open_request()
    outputs = device.receive(Available(3, "m", bytes.fromhex("00 01 34 12 08 00 00 00") + bytes(8)))
    assert wire(outputs) == [Used(3, "m")]
    assert device.state.requests.phase == "open"


def test_the_id_comes_back_in_sixteen_bits() -> None:
    device = open_request(0x1FFFF)
    assert answer(device, flag=1, identifier=0xFFFF) == (Used(3, "m"),)
    assert device.state.requests.phase == "empty"


@pytest.mark.parametrize(("readable", "writable_bytes"), [(b"", 0), (b"", 15), (bytes(8), 16)])
def test_what_is_neither_request_buffer_nor_message_is_returned(readable: bytes, writable_bytes: int) -> None:
    device = running()
    outputs = device.receive(Available(3, "x", readable, writable_bytes))
    assert wire(outputs) == [Used(3, "x", 0, b"")]
    assert ask(device, 1) == ()


def test_no_more_than_a_request_is_written_into_a_longer_buffer() -> None:
    device = running()
    offer(device, writable_bytes=64)
    assert ask(device, 1) == (Used(3, "r", 16, request(0, 1)),)


def test_the_balloon_goes_on_while_no_answer_comes() -> None:
    device = running(*NAMES, "CHUNK_TRANSFER")
    offer(device)
    ask(device, 1)
    pages = PageSet([(7, 1)])
    assert device.receive(Available(0, "b", message((7, 1)))) == (Discard(pages), Used(0, "b"))


def test_a_host_that_waits_no_longer_asks_again() -> None:
    device = open_request()
    offer(device, "r2")
    ask(device, 2)
    assert device.receive(Expire()) == (Used(3, "r2", 16, request(0, 2)),)
    assert wire(answer(device, (1, 1), flag=1, identifier=0x1234)) == [Used(3, "m")]
    assert device.state.requests.phase == "open"
    assert isinstance(running().receive(Expire())[0], Refused)


def test_a_reset_drops_the_request_and_the_wishes() -> None:
    device = open_request()
    ask(device, 2)
    device.receive(Reset())
    device.receive(Accept(CHUNK_TRANSFER.mask(NAMES)))
    device.receive(DriverOk())
    assert offer(device, "r2") == ()
    assert wire(answer(device, (1, 1), flag=1, identifier=0x1234)) == [Used(3, "m")]
    assert not device.state.requests.hints
    assert ask(device, 3) == (Used(3, "r2", 16, request(0, 3)),)


def test_a_driver_without_the_queue_is_asked_nothing() -> None:
    assert isinstance(ask(running("STATS_VQ"), 1)[0], Refused)
