"""The steps of a vector, read in order: what each means, and what must hold between them.

The document has passed the schema; here stands what no schema can say: names in flight, sums of lengths,
queues that exist, pages that exist.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NoReturn

from balloon_conformance.vectors.hexadecimal import HexError, parse_hex
from balloon_conformance.vectors.model import (
    ActualStep,
    BufferStep,
    ConfigurationReadStep,
    ConfigurationStep,
    ConfigurationWriteStep,
    DriverOkStep,
    EffectStep,
    FeatureSets,
    GuestStep,
    Kind,
    Match,
    OperatorStep,
    Reaction,
    ReactionStep,
    ResetStep,
    SilentStep,
    Step,
    UsedStep,
)
from balloon_spec.events import GuestAction, OperatorAction, Segment, Side
from balloon_spec.families import registry
from balloon_spec.features import Profile
from balloon_spec.pages import EMPTY, PageSet
from balloon_spec.queues import Queue
from balloon_spec.segments import from_lengths
from balloon_spec.strict_yaml import Document, Path

__all__ = ["Frame", "StepReader", "VectorError"]


class VectorError(ValueError):
    """A vector that is not in order: one line, ``file:line: field: what is wrong; remedy``."""


@dataclass(frozen=True, slots=True)
class Frame:
    """What the steps stand in: everything about the vector but the steps themselves."""

    document: Document
    profile: Profile
    kind: Kind
    sides: frozenset[Side]
    memory: PageSet
    features: FeatureSets
    check_requirements: Callable[[Path], tuple[str, ...]]
    read_features: Callable[[Path], FeatureSets]

    def refuse(self, path: Path, problem: str, remedy: str, line: int | None = None) -> NoReturn:
        """Raise :class:`VectorError` for the value at ``path``."""
        at = self.document.lines.nearest(path) if line is None else line
        raise VectorError(f"{self.document.name}:{at}: {field_name(path)}: {problem}; {remedy}")


def field_name(path: Path) -> str:
    """Write the way to a value as a reader of the file would, as in ``steps[2].driver.readable``."""
    name = ""
    for part in path:
        name += f"[{part}]" if isinstance(part, int) else f".{part}" if name else part
    return name or "vector"


@dataclass(frozen=True, slots=True)
class _Flight:
    """A buffer that was made available: on which line, and under which condition."""

    line: int
    writable_bytes: int
    condition: str | None


class StepReader:
    """Reads the steps of one vector and keeps account of what is in flight."""

    def __init__(self, frame: Frame) -> None:
        self._frame = frame
        self._features = frame.features
        self._flights: dict[str, _Flight] = {}
        # What became of names that were in flight since the last reset, and on which line.
        self._gone: dict[str, tuple[str, int]] = {}
        self._returnable: bool | None = None
        self._ok_line: int | None = None

    def read(self) -> tuple[Step, ...]:
        """Return every step; raises :class:`VectorError` for the first that is not in order."""
        entries = self._frame.document.data["steps"]
        return tuple(self._step(("steps", index), entry) for index, entry in enumerate(entries))

    def _refuse(self, path: Path, problem: str, remedy: str) -> NoReturn:
        self._frame.refuse(path, problem, remedy)

    def _step(self, path: Path, entry: Mapping[str, Any]) -> Step:
        actor = next(key for key in entry if key not in ("if", "shows"))
        condition = entry.get("if")
        if condition and self._returnable is None:
            self._refuse((*path, "if"), "no reaction stands before this step", "remove the condition")
        if condition and not self._returnable:
            self._refuse(
                (*path, "if"),
                "the reaction before this step cannot be returned",
                "add returned to what the reaction allows, or remove the condition",
            )
        common = {
            "line": self._frame.document.lines[path],
            "condition": condition,
            "shows": self._frame.check_requirements((*path, "shows")) if "shows" in entry else (),
        }
        return _READERS[actor](self, (*path, actor), entry[actor], common)

    def _operator(self, _path: Path, value: Mapping[str, Any], common: dict[str, Any]) -> Step:
        if "target" in value:
            return OperatorStep(action=OperatorAction.TARGET, value=value["target"], **common)
        if "unused_pages" in value:
            return OperatorStep(action=OperatorAction.UNUSED_PAGES, value=value["unused_pages"], **common)
        return OperatorStep(action=OperatorAction.STATISTICS, **common)

    def _guest(self, path: Path, value: Mapping[str, Any], common: dict[str, Any]) -> Step:
        ((action, _),) = value.items()
        return GuestStep(action=GuestAction(action), pages=self._pages((*path, action)), **common)

    def _driver(self, path: Path, value: Mapping[str, Any], common: dict[str, Any]) -> Step:
        if "queue" in value:
            return self._buffer(path, value, common)
        if "actual" in value:
            return ActualStep(pages=value["actual"], **common)
        if "write" in value:
            data = self._bytes((*path, "write", "data"), value["write"]["data"])
            if not data:
                self._refuse((*path, "write", "data"), "there are no bytes", "write at least one hex pair")
            return ConfigurationWriteStep(offset=value["write"]["offset"], data=data, **common)
        if "read" in value:
            data = self._bytes((*path, "data"), value["data"])
            length = value["read"]["length"]
            if len(data) != length:
                self._refuse(
                    (*path, "data"), f"{len(data)} bytes answer a read of {length}", "make the lengths equal"
                )
            return ConfigurationReadStep(
                offset=value["read"]["offset"], length_bytes=length, data=data, **common
            )
        if "ok" in value:
            return self._driver_ok(path, common)
        return SilentStep(side=Side.DRIVER, **common)

    def _driver_ok(self, path: Path, common: dict[str, Any]) -> Step:
        if self._ok_line is not None:
            self._refuse(
                (*path, "ok"),
                f"DRIVER_OK was set on line {self._ok_line}",
                "remove one of the two; a reset sets it by itself",
            )
        self._ok_line = common["line"]
        return DriverOkStep(**common)

    def _buffer(self, path: Path, value: Mapping[str, Any], common: dict[str, Any]) -> Step:
        name, writable = value["as"], value.get("writable", 0)
        queue = registry.queue(value["queue"])
        self._check_queue((*path, "queue"), queue)
        if name in self._flights:
            self._refuse(
                (*path, "as"),
                f"{name} is in flight since line {self._flights[name].line}",
                "choose another name, or return it first",
            )
        readable = self._bytes((*path, "readable"), value.get("readable", ""))
        if not readable and not writable:
            self._refuse(path, f"buffer {name} has no bytes", "give it readable bytes or a writable length")
        match = Match(value.get("match", "exact"))
        if match is Match.EQUIVALENT and not queue.names_pages:
            self._refuse((*path, "match"), f"a {queue} buffer names no pages", "write exact or any")
        segments = self._segments(path, value, len(readable), writable)
        self._flights[name] = _Flight(common["line"], writable, common["condition"])
        return BufferStep(
            queue=queue,
            name=name,
            readable=readable,
            writable_bytes=writable,
            match=match,
            segments=segments,
            notify=value.get("notify", True),
            **common,
        )

    def _segments(
        self, path: Path, value: Mapping[str, Any], readable_bytes: int, writable_bytes: int
    ) -> tuple[Segment, ...]:
        key = "segments" if "segments" in value else "cut"
        if key in value and "cut" in value and key != "cut":
            self._refuse((*path, "cut"), "cut and segments stand together", "say it in segments alone")
        stated = tuple(
            Segment(one["length"], one.get("writable", False), one.get("address"))
            for one in value.get("segments", ())
        ) or from_lengths(value.get("cut", ()))
        for part, there, length in (
            ("readable", [one for one in stated if not one.writable], readable_bytes),
            ("writable", [one for one in stated if one.writable], writable_bytes),
        ):
            held = sum(one.length_bytes for one in there)
            if there and held != length:
                words = f"the descriptors hold {held} bytes, {part} has {length}"
                self._refuse((*path, key), words, "make the sum equal")
        if [one.writable for one in stated] != sorted(one.writable for one in stated):
            words = "a device-readable segment stands behind a device-writable one"
            self._refuse((*path, key), words, "put the device-writable ones last")
        if any(not one.length_bytes for one in stated) and self._frame.kind is Kind.EXCHANGE:
            self._refuse((*path, key), "a descriptor has no bytes", "give it one, or remove it")
        return stated

    def _check_queue(self, path: Path, queue: Queue) -> None:
        if not self._features.features_ok:
            self._refuse(
                path, "the device refused the features, so there are no queues", "reset the device first"
            )
        there = self._frame.profile.queue_map(self._features.offered, self._features.accepted).values()
        if queue not in there:
            self._refuse(
                path,
                f"the {queue} queue does not exist for the accepted features",
                f"accept its feature, or use one of {', '.join(one.name for one in there)}",
            )

    def _device(self, path: Path, value: Mapping[str, Any], common: dict[str, Any]) -> Step:
        if "used" in value:
            return self._used(path, value, common)
        if "reaction" in value:
            return self._reaction(path, value, common)
        if "configuration" in value:
            return ConfigurationStep(num_pages=value["configuration"]["num_pages"], **common)
        return SilentStep(side=Side.DEVICE, **common)

    def _take(self, path: Path, name: str, fate: str, common: Mapping[str, Any]) -> _Flight:
        """Take a buffer out of flight."""
        flight = self._flights.pop(name, None)
        if flight is None:
            if name in self._gone:
                earlier, line = self._gone[name]
                self._refuse(path, f"{name} {earlier} on line {line}", "make it available again first")
            self._refuse(
                path, f"{name} was never made available", "name a buffer that a driver step has as 'as'"
            )
        if flight.condition and not common["condition"]:
            self._refuse(
                path,
                f"{name} is in flight only if the buffer before it was returned (line {flight.line})",
                "write 'if: returned' at this step too",
            )
        self._gone[name] = (fate, common["line"])
        return flight

    def _used(self, path: Path, value: Mapping[str, Any], common: dict[str, Any]) -> Step:
        flight = self._take((*path, "used"), value["used"], "was returned", common)
        written = self._bytes((*path, "written"), value.get("written", ""))
        length = value.get("length", len(written))
        if len(written) > flight.writable_bytes:
            self._refuse(
                (*path, "written"),
                f"{len(written)} bytes do not fit the {flight.writable_bytes} writable ones",
                f"shorten it, or raise writable on line {flight.line}",
            )
        if length > flight.writable_bytes and self._frame.kind is Kind.EXCHANGE:
            self._refuse(
                (*path, "length"),
                f"{length} is above the {flight.writable_bytes} writable bytes of {value['used']}",
                "lower it, or make the vector malformed",
            )
        return UsedStep(name=value["used"], written=written, length_bytes=length, **common)

    def _reaction(self, path: Path, value: Mapping[str, Any], common: dict[str, Any]) -> Step:
        if self._frame.kind is Kind.EXCHANGE or Side.DEVICE not in self._frame.sides:
            self._refuse(
                (*path, "reaction"),
                "only a malformed buffer of the driver leaves the device a choice",
                "write used, or kind: malformed with sides: [device]",
            )
        self._take((*path, "reaction"), value["reaction"], "was reacted to", common)
        allowed = frozenset(Reaction(word) for word in value["allowed"])
        self._returnable = Reaction.RETURNED in allowed
        return ReactionStep(name=value["reaction"], allowed=allowed, **common)

    def _effect(self, path: Path, value: Mapping[str, Any], common: dict[str, Any]) -> Step:
        discarded = self._pages((*path, "discarded")) if "discarded" in value else EMPTY
        kept = self._pages((*path, "kept")) if "kept" in value else EMPTY
        if not kept.isdisjoint(discarded):
            self._refuse(
                (*path, "kept"),
                f"{kept & discarded} is discarded and kept",
                "name each page in one of the two",
            )
        return EffectStep(discarded=discarded, kept=kept, **common)

    def _reset(self, path: Path, value: Mapping[str, Any], common: dict[str, Any]) -> Step:
        if value:
            self._features = self._frame.read_features(path)
        self._gone = dict.fromkeys(self._flights, ("was dropped by the reset", common["line"]))
        self._flights.clear()
        return ResetStep(features=self._features, **common)

    def _bytes(self, path: Path, text: str) -> bytes:
        try:
            return parse_hex(text)
        except HexError as error:
            line = self._frame.document.lines.nearest(path)
            # A block of several lines begins on the line after its key.
            if "\n" in text:
                line += 1 + error.line
            return self._frame.refuse(path, error.problem, error.remedy, line)

    def _pages(self, path: Path) -> PageSet:
        value: Any = self._frame.document.data
        for part in path:
            value = value[part]
        for index, text in enumerate(value):
            here = (*path, index)
            try:
                pages = PageSet.parse(text)
            except ValueError as error:
                self._refuse(here, str(error).split("; ", 1)[0], "write a run within guest memory")
            if not pages:
                self._refuse(here, f"{text} is a run of no pages", "write a count from 1, or remove the run")
            if not pages <= self._frame.memory:
                self._refuse(
                    here,
                    f"{text} leaves guest memory, which is {self._frame.memory}",
                    "name pages that exist, or change memory",
                )
        return PageSet.parse(*value)


_Reader = Callable[[StepReader, Path, Any, dict[str, Any]], Step]

_READERS: Mapping[str, _Reader] = {
    "operator": StepReader._operator,  # noqa: SLF001 - the table of the class above
    "guest": StepReader._guest,  # noqa: SLF001
    "driver": StepReader._driver,  # noqa: SLF001
    "device": StepReader._device,  # noqa: SLF001
    "effect": StepReader._effect,  # noqa: SLF001
    "reset": StepReader._reset,  # noqa: SLF001
}
