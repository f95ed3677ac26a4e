"""The control socket: requests of an operator or a guest as JSON lines; each is answered with one line.

This is this project's own extension; vhost-user has no such channel. A client sends one object a line::

    {"operator": "target", "value": 19}           to a device: target, unused-pages or statistics
    {"guest": "inflate", "pages": ["0x1000+16"]}  to a driver: inflate, deflate, unused or use

and receives ``{"ok": true}``, or ``{"error": "..."}`` if the request failed. A request has been carried out
when its answer arrives: everything that it sends over the vhost-user socket was sent before.
"""

from __future__ import annotations

import json
import socket
from collections.abc import Callable
from typing import Any, Final

from balloon_conformance.serve.errors import ServeError
from balloon_conformance.serve.loop import Loop
from balloon_conformance.vhost_user.listening import Listening
from balloon_spec.events import Guest, GuestAction, Operator, OperatorAction
from balloon_spec.pages import PageSet

__all__ = ["LINE_LIMIT_BYTES", "Control", "guest_wish", "operator_wish"]

LINE_LIMIT_BYTES: Final = 1 << 22
"""The longest line that a client may send."""
_ANSWER_SECONDS: Final = 1.0
_VALUE_LIMIT: Final = 1 << 64


class Control:
    """Serves the control socket at ``path`` within ``loop``.

    ``carry_out`` takes one request. A :class:`ServeError` that it raises becomes the answer.
    """

    def __init__(self, path: str, loop: Loop, carry_out: Callable[[dict[str, Any]], None]) -> None:
        self._loop = loop
        self._carry_out = carry_out
        self._listening = Listening(path)
        self._clients: dict[socket.socket, bytearray] = {}
        loop.add(self._listening.socket.fileno(), self._accept)

    def close(self) -> None:
        """Hang up and remove the socket."""
        for client in list(self._clients):
            self._drop(client)
        self._loop.remove(self._listening.socket.fileno())
        self._listening.close()

    def _accept(self) -> None:
        client = self._listening.accept()
        if client is None:
            return
        # Bounds how long an answer to a client that does not read may take.
        client.settimeout(_ANSWER_SECONDS)
        self._clients[client] = bytearray()
        self._loop.add(client.fileno(), lambda: self._read(client))

    def _drop(self, client: socket.socket) -> None:
        if self._clients.pop(client, None) is not None:
            self._loop.remove(client.fileno())
            client.close()

    def _read(self, client: socket.socket) -> None:
        received = self._clients[client]
        try:
            data = client.recv(1 << 16)
            received += data
            while (end := received.find(b"\n")) >= 0:
                line = bytes(received[:end])
                del received[: end + 1]
                client.sendall(json.dumps(self._answer(line)).encode() + b"\n")
        except OSError:
            data = b""
        if not data or len(received) > LINE_LIMIT_BYTES:
            self._drop(client)

    def _answer(self, line: bytes) -> dict[str, Any]:
        try:
            wish = json.loads(line)
            if isinstance(wish, dict):
                self._carry_out(wish)
                return {"ok": True}
        except (ValueError, RecursionError) as error:
            return {"error": f"this is not JSON: {error}"}
        except ServeError as error:
            return {"error": str(error)}
        return {"error": "a request is one JSON object in one line"}


def operator_wish(wish: dict[str, Any]) -> Operator:
    """Parse an operator's request; :class:`ServeError` if it is malformed."""
    _only(wish, {"operator", "value"})
    try:
        action = OperatorAction(str(wish.get("operator")))
    except ValueError:
        raise ServeError(f"operator: choose one of {', '.join(OperatorAction)}") from None
    value = wish.get("value", 0)
    if type(value) is not int or not 0 <= value < _VALUE_LIMIT:
        raise ServeError("value: give a number from 0 to 2**64-1")
    return Operator(action, value)


def guest_wish(wish: dict[str, Any]) -> Guest:
    """Parse a guest's request; :class:`ServeError` if it is malformed."""
    _only(wish, {"guest", "pages"})
    try:
        action = GuestAction(wish.get("guest"))
    except ValueError:
        raise ServeError(f"guest: choose one of {', '.join(GuestAction)}") from None
    texts = wish.get("pages", [])
    if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
        raise ServeError('pages: give a list of runs, as in ["0x1000+16", "42"]')
    try:
        return Guest(action, PageSet.parse(*texts))
    except ValueError as error:
        raise ServeError(f"pages: {error}") from None


def _only(wish: dict[str, Any], known: set[str]) -> None:
    unknown = sorted(wish.keys() - known)
    if unknown:
        raise ServeError(f"{unknown[0]!r} is not known here; a request has {' and '.join(sorted(known))}")
