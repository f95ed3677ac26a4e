"""The steps of a vector, read in order, and what must hold between them.

The document has passed the schema. Each step reads itself, with the help of what is known here: which names
are in flight, which queues and pages exist, where a value stands in the file.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NoReturn

from balloon_conformance.vectors.hexadecimal import HexError, parse_hex
from balloon_conformance.vectors.model import FeatureSets, Kind
from balloon_conformance.vectors.step import Form, Step, steps
from balloon_spec.events import Side
from balloon_spec.pages import PageSet
from balloon_spec.profiles import Profile
from balloon_spec.queues import Queue
from balloon_spec.strict_yaml import Document, Path

__all__ = ["Flight", "Frame", "StepReader", "VectorError", "field_name"]


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
class Flight:
    """A buffer that was made available: on which line, with which room, and under which condition."""

    line: int
    writable_bytes: int
    condition: str | None


class StepReader:
    """Reads the steps of one vector and keeps account of what is in flight.

    ``is_returnable`` tells whether the last reaction may be the return of its buffer; None before the first.
    """

    def __init__(self, frame: Frame) -> None:
        self._frame = frame
        self._features = frame.features
        self._flights: dict[str, Flight] = {}
        # What became of names that were in flight since the last reset, and on which line.
        self._earlier: dict[str, tuple[str, int]] = {}
        self.is_returnable: bool | None = None
        self._ok_line: int | None = None

    def read(self) -> tuple[Step, ...]:
        """Return every step; raises :class:`VectorError` for the first that is not in order."""
        entries = self._frame.document.data["steps"]
        return tuple(self._step(("steps", index), entry) for index, entry in enumerate(entries))

    @property
    def kind(self) -> Kind:
        """Whether both sides keep the protocol in this vector."""
        return self._frame.kind

    @property
    def sides(self) -> frozenset[Side]:
        """Those the vector judges."""
        return self._frame.sides

    def refuse(self, path: Path, problem: str, remedy: str) -> NoReturn:
        """Raise :class:`VectorError` for the value at ``path``."""
        self._frame.refuse(path, problem, remedy)

    def _step(self, path: Path, entry: Mapping[str, Any]) -> Step:
        actor = next(key for key in entry if key not in ("if", "shows"))
        condition = entry.get("if")
        if condition and self.is_returnable is None:
            self.refuse((*path, "if"), "no reaction stands before this step", "remove the condition")
        if condition and not self.is_returnable:
            self.refuse(
                (*path, "if"),
                "the reaction before this step cannot be returned",
                "add returned to what the reaction allows, or remove the condition",
            )
        common = {
            "line": self._frame.document.lines[path],
            "condition": condition,
            "shows": self._frame.check_requirements((*path, "shows")) if "shows" in entry else (),
        }
        value = entry[actor]
        kind = next(one for one, form in _forms() if form.by == actor and form.key in {None, *value})
        return kind.read(self, (*path, actor), value, common)

    def check_queue(self, path: Path, queue: Queue) -> None:
        """Refuse a queue that does not exist for the features as negotiated here."""
        if not self._features.features_ok:
            self.refuse(
                path, "the device refused the features, so there are no queues", "reset the device first"
            )
        there = self._frame.profile.queue_map(self._features.offered, self._features.accepted).values()
        if queue not in there:
            self.refuse(
                path,
                f"the {queue} queue does not exist for the accepted features",
                f"accept its feature, or use one of {', '.join(one.name for one in there)}",
            )

    def check_free(self, path: Path, name: str) -> None:
        """Refuse the name of a buffer that is in flight."""
        if name in self._flights:
            self.refuse(
                path,
                f"{name} is in flight since line {self._flights[name].line}",
                "choose another name, or return it first",
            )

    def lend(self, name: str, writable_bytes: int, common: Mapping[str, Any]) -> None:
        """Have a buffer in flight from here on."""
        self._flights[name] = Flight(common["line"], writable_bytes, common["condition"])

    def take(self, path: Path, name: str, fate: str, common: Mapping[str, Any]) -> Flight:
        """Take a buffer out of flight; ``fate`` says what became of it."""
        flight = self._flights.pop(name, None)
        if flight is None:
            if name in self._earlier:
                earlier, line = self._earlier[name]
                self.refuse(path, f"{name} {earlier} on line {line}", "make it available again first")
            self.refuse(
                path, f"{name} was never made available", "name a buffer that a driver step has as 'as'"
            )
        if flight.condition and not common["condition"]:
            self.refuse(
                path,
                f"{name} is in flight only if the buffer before it was returned (line {flight.line})",
                "write 'if: returned' at this step too",
            )
        self._earlier[name] = (fate, common["line"])
        return flight

    def set_driver_ok(self, path: Path, common: Mapping[str, Any]) -> None:
        """Take in that DRIVER_OK is set by a step of its own; once in a vector."""
        if self._ok_line is not None:
            self.refuse(
                path,
                f"DRIVER_OK was set on line {self._ok_line}",
                "remove one of the two; a reset sets it by itself",
            )
        self._ok_line = common["line"]

    def reset(self, path: Path, *, has_features: bool, common: Mapping[str, Any]) -> FeatureSets:
        """Drop what is in flight; return what is negotiated: the features at ``path``, or those of before."""
        if has_features:
            self._features = self._frame.read_features(path)
        self._earlier = dict.fromkeys(self._flights, ("was dropped by the reset", common["line"]))
        self._flights.clear()
        return self._features

    def bytes(self, path: Path, text: str) -> bytes:
        """Return the bytes that the text at ``path`` stands for."""
        try:
            return parse_hex(text)
        except HexError as error:
            line = self._frame.document.lines.nearest(path)
            # A block of several lines begins on the line after its key.
            if "\n" in text:
                line += 1 + error.line
            return self._frame.refuse(path, error.problem, error.remedy, line)

    def pages(self, path: Path) -> PageSet:
        """Return the pages of the runs at ``path``; all of them exist."""
        value: Any = self._frame.document.data
        for part in path:
            value = value[part]
        for index, text in enumerate(value):
            here = (*path, index)
            try:
                pages = PageSet.parse(text)
            except ValueError as error:
                self.refuse(here, str(error).split("; ", 1)[0], "write a run within guest memory")
            if not pages:
                self.refuse(here, f"{text} is a run of no pages", "write a count from 1, or remove the run")
            if not pages <= self._frame.memory:
                self.refuse(
                    here,
                    f"{text} leaves guest memory, which is {self._frame.memory}",
                    "name pages that exist, or change memory",
                )
        return PageSet.parse(*value)


def _forms() -> Iterator[tuple[type[Step], Form]]:
    return ((kind, form) for kind in steps() for form in kind.all_forms())
