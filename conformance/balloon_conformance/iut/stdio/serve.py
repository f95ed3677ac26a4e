"""Serves any adapter over standard streams: the program's end of the protocol, in Python.

``balloon-conformance serve reference-device --stdio`` serves the reference device in this way. It is a
working example of the protocol, and shows that nothing is lost on the way.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import IO, Any, Final

from balloon_conformance.iut.contract import (
    AdapterError,
    Buffer,
    Capability,
    DeviceAdapter,
    DriverAdapter,
    ImplementationCrashed,
    ImplementationHung,
    ImplementationViolation,
    ReachesMemory,
    Setup,
    StatesNumbering,
    SteersGuest,
    TellsChanges,
    TellsSkipped,
    TellsStatistics,
    WritesPages,
    operator_capability,
)
from balloon_conformance.iut.stdio.forms import COMMANDS as FORMS
from balloon_conformance.iut.stdio.forms import (
    EVENTS,
    PROTOCOL_VERSION,
    REREAD,
    ErrorKind,
    answer_fields,
    event_fields,
    known_capabilities,
)
from balloon_conformance.iut.stdio.messages import BadMessageError, read_command, write_line
from balloon_spec import events as ev
from balloon_spec.events import Side
from balloon_spec.profiles import profile

__all__ = ["serve"]

Fields = Mapping[str, Any]
_Command = Callable[[Fields], dict[str, Any]]

_EVENTS: Mapping[type[ev.Event], tuple[str, Callable[[Any], dict[str, Any]]]] = MappingProxyType(
    {
        ev.Used: (
            "used",
            lambda seen: {
                "queue": seen.queue,
                "buffer": seen.buffer,
                "length": seen.length_bytes,
                "written": seen.written,
                "notify": seen.notified,
            },
        ),
        ev.Notified: ("notified", lambda seen: {"queue": seen.queue}),
        ev.ConfigurationChanged: ("configuration-changed", lambda seen: {"data": seen.data}),
        ev.NeedsReset: ("needs-reset", lambda _seen: {}),
        ev.DriverOk: ("driver-ok", lambda _seen: {}),
        ev.Available: (
            "available",
            lambda seen: {
                "queue": seen.queue,
                "buffer": seen.buffer,
                "readable": seen.readable,
                "writable": seen.writable_bytes,
                "notify": seen.notified,
                "segments": seen.segments,
            },
        ),
        ev.ConfigurationRead: (
            "configuration-read",
            lambda seen: {"offset": seen.offset, "data": seen.data},
        ),
        ev.ConfigurationWritten: (
            "configuration-written",
            lambda seen: {"offset": seen.offset, "data": seen.data},
        ),
        ev.Reset: ("reset", lambda _seen: {}),
        ev.Guest: ("guest-used", lambda seen: {"pages": seen.pages}),
        ev.Contents: ("contents", lambda seen: {"pages": seen.pages, "fill": seen.fill}),
    }
)
"""How the events of an adapter are sent; :meth:`_Served.tell` treats some of them differently."""

_TEXT_LIMIT: Final = 4096


class _RefusedError(Exception):
    """A command that is answered with an error."""

    def __init__(self, kind: ErrorKind, text: str) -> None:
        super().__init__(text)
        self.kind = kind


class _Served:
    """What the two sides share: commands by name, and events sent in the answers."""

    side: Side

    def __init__(
        self, adapter: DeviceAdapter | DriverAdapter, name: str, version: str, claims: frozenset[str]
    ) -> None:
        self.adapter = adapter
        self._name = name
        self._version = version
        self._claims = claims
        self._readable: dict[tuple[int, str], bytes] = {}
        self.told: list[dict[str, Any]] = []
        self.ended = False
        self.commands = self.own_commands()

    def own_commands(self) -> dict[str, _Command]:
        """Return the commands of the side, each with the method that carries it out."""
        return {
            "start": self.start,
            "reset": self.reset,
            "observe": self.observe,
            "stop": self.stop,
            "reread": self.reread,
        }

    @property
    def capabilities(self) -> list[str]:
        """The capabilities to claim: those of the adapter, and those that whoever serves it adds."""
        own = {str(one) for one in self.adapter.capabilities} | self._claims
        return sorted(own & set(known_capabilities(self.side)))

    def need(self, capability: Capability) -> None:
        """Answer ``not-implemented`` if the adapter lacks the capability."""
        if capability not in self.adapter.capabilities:
            raise _RefusedError(ErrorKind.NOT_IMPLEMENTED, f"the adapter lacks {capability}")

    def start(self, fields: Fields) -> dict[str, Any]:
        """Begin anew."""
        if fields["protocol"] != PROTOCOL_VERSION:
            raise _RefusedError(ErrorKind.REFUSED, f"this program speaks version {PROTOCOL_VERSION}")
        try:
            chosen = profile(fields["profile"], fields["bits"])
        except ValueError as error:
            raise _RefusedError(ErrorKind.REFUSED, str(error)) from None
        if fields["memory_holes"]:
            self.need(Capability.MEMORY_HOLES)
        self._readable.clear()
        numbered = chosen.with_numbering(fields["numbering"])
        self.adapter.start(Setup(numbered, fields["memory_pages"], fields["memory_holes"]))
        return {
            "protocol": PROTOCOL_VERSION,
            "role": self.side,
            "name": self._name,
            "version": self._version,
            "capabilities": self.capabilities,
            **({"numbering": own.numbering} if isinstance(own := self.adapter, StatesNumbering) else {}),
        }

    def reset(self, _fields: Fields) -> dict[str, Any]:
        """Reset."""
        self.adapter.reset()
        self._readable.clear()
        return {}

    def observe(self, fields: Fields) -> dict[str, Any]:
        """Wait for something to happen."""
        self.take_in(fields["milliseconds"] / 1000)
        return {}

    def stop(self, _fields: Fields) -> dict[str, Any]:
        """End."""
        self.adapter.stop()
        self.ended = True
        return {}

    def reread(self, fields: Fields) -> dict[str, Any]:
        """Read a buffer again: as it was made available, or as the last alteration left it."""
        if REREAD not in self._claims:
            raise _RefusedError(ErrorKind.NOT_IMPLEMENTED, "the adapter does not see buffers change")
        readable = self._readable.get((fields["queue"], fields["buffer"]))
        if readable is None:
            raise _RefusedError(ErrorKind.REFUSED, f"there is no buffer {fields['buffer']} on that queue")
        return {"readable": readable}

    def take_in(self, seconds: float = 0.0) -> None:
        """Record what the implementation did."""
        for event in self.adapter.observe(seconds):
            self.tell(event)

    def tell(self, event: ev.Event) -> None:
        """Put an event into the next answer. An altered buffer is only reported when it is read again."""
        if isinstance(event, ev.BufferAltered):
            self._readable[event.queue, event.buffer] = event.readable_now
            return
        if isinstance(event, ev.Available):
            self._readable[event.queue, event.buffer] = event.readable
        name, fields_of = _EVENTS[type(event)]
        if isinstance(event, ev.Guest) and event.action is not ev.GuestAction.USE:
            # Whoever reads guest memory sees the rest by itself.
            return
        line: dict[str, Any] = {"event": name}
        fields = fields_of(event)
        for one in event_fields(EVENTS[self.side, name]):
            if one.required or fields[one.name] != one.default:
                line[one.name] = one.kind.write(fields[one.name])
        self.told.append(line)


class _ServedDevice(_Served):
    side = Side.DEVICE
    adapter: DeviceAdapter

    def own_commands(self) -> dict[str, _Command]:
        return {
            **super().own_commands(),
            "negotiate": self.negotiate,
            "driver-ok": self.driver_ok,
            "available": self.available,
            "configuration-read": self.configuration_read,
            "configuration-write": self.configuration_write,
            "operator": self.operator,
            "discarded": self.discarded,
            "write-pages": self.write_pages,
            "skipped": self.skipped,
            "host-statistics": self.host_statistics,
        }

    def start(self, fields: Fields) -> dict[str, Any]:
        return {**super().start(fields), "memory": self.adapter.memory, "offered": self.adapter.offered()}

    def reset(self, fields: Fields) -> dict[str, Any]:
        return {**super().reset(fields), "offered": self.adapter.offered()}

    def negotiate(self, fields: Fields) -> dict[str, Any]:
        kept = self.adapter.accept(fields["accepted"])
        if not kept:
            return {"features_ok": False}
        self.adapter.prepare()
        return {"features_ok": True, "ring_sizes": self.adapter.ring_sizes(), "memory": self.adapter.memory}

    def driver_ok(self, _fields: Fields) -> dict[str, Any]:
        self.adapter.driver_ok()
        return {}

    def available(self, fields: Fields) -> dict[str, Any]:
        segments = fields["segments"]
        if segments:
            self.need(Capability.DESCRIPTORS)
        self._readable[fields["queue"], fields["buffer"]] = fields["readable"]
        buffer = Buffer(fields["buffer"], fields["readable"], fields["writable"], segments, fields["notify"])
        if buffer.has_addresses:
            self.need(Capability.ADDRESSES)
        self.adapter.make_available(fields["queue"], buffer)
        return {}

    def configuration_read(self, fields: Fields) -> dict[str, Any]:
        return {"data": self.adapter.read_configuration(fields["offset"], fields["length"])}

    def configuration_write(self, fields: Fields) -> dict[str, Any]:
        self.adapter.write_configuration(fields["offset"], fields["data"])
        return {}

    def operator(self, fields: Fields) -> dict[str, Any]:
        action = ev.OperatorAction(fields["action"])
        self.need(operator_capability(action))
        self.adapter.operate(action, fields["value"])
        return {}

    def discarded(self, fields: Fields) -> dict[str, Any]:
        self.need(Capability.DISCARDS)
        discarded, changed = self.adapter.discarded(fields["pages"])
        told = tuple(self.adapter.changes()) if changed and isinstance(self.adapter, TellsChanges) else ()
        return {"discarded": discarded, "overwritten": changed, "changes": told}

    def write_pages(self, fields: Fields) -> dict[str, Any]:
        self.need(Capability.WRITE_PAGES)
        assert isinstance(self.adapter, WritesPages)
        self.adapter.write_pages(fields["pages"], fields["data"])
        return {}

    def skipped(self, fields: Fields) -> dict[str, Any]:
        self.need(Capability.SKIPS)
        assert isinstance(self.adapter, TellsSkipped)
        skipped, known = self.adapter.skipped(fields["pages"])
        return {"skipped": skipped, "unknown": fields["pages"] - known}

    def host_statistics(self, _fields: Fields) -> dict[str, Any]:
        self.need(Capability.HOST_STATISTICS)
        assert isinstance(self.adapter, TellsStatistics)
        return {"statistics": self.adapter.statistics()}


class _ServedDriver(_Served):
    side = Side.DRIVER
    adapter: DriverAdapter
    _commanding = False

    def own_commands(self) -> dict[str, _Command]:
        return {
            **super().own_commands(),
            "negotiate": self.negotiate,
            "used": self.used,
            "configuration-change": self.configuration_change,
            "guest": self.guest,
            "guest-command": self.guest_command,
            "memory-read": self.memory_read,
            "memory-write": self.memory_write,
        }

    def negotiate(self, fields: Fields) -> dict[str, Any]:
        accepted = self.adapter.negotiate(fields["offered"], fields["configuration"])
        answer: dict[str, Any] = {"accepted": accepted}
        for event in self.adapter.observe(0.0):
            if isinstance(event, ev.Memory):
                answer["memory"] = event.pages
            else:
                self.tell(event)
        return answer

    def used(self, fields: Fields) -> dict[str, Any]:
        self.adapter.use(fields["queue"], fields["buffer"], fields["length"], fields["written"])
        self._readable.pop((fields["queue"], fields["buffer"]), None)
        return {}

    def configuration_change(self, fields: Fields) -> dict[str, Any]:
        self.adapter.change_configuration(fields["data"])
        return {}

    def guest(self, fields: Fields) -> dict[str, Any]:
        self.need(Capability.STEER_PAGES)
        self.adapter.steer(ev.GuestAction(fields["action"]), fields["pages"])
        return {}

    def guest_command(self, fields: Fields) -> dict[str, Any]:
        self.need(Capability.STEER_GUEST)
        self._guest.guest_begin(*fields["words"])
        self._commanding = True
        return {}

    def take_in(self, seconds: float = 0.0) -> None:
        super().take_in(0.0 if self._commanding else seconds)
        if not self._commanding:
            return
        event = {"event": "guest-answer"}
        try:
            answer = self._guest.guest_answer(seconds)
        except AdapterError as error:
            event, answer = {"event": "guest-refused"}, str(error)
        if answer is not None:
            self.told.append({**event, "text": answer})
            self._commanding = False
        super().take_in()

    def memory_read(self, fields: Fields) -> dict[str, Any]:
        return {"data": self._memory.read_memory(int(fields["address"]), fields["length"])}

    def memory_write(self, fields: Fields) -> dict[str, Any]:
        self._memory.write_memory(int(fields["address"]), fields["data"])
        return {}

    @property
    def _guest(self) -> SteersGuest:
        assert isinstance(self.adapter, SteersGuest)
        return self.adapter

    @property
    def _memory(self) -> ReachesMemory:
        self.need(Capability.GUEST_MEMORY)
        assert isinstance(self.adapter, ReachesMemory)
        return self.adapter


def serve(
    adapter: DeviceAdapter | DriverAdapter,
    commands: IO[bytes],
    answers: IO[bytes],
    *,
    side: Side,
    name: str,
    version: str = "",
    claims: frozenset[str] = frozenset(),
) -> None:
    """Answer commands until ``stop``, or until there are no more.

    ``claims`` are capabilities of the protocol itself: ``synchronous`` if the adapter's ``observe`` never has
    to wait, and ``reread`` if it sees a buffer in flight change.
    """
    kind = _ServedDevice if side is Side.DEVICE else _ServedDriver
    served = kind(adapter, name, version, claims)
    try:
        for line in commands:
            answers.write(write_line(_answer(served, line)))
            answers.flush()
            if served.ended:
                return
    finally:
        adapter.stop()


def _answer(served: _Served, line: bytes) -> dict[str, Any]:
    """Carry one command out and return its answer."""
    try:
        command = json.loads(line)
    except ValueError:
        command = None
    if type(command) is not dict:
        return {"seq": 1, "error": str(ErrorKind.REFUSED), "text": "this is not a JSON object"}
    answer: dict[str, Any] = {"seq": command.get("seq", 1)}
    try:
        answer |= _carried_out(served, command)
    except _RefusedError as refusal:
        answer |= {"error": str(refusal.kind), "text": str(refusal)}
    except ImplementationCrashed as fact:
        answer |= {"error": str(ErrorKind.CRASHED), "text": str(fact)}
    except ImplementationHung as fact:
        answer |= {"error": str(ErrorKind.HUNG), "text": str(fact)}
    except ImplementationViolation as fact:
        answer |= {"error": str(ErrorKind.VIOLATION), "text": str(fact)}
    except AdapterError as error:
        answer |= {"error": str(ErrorKind.REFUSED), "text": str(error)}
    except Exception as error:  # noqa: BLE001 - an adapter's defect is told to the suite, which says whose it is
        answer |= {"error": str(ErrorKind.REFUSED), "text": f"{type(error).__name__}: {error}"}
    if "text" in answer:
        answer["text"] = " ".join(answer["text"].split())[:_TEXT_LIMIT]
    told, served.told = served.told, []
    if told:
        answer["events"] = told
    return answer


def _carried_out(served: _Served, command: Mapping[str, Any]) -> dict[str, Any]:
    try:
        name, fields = read_command(command, served.side)
    except BadMessageError as fault:
        known = command.get("command")
        is_known = type(known) is str and known in FORMS and served.side in FORMS[known].sides
        kind = ErrorKind.REFUSED if is_known else ErrorKind.UNKNOWN_COMMAND
        raise _RefusedError(kind, str(fault)) from None
    found = served.commands[name](fields)
    if not served.ended:
        served.take_in()
    forms = {one.name: one.kind for one in answer_fields(FORMS[name], served.side)}
    return {key: forms[key].write(value) for key, value in found.items()}
