"""Fills an intent: the vector that the schemas and the reference implementations make of it.

Whoever a vector judges is played by the reference implementation of that side, and the vector has what it
really does: which buffers the driver makes available, what the device writes and returns, when ``actual``
moves, which pages are discarded. The intent says when, holds returns back, and plays the other side. Where
the reference implementation does otherwise than the intent says, one of the two is wrong and nothing is
filled.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any, NoReturn

from balloon_conformance.generation.contents import build_content, build_space
from balloon_conformance.generation.evidence import shown
from balloon_conformance.generation.intents import model as meant
from balloon_conformance.generation.observed_references import (
    DiffersFromIntent,
    ObservedDevice,
    ObservedDriver,
)
from balloon_conformance.generation.sabotage import cannot_fail
from balloon_conformance.iut.contract import Setup
from balloon_conformance.running.word_step import WordStep
from balloon_conformance.vectors.model import FeatureSets, Kind, Match, Reaction, Vector
from balloon_conformance.vectors.step import Step
from balloon_conformance.vectors.step import steps as declared_steps
from balloon_conformance.vectors.steps import (
    ActualStep,
    BufferStep,
    ConfigurationReadStep,
    ConfigurationStep,
    ConfigurationWriteStep,
    DriverOkStep,
    EffectStep,
    GuestStep,
    OperatorStep,
    ReactionStep,
    ResetStep,
    SilentStep,
    UsedStep,
)
from balloon_spec.events import GuestAction, OperatorAction, Segment, Side
from balloon_spec.families import registry
from balloon_spec.families.base import configuration
from balloon_spec.judge.shape import read_content
from balloon_spec.pages import PageSet
from balloon_spec.profiles import Profile, profile
from balloon_spec.queues import Queue
from balloon_spec.requirement import catalogue
from balloon_spec.segments import from_lengths
from balloon_spec.wire.errors import WireError

__all__ = ["PROVENANCE", "FillError", "Filling", "fill"]

PROVENANCE = MappingProxyType(
    {"generated": "balloon-conformance vectors generate", "verified": "independent encoder"}
)


class FillError(ValueError):
    """An intent that cannot be filled: one line with its id, the step, what is wrong and the remedy."""


def _word_step(name: str) -> type[WordStep]:
    """Return the kind of step that a family declares for one of its words of the configuration space."""
    for kind in declared_steps():
        if issubclass(kind, WordStep) and kind.word.name == name:
            return kind
    raise FillError(f"no family has a step for the word {name}; declare one among its additions")


def fill(intent: meant.Intent) -> Vector:
    """Return the vector of ``intent``, its lines all 0; raises :class:`FillError`."""
    return Filling(intent).fill()


class Filling:
    """Goes through one script; ``device`` and ``driver`` are the references of the sides that are judged."""

    def __init__(self, intent: meant.Intent) -> None:
        self._intent = intent
        self._profile: Profile = profile(intent.profile)
        self._setup = Setup(self._profile, intent.memory_pages, PageSet.parse(*intent.memory_holes))
        self._at = "features"
        self._actual = 0
        features = self._sets(intent.features)
        negotiations = [
            features,
            *(
                self._sets(step.features)
                for step in intent.script
                if isinstance(step, meant.Reset) and step.features
            ),
        ]
        self._features = features
        self._own_driver_ok = any(isinstance(step, meant.DriverOk) for step in intent.script)
        self.device = (
            ObservedDevice(self._setup, [sets.offered for sets in negotiations])
            if "device" in intent.sides
            else None
        )
        self.driver = (
            ObservedDriver(self._setup, [sets.accepted for sets in negotiations])
            if "driver" in intent.sides
            else None
        )

    def fill(self) -> Vector:
        """Return the vector."""
        intent = self._intent
        try:
            self._negotiate(self._features, driver_ok=not self._own_driver_ok)
            steps = []
            for number, step in enumerate(intent.script):
                self._at = f"step {number}, {type(step).__name__}"
                steps.append(self._step(step))
            self._at = "end"
            for reference in (self.device, self.driver):
                if reference is not None:
                    reference.nothing_left()
        except (DiffersFromIntent, WireError) as error:
            self._refuse(str(error))
        return self._listing(
            Vector(
                id=intent.id,
                title=intent.title,
                profile=self._profile,
                kind=Kind(intent.kind),
                sides=frozenset(Side(side) for side in intent.sides),
                requirements=intent.about,
                breaks=intent.breaks,
                features=self._sets(intent.features),
                memory_pages=self._setup.memory_pages,
                memory_holes=self._setup.memory_holes,
                steps=tuple(steps),
                provenance=PROVENANCE,
                path=Path(intent.area) / f"{intent.id}.yaml",
            )
        )

    def _listing(self, vector: Vector) -> Vector:
        """Leave to the vector, out of what its intent says, what its steps and the vector itself do show."""
        idle = {(id(step), name) for side in vector.sides for step, name in cannot_fail(vector, side)}
        steps = tuple(
            replace(step, shows=tuple(name for name in step.shows if (id(step), name) not in idle))
            for step in vector.steps
        )
        vector = replace(vector, steps=steps)
        shows = shown(vector)
        listed = tuple(name for name in vector.requirements if name in shows)
        for side in sorted(vector.sides):
            if not any(catalogue()[name].subject is side for name in listed):
                self._refuse(f"of {', '.join(vector.requirements)} it shows none that binds the {side}")
        return replace(vector, requirements=listed)

    def _refuse(self, problem: str) -> NoReturn:
        raise FillError(f"{self._intent.area}/{self._intent.id}: {self._at}: {problem}; mend the intent")

    def _sets(self, features: meant.Features) -> FeatureSets:
        mask = self._profile.mask
        return FeatureSets(mask(features.offered), mask(features.accepted), features.features_ok)

    def _negotiate(self, sets: FeatureSets, *, driver_ok: bool) -> None:
        self._features = sets
        self._actual = 0
        if self.device is not None:
            self.device.negotiate(sets, driver_ok=driver_ok)
        if self.driver is not None:
            self.driver.negotiate(sets)

    def _step(self, step: meant.Step) -> Step:
        common: dict[str, Any] = {
            "line": 0,
            "condition": "returned" if step.if_returned else None,
            "shows": step.shows,
        }
        match step:
            case meant.OperatorWish(wish, value):
                return self._operator(OperatorAction(wish), value, common)
            case meant.GuestWish(wish, runs):
                return self._guest(GuestAction(wish), runs, common)
            case meant.DriverBuffer():
                return self._buffer(step, common)
            case meant.DriverActual(pages):
                return self._write_actual(pages, common)
            case meant.DriverStore(offset, width, value):
                data = value.to_bytes(width, "little")
                self.store(offset, data)
                return ConfigurationWriteStep(offset=offset, data=data, **common)
            case meant.DriverWord(name, value):
                return self._driver_word(_word_step(name), value, common)
            case meant.DeviceWord(name, value):
                return self._device_word(_word_step(name), value, common)
            case meant.DriverRead():
                return self._read(step, common)
            case meant.DriverOk():
                if self.device is not None:
                    self.device.driver_ok()
                return DriverOkStep(**common)
            case meant.Silent(side):
                return self._silent(Side(side), common)
            case meant.DeviceReturn():
                return self._return(step, common)
            case meant.DeviceConfiguration(num_pages):
                return self._configure(num_pages, common)
            case meant.DeviceReaction(name, allowed):
                if self.device is not None:
                    self.device.returned(name)
                return ReactionStep(name=name, allowed=frozenset(map(Reaction, allowed)), **common)
            case meant.Effect(discarded, kept):
                return self._effect(PageSet(discarded), PageSet(kept), common)
            case meant.Reset(features):
                self._negotiate(self._features if features is None else self._sets(features), driver_ok=True)
                return ResetStep(features=self._features, **common)
            case _:
                filled: Step = step.fill(self, common)
                return filled

    def step_of_family(self, by: str, key: str | None, step: meant.Step, common: Mapping[str, Any]) -> Step:
        """Return a step that a family declares, which is written ``by: {key: ...}``, for what is meant."""
        kinds = (kind for kind in declared_steps() for form in kind.forms if (form.by, form.key) == (by, key))
        filled: Step = next(kinds).filled(self, step, common)
        return filled

    # -- wishes -------------------------------------------------------------------------------------------

    def _operator(self, action: OperatorAction, value: int, common: dict[str, Any]) -> Step:
        if self.device is not None:
            self.device.operate(action, value)
        return OperatorStep(action=action, value=value, **common)

    def _guest(self, action: GuestAction, runs: meant.Runs, common: dict[str, Any]) -> Step:
        pages = PageSet(runs)
        if self.driver is not None:
            self.driver.steer(action, pages)
        return GuestStep(action=action, pages=pages, **common)

    # -- the driver ---------------------------------------------------------------------------------------

    def _buffer(self, step: meant.DriverBuffer, common: dict[str, Any]) -> Step:
        queue, match = registry.queue(step.queue), Match(step.match)
        readable = build_content(step.content)
        if self.driver is not None:
            seen = self.driver.makes_available(queue, step.name)
            if seen.writable_bytes != step.writable_bytes or bool(seen.readable) != bool(readable):
                self._refuse(
                    f"the reference driver makes {len(seen.readable)} readable and {seen.writable_bytes} "
                    "writable bytes available"
                )
            if match is Match.EQUIVALENT:
                self._equivalent(step, queue, readable, seen.readable)
            elif match is Match.EXACT and seen.readable != readable:
                self._refuse(
                    f"the bytes are {readable[:40].hex(' ')} and those of the reference driver "
                    f"{seen.readable[:40].hex(' ')}"
                )
        filled = BufferStep(
            queue=queue,
            name=step.name,
            readable=readable,
            writable_bytes=step.writable_bytes,
            match=match,
            segments=tuple(Segment(*one) for one in step.segments) or from_lengths(step.cut),
            notify=step.notify,
            **common,
        )
        if self.device is not None:
            self.device.make_available(filled)
        return filled

    def _equivalent(self, step: meant.DriverBuffer, queue: Queue, readable: bytes, first: bytes) -> None:
        """Take buffers of the reference driver until they name the same pages; all but the last go back."""
        assert self.driver is not None
        wanted, named = self._named(queue, readable), self._named(queue, first)
        while named != wanted and named <= wanted:
            self.driver.use(step.name, 0, b"")
            named |= self._named(queue, self.driver.makes_available(queue, step.name).readable)
        if named != wanted:
            self._refuse(f"the reference driver names {named}")

    def _named(self, queue: Queue, data: bytes) -> PageSet:
        """Return the pages that a buffer of the driver names."""
        features = self._profile.names(self._features.accepted)
        return read_content(queue, data, self._setup.memory, features).pages

    def _write_actual(self, pages: int, common: dict[str, Any]) -> Step:
        data = pages.to_bytes(4, "little")
        if self.driver is not None:
            self.driver.writes(configuration.ACTUAL_OFFSET, data)
        self.store(configuration.ACTUAL_OFFSET, data)
        self._actual = pages
        return ActualStep(pages=pages, **common)

    def _driver_word(self, kind: type[WordStep], value: int, common: dict[str, Any]) -> Step:
        step = kind(value=value, **common)
        if self.driver is not None:
            self.driver.writes(step.word.offset_bytes, step.data)
        self.store(step.word.offset_bytes, step.data)
        return step

    def _device_word(self, kind: type[WordStep], value: int, common: dict[str, Any]) -> Step:
        step = kind(value=value, **common)
        if self.device is not None:
            self.device.announces(step.word.offset_bytes, step.data)
        if self.driver is not None:
            self.driver.change_word(step.word.offset_bytes, step.data)
        return step

    def store(self, offset: int, data: bytes) -> None:
        """Have the driver write to the configuration space of the reference device."""
        if self.device is not None:
            self.device.write_configuration(offset, data)

    def _read(self, step: meant.DriverRead, common: dict[str, Any]) -> Step:
        whole = build_space(step.space)
        data = whole[step.offset_bytes : step.offset_bytes + step.length_bytes]
        if len(data) < step.length_bytes:
            self._refuse(f"the configuration space has {len(whole)} bytes")
        if self.device is not None:
            self.device.reads(step.offset_bytes, data)
        return ConfigurationReadStep(
            offset=step.offset_bytes, length_bytes=step.length_bytes, data=data, **common
        )

    # -- the device ---------------------------------------------------------------------------------------

    def _return(self, step: meant.DeviceReturn, common: dict[str, Any]) -> Step:
        written = build_content(step.written)
        length_bytes = len(written) if step.length_bytes is None else step.length_bytes
        if self.device is not None:
            used = self.device.returned(step.name)
            if (used.written, used.length_bytes) != (written, length_bytes):
                self._refuse(
                    f"the reference device returns {step.name} with length {used.length_bytes} and "
                    f"{used.written.hex(' ') or 'nothing'} written"
                )
        if self.driver is not None:
            self.driver.use(step.name, length_bytes, written)
        return UsedStep(name=step.name, written=written, length_bytes=length_bytes, **common)

    def _configure(self, num_pages: int, common: dict[str, Any]) -> Step:
        space = build_space(meant.Configuration(num_pages, self._actual))
        if self.device is not None:
            self.device.changed(num_pages)
        if self.driver is not None:
            self.driver.change_configuration(space)
        return ConfigurationStep(num_pages=num_pages, **common)

    def _silent(self, side: Side, common: dict[str, Any]) -> Step:
        reference = self.device if side is Side.DEVICE else self.driver
        if reference is not None:
            reference.nothing_left()
        return SilentStep(side=side, **common)

    def _effect(self, discarded: PageSet, kept: PageSet, common: dict[str, Any]) -> Step:
        if self.device is not None:
            self.device.discards(discarded, kept)
        return EffectStep(discarded=discarded, kept=kept, **common)
