"""Host requests in every shape: CONT and DONE, ids, commands, and messages that come when none is due."""

from __future__ import annotations

from itertools import product

from balloon_conformance.families.chunk_transfer.vocabulary import Message, chunks, exchange, malformed
from balloon_conformance.families.host_requests.vocabulary import (
    CONT,
    DONE,
    REQUESTS,
    Request,
    asks,
    cont,
    done,
    posts,
    unused,
    wants_unused,
)
from balloon_conformance.generation.intents.model import DeviceReturn, DriverBuffer, Intent, Silent
from balloon_conformance.generation.intents.shorthand import Script, keeps, returns, shows

__all__ = ["INTENTS"]

_AREA = "host-request"
_ID = 0x1234
_EXCHANGE = "REQ-08 REQ-09 REQ-10 REQ-11 REQ-13 REQ-16 REQ-17 REQ-21"
_AGAIN: Script = (asks("r2", 0x21), done("u9", 0x21), returns("u9"), posts("r3"))
"""The next request, which shows that the one before is closed."""


def _pages(number: int, count: int) -> list[str]:
    """Name as many runs as a message has chunks; each message has other runs."""
    return [f"{0x1000 + 0x100 * number + 0x10 * index:#x}+{index + 1}" for index in range(count)]


def _shape(conts: tuple[int, ...], last: int, *, together: bool) -> Intent:
    """CONT messages with these numbers of chunks, and a DONE; returned one by one, or all at once."""
    sizes = (*conts, last)
    messages = [
        (cont if number < len(conts) else done)(f"u{number + 1}", _ID, *_pages(number, size))
        for number, size in enumerate(sizes)
    ]
    script: list[Script] = []
    if together:
        script = [*messages, returns(*(message.name for message in messages))]
    else:
        for message in messages:
            script += [message, returns(message.name)]
    counted = "-".join(["cont", *map(str, conts)] if conts else []) + ("-" if conts else "")
    named = [run for number, size in enumerate(sizes) for run in _pages(number, size)]
    told = f"CONT of {' and '.join(map(str, conts))}, " if conts else ""
    return exchange(
        _AREA,
        f"shape-{counted}done-{last}{'-together' if together else ''}",
        f"{told}DONE of {last} chunks: {'in flight together' if together else 'one after the other'}",
        f"REQ-03 REQ-20 UNUSED-01{'' if last else ' REQ-18'}{' CONC-07' if together else ''}",
        asks("r1", _ID),
        script,
        posts("r2"),
        keeps(*named) if named else [],
        _AGAIN,
        features=REQUESTS,
        sides="device",
    )


_CONTS = ((), (1,), (2,), (1, 1), (2, 1), (1, 2), (2, 2), (1, 1, 1))
_IDS = (0x1, 0xFF, 0x100, 0x7FFF, 0x8000, 0xFFFE)
_LONG_IDS = (0x10000, 0x1FFFF, 0xFFFFFFFF, 0x100000000, 0xFFFFFFFFFFFF0000, 0xFFFFFFFFFFFFFFFF)
_COMMANDS = (1, 2, 0x80, 0xFF, 0x101, 0x8000, 0xFF00, 0xFFFF)


def _identified(identifier: int) -> Intent:
    return exchange(
        _AREA,
        f"request-id-{identifier:#x}",
        f"A request with id {identifier:#x} is answered with it",
        f"REQ-03 REQ-04 {_EXCHANGE}",
        unused(),
        asks("r1", identifier),
        done("u1", identifier),
        returns("u1"),
        posts("r2"),
        features=REQUESTS,
    )


def _identified_long(identifier: int) -> Intent:
    return malformed(
        _AREA,
        f"request-param-{identifier:#x}",
        f"Of param {identifier:#x} the answer carries the low 16 bits, {identifier & 0xFFFF:#x}",
        "REQ-08 REQ-11 REQ-13",
        "REQ-07",
        unused(),
        asks("r1", identifier),
        shows("REQ-08", done("u1", identifier)),
        returns("u1"),
        posts("r2"),
        features=REQUESTS,
        sides="driver",
    )


def _commanded(cmd: int) -> Intent:
    return exchange(
        _AREA,
        f"request-with-command-{cmd:#x}",
        f"Command {cmd:#x}, which the driver does not know, gets no message and the request buffer back",
        "REQ-14 REQ-13",
        unused("0x1000"),
        DeviceReturn("r1", Request(cmd=cmd, param=0x20)),
        shows("REQ-14", posts("r2")),
        Silent("driver"),
        asks("r2", 0x21),
        done("u1", 0x21, "0x1000", match="equivalent"),
        returns("u1"),
        posts("r3"),
        features=REQUESTS,
        sides="driver",
    )


_STRAYS = {
    "cont-with-a-wrong-id": (0, CONT, 0x1235, "REQ-08", "a CONT message with another id"),
    "cont-with-a-wrong-command": (1, CONT, _ID, "REQ-09", "a CONT message with another command"),
    "done-with-the-id-swapped": (
        0,
        DONE,
        0x3412,
        "REQ-08",
        "a DONE message with its id swapped",
    ),
    "done-with-one-bit-of-the-id-flipped": (
        0,
        DONE,
        _ID ^ 0x8000,
        "REQ-08",
        "a DONE with the highest bit flipped",
    ),
    "done-with-id-0": (0, DONE, 0, "REQ-08", "a DONE message with id 0"),
    "done-with-command-0xff": (0xFF, DONE, _ID, "REQ-09", "a DONE message with command 0xff"),
}


def _stray(name: str) -> Intent:
    """A message that does not belong to the open request is returned, and the request stays open."""
    cmd, flag, identifier, breaks, words = _STRAYS[name]
    return malformed(
        _AREA,
        name,
        f"While a request is open {words} is returned without effect, and the request stays open",
        "REQ-19 REQ-20 UNUSED-01",
        breaks,
        asks("r1", _ID),
        DriverBuffer("host-request", "u1", Message(chunks("0x1000"), cmd, flag, identifier)),
        shows("REQ-19", returns("u1")),
        keeps("0x1000"),
        done("u2", _ID),
        returns("u2"),
        posts("r2"),
        _AGAIN,
        features=REQUESTS,
    )


def _early(name: str, words: str, flag: int, identifier: int) -> Intent:
    """A message that comes before any request."""
    return malformed(
        _AREA,
        name,
        f"{words} before the first request is returned without effect",
        "REQ-19 UNUSED-01",
        "REQ-16",
        DriverBuffer("host-request", "u1", Message(chunks("0x1000"), flag=flag, id=identifier)),
        shows("REQ-19", returns("u1")),
        keeps("0x1000"),
        asks("r1", _ID),
        done("u2", _ID),
        returns("u2"),
        posts("r2"),
        features=REQUESTS,
    )


def _late(name: str, title: str, breaks: str, message: DriverBuffer) -> Intent:
    """A message that comes after DONE."""
    return malformed(
        _AREA,
        name,
        title,
        "REQ-19 REQ-20 UNUSED-01",
        breaks,
        asks("r1", _ID),
        done("u1", _ID, "0x1800"),
        returns("u1"),
        message,
        shows("REQ-19 REQ-20", returns(message.name)),
        keeps("0x1000", "0x1800"),
        posts("r2"),
        _AGAIN,
        features=REQUESTS,
    )


def _second_wish() -> Intent:
    """The operator asks twice; the second request waits for the first DONE."""
    return exchange(
        _AREA,
        "second-request-waits-for-the-first",
        "A second request is not made before the first was answered with DONE",
        "REQ-05 REQ-06 REQ-20",
        asks("r1", 0x51),
        wants_unused(0x52),
        shows("REQ-05", Silent("device")),
        cont("u1", 0x51, "0x1000"),
        returns("u1"),
        shows("REQ-05", Silent("device")),
        done("u2", 0x51),
        returns("u2"),
        posts("r2"),
        DeviceReturn("r2", Request(param=0x52)),
        done("u3", 0x52),
        returns("u3"),
        posts("r3"),
        keeps("0x1000"),
        features=REQUESTS,
        sides="device",
    )


def _answer_of_before() -> Intent:
    """A message of the first exchange comes while the second is open."""
    return malformed(
        _AREA,
        "done-of-the-request-before",
        "A DONE of the exchange before does not close the one that is open",
        "REQ-19 REQ-20 UNUSED-01",
        "REQ-08",
        asks("r1", 0x51),
        done("u1", 0x51),
        returns("u1"),
        posts("r2"),
        asks("r2", 0x52),
        done("u2", 0x51, "0x1000"),
        shows("REQ-19", returns("u2")),
        keeps("0x1000"),
        done("u3", 0x52),
        returns("u3"),
        posts("r3"),
        asks("r3", 0x53),
        done("u4", 0x53),
        returns("u4"),
        posts("r4"),
        features=REQUESTS,
    )


INTENTS: tuple[Intent, ...] = (
    *(_shape(conts, last, together=False) for conts, last in product(_CONTS, (0, 1, 2))),
    *(_shape(conts, last, together=True) for conts, last in product(_CONTS[1:], (0, 1))),
    *(_identified(identifier) for identifier in _IDS),
    *(_identified_long(identifier) for identifier in _LONG_IDS),
    *(_commanded(cmd) for cmd in _COMMANDS),
    *(_stray(name) for name in _STRAYS),
    _early("cont-without-a-request", "A CONT message", CONT, _ID),
    _early("done-with-id-0-without-a-request", "A DONE message with id 0", DONE, 0),
    _late(
        "cont-after-done",
        "A CONT message after DONE finds no open request and is returned without effect",
        "REQ-11",
        cont("u2", _ID, "0x1000"),
    ),
    _late(
        "empty-done-twice",
        "A second DONE without chunks finds no open request and is returned without effect",
        "REQ-11",
        done("u2", _ID),
    ),
    _second_wish(),
    _answer_of_before(),
)
