"""A connection that carries vhost-user messages with their descriptors, in both directions.

Everything is bounded: the time of a wait, the length of a message, and the number of descriptors with it. The
connection owns a received descriptor until it hands over the descriptor's message. If it never does, it
closes the descriptor.
"""

from __future__ import annotations

import os
import select
import socket
import time
from array import array
from collections.abc import Iterable
from contextlib import suppress
from types import TracebackType
from typing import Final, NoReturn, Self

from balloon_conformance.vhost_user.errors import PeerBroke, PeerClosed, PeerError, PeerSilent
from balloon_conformance.vhost_user.messages import (
    DESCRIPTOR_LIMIT,
    HEADER_BYTES,
    Header,
    Message,
    Sender,
    check_header,
    descriptors_of,
    name_of,
    parse_body,
    parse_header,
)
from balloon_spec.wire.errors import WireError

__all__ = ["Connection", "PeerBroke", "PeerClosed", "PeerError", "PeerSilent", "close_descriptors"]

_ROOM: Final = socket.CMSG_SPACE(array("i").itemsize * 2 * DESCRIPTOR_LIMIT)
"""Ancillary space for more descriptors than a message may have, so that too many are noticed."""


def close_descriptors(descriptors: Iterable[int]) -> None:
    """Close descriptors, whether or not one of them is bad."""
    for descriptor in descriptors:
        with suppress(OSError):
            os.close(descriptor)


class Connection:
    """Messages over a connected unix stream socket, which the connection owns from here on.

    ``asks`` says whose requests travel here: the front-end's on the main connection, the back-end's on its
    request channel. Replies go the other way. ``peer`` names the other end in errors.

    Every call raises :class:`PeerClosed` if the peer closed the connection, and :class:`PeerBroke` if it sent
    something that is not a message. The connection is unusable after that, and each later call raises the
    same error.
    """

    def __init__(self, connection: socket.socket, asks: Sender, peer: str) -> None:
        self._socket = connection
        self._asks = asks
        self._peer = peer
        self._received = bytearray()
        self._header: Header | None = None
        self._descriptors: list[int] = []
        self._lost: PeerError | None = None
        self._heard = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def fileno(self) -> int:
        """Return the socket's descriptor, to poll for messages; -1 once closed."""
        return self._socket.fileno()

    def close(self) -> None:
        """Close the socket and every descriptor that was not handed over; harmless if called twice."""
        self._drop_descriptors()
        self._socket.close()

    def waiting(self, seconds: float) -> bool:
        """Wait until there is something to receive, or the peer closed; False if ``seconds`` passed."""
        if self._lost is not None:
            return True
        poll = select.poll()
        poll.register(self._socket, select.POLLIN)
        return bool(poll.poll(max(seconds, 0.0) * 1000))

    def send(self, message: Message, seconds: float) -> None:
        """Send a message; its descriptors stay the caller's.

        Raises :class:`PeerSilent` if the peer does not take it within ``seconds``, and
        :class:`~balloon_spec.wire.errors.WireError` for a message that cannot be built.
        """
        self._refuse_when_lost()
        data = memoryview(message.build(self._asks))
        name = name_of(self._asks, message.request, reply=message.reply)
        ancillary = []
        if message.descriptors:
            ancillary = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array("i", message.descriptors))]
        until = time.monotonic() + seconds
        try:
            while data:
                self._allow(until)
                sent = self._socket.sendmsg([data], ancillary)
                data, ancillary = data[sent:], []
        except (TimeoutError, BlockingIOError):
            self._lose(PeerSilent(f"{self._peer} did not take {name} within {seconds:g} seconds"))
        except ConnectionError:
            # What the peer sent before it closed can still be received.
            raise self._closed(f"{self._peer} closed the connection before it took {name}") from None

    def receive(self, seconds: float) -> Message:
        """Return the next message; raises :class:`PeerSilent` if it is not complete within ``seconds``.

        A part that has come is kept, so a later call continues it.
        """
        self._refuse_when_lost()
        until = time.monotonic() + seconds
        try:
            if self._header is None:
                self._fill(HEADER_BYTES, until, "a header")
                header = parse_header(bytes(self._received))
                check_header(self._asks, header)
                self._header = header
                self._received.clear()
            header = self._header
            name = name_of(self._asks, header.request, reply=header.reply)
            self._fill(header.size_bytes, until, name)
            body = parse_body(self._asks, header, bytes(self._received))
        except TimeoutError as error:
            raise PeerSilent(f"{self._peer} sent {error} within {seconds:g} seconds") from None
        except WireError as error:
            self._lose(PeerBroke(f"{self._peer} sent what is no message: {error}"))
        expected = descriptors_of(self._asks, header, body)
        if expected is not None and len(self._descriptors) != expected:
            self._lose(
                PeerBroke(
                    f"{self._peer} sent {name} with {len(self._descriptors)} descriptors, not {expected}"
                )
            )
        message = Message(header.request, body, header.reply, header.need_reply, tuple(self._descriptors))
        self._header = None
        self._received.clear()
        self._descriptors.clear()
        return message

    def _fill(self, length_bytes: int, until: float, what: str) -> None:
        """Receive until ``length_bytes`` are there; :class:`TimeoutError` says how many came."""
        while (have := len(self._received)) < length_bytes:
            try:
                self._allow(until)
                data, ancillary, flags, _ = self._socket.recvmsg(
                    length_bytes - have, _ROOM, socket.MSG_CMSG_CLOEXEC
                )
            except (TimeoutError, BlockingIOError):
                silent = have == 0 and self._header is None
                progress = "nothing" if silent else f"{have} of {length_bytes} bytes of {what}"
                raise TimeoutError(progress) from None
            except ConnectionError:
                data, ancillary, flags = b"", [], 0
            came = len(self._descriptors)
            for level, kind, payload in ancillary:
                if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
                    numbers = array("i")
                    numbers.frombytes(payload[: len(payload) - len(payload) % numbers.itemsize])
                    self._descriptors.extend(numbers)
            if flags & socket.MSG_CTRUNC:
                self._lose(
                    PeerBroke(f"{self._peer} sent more than {DESCRIPTOR_LIMIT} descriptors with {what}")
                )
            if len(self._descriptors) > came and (have or self._header is not None):
                self._lose(
                    PeerBroke(
                        f"{self._peer} sent descriptors in the middle of {what}, not with its first byte"
                    )
                )
            if not data:
                middle = have or self._header is not None
                where = f" after {have} of {length_bytes} bytes of {what}" if middle else ""
                self._lose(self._closed(f"{self._peer} closed the connection{where}"))
            self._received += data
            self._heard = True

    def _allow(self, until: float) -> None:
        # A timeout of zero would make the socket non-blocking, which raises another exception.
        self._socket.settimeout(max(until - time.monotonic(), 1e-6))

    def _refuse_when_lost(self) -> None:
        if self._lost is not None:
            raise self._lost

    def _closed(self, text: str) -> PeerClosed:
        error = PeerClosed(text)
        error.unheard = not self._heard
        return error

    def _lose(self, error: PeerError) -> NoReturn:
        """Remember why the connection is unusable, and drop what was half received."""
        self._lost = error
        self._drop_descriptors()
        raise error

    def _drop_descriptors(self) -> None:
        close_descriptors(self._descriptors)
        self._descriptors.clear()
