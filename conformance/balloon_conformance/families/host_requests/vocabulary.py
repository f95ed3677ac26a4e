"""The words of the host-requests family in which intents are written.

The standard library only, as in :mod:`~balloon_conformance.generation.intents.model`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

from balloon_conformance.families.base.vocabulary import more_in_balloon
from balloon_conformance.families.chunk_transfer.second_encoding import pages_named
from balloon_conformance.families.chunk_transfer.vocabulary import Chunk, Message, chunks
from balloon_conformance.families.host_requests import second_encoding
from balloon_conformance.generation.intents.model import (
    Content,
    DeviceReturn,
    DriverBuffer,
    GuestWish,
    Match,
    OperatorWish,
    Queue,
    Step,
)
from balloon_conformance.generation.intents.shorthand import negotiated, resets, returns, runs, shows
from balloon_conformance.generation.intents.vocabulary import Opening, Vocabulary
from balloon_conformance.second_encoder.structures import Run, without
from balloon_conformance.second_encoder.wishes import Burst, Carrier

__all__ = [
    "CONT",
    "DONE",
    "REQUESTS",
    "VOCABULARY",
    "Request",
    "answers_again",
    "asks",
    "cont",
    "done",
    "posts",
    "recovers_requests",
    "reports_all",
    "unused",
    "wants_unused",
]

CONT, DONE = 0, 1
REQUESTS = negotiated("STATS_VQ", "CHUNK_TRANSFER", "HOST_REQ_VQ")
_QUEUE = "host-request"


@dataclass(frozen=True, slots=True)
class Request(Content):
    """A host request of 16 bytes: ``cmd`` and three reserved words (16 bits each), ``param`` (64 bits)."""

    cmd: int = 0
    reserved: tuple[int, int, int] = (0, 0, 0)
    param: int = 0

    def build(self, schemas: Any) -> bytes:
        """Return the bytes through the schema of the request."""
        built: bytes = schemas["host-request"].build(self)
        return built

    def encode(self) -> bytes:
        """Return the same by :mod:`struct`."""
        return second_encoding.request(self.cmd, self.param, self.reserved)


# -- requests and answers -----------------------------------------------------------------------------------


def posts(name: str, *, notify: bool = True, writable_bytes: int = 16) -> DriverBuffer:
    """Make a request buffer available."""
    return DriverBuffer(_QUEUE, name, None, writable_bytes, notify=notify)


def cont(name: str, id: int, *named: str | Chunk, match: Match = "exact", flag: int = CONT) -> DriverBuffer:  # noqa: A002 - the field's own name
    """Answer the request with this id by a message that is not the last."""
    return DriverBuffer(_QUEUE, name, Message(chunks(*named), 0, flag, id & 0xFFFF), match=match)


def done(name: str, id: int, *named: str | Chunk, match: Match = "exact") -> DriverBuffer:  # noqa: A002 - the field's own name
    """Answer the request with this id by the last message."""
    return cont(name, id, *named, match=match, flag=DONE)


def asks(
    name: str,
    id: int,  # noqa: A002 - the field's own name
    *,
    cmd: int = 0,
    reserved: tuple[int, int, int] = (0, 0, 0),
    operator: bool = True,
) -> tuple[Step, ...]:
    """Let the operator want the unused pages, and the device ask for them with the buffer ``name``."""
    wish = (wants_unused(id),) if operator else ()
    return (*wish, DeviceReturn(name, Request(cmd, reserved, id)))


def wants_unused(id: int) -> OperatorWish:  # noqa: A002 - the field's own name
    """Let the operator want to know the unused pages, under this request id of 64 bits."""
    return OperatorWish("unused-pages", id)


def unused(*texts: str) -> GuestWish:
    """Say which pages the guest does not use: these, and no others."""
    return GuestWish("unused", runs(*texts))


# -- passages of several steps ------------------------------------------------------------------------------


def recovers_requests() -> tuple[Step, ...]:
    """After a malformed answer: following a reset, a request is made and answered."""
    return (resets(), *asks("r2", 0x22), done("u7", 0x22), *shows("SAFE-04", returns("u7")), posts("r3"))


def answers_again() -> tuple[Step, ...]:
    """A second request is made and answered."""
    return (*asks("r2", 0x21), done("u8", 0x21), *returns("u8"), posts("r3"))


def reports_all(request: str, answer: str) -> tuple[Step, ...]:
    """A control: a request is answered by all of a few unused pages. No requirement asks for all of them.

    They lie at the beginning of memory, apart from what a vector asks for after it.
    """
    return (
        unused("0x10", "0x18+3", "0x20"),
        *asks(request, 0x20),
        done(answer, 0x20, "0x10", "0x18+3", "0x20", match="equivalent"),
        *returns(answer),
    )


# -- what the second encoder asks ---------------------------------------------------------------------------


class _Answers(Carrier):
    """Unused pages, in the messages that answer a request."""

    feature = "HOST_REQ_VQ"

    def __init__(self) -> None:
        self._unused: list[Run] | None = None
        self._balloon: list[Run] = []

    def begin(self, step: Step) -> Mapping[Queue, Burst]:
        """Begin a burst with each request for unused pages, once the guest has said which these are."""
        self._balloon = more_in_balloon(self._balloon, step)
        match step:
            case GuestWish(wish="unused", pages=pages):
                self._unused = list(pages)
            case DeviceReturn(written=Request(cmd=0, param=param), length_bytes=None | 16):
                if self._unused is not None:
                    # A page of the balloon is not reported, whether the guest uses it or not.
                    free = without(self._unused, self._balloon)
                    messages = second_encoding.unused_page_messages(free, param)
                    return {_QUEUE: Burst(messages, pages_named)}
            case _:
                pass
        return {}


VOCABULARY: Final = Vocabulary(
    bits=MappingProxyType({"HOST_REQ_VQ": 4}),
    queues=MappingProxyType({_QUEUE: 3}),
    openings=(Opening("HOST_REQ_VQ", _QUEUE, "r", posts),),
    carriers=(_Answers,),
)
