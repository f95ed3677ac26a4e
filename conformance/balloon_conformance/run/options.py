"""What a run is asked to do, and how it travels to pytest and from there to its worker processes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from balloon_conformance.iut import registry
from balloon_conformance.iut.contract import Target
from balloon_conformance.iut.registry import IutError
from balloon_conformance.iut.targets_file import FILE_NAME, find, refuse_shadowed
from balloon_conformance.known_failures.ledger import KnownFailures
from balloon_conformance.known_failures.loader import load
from balloon_conformance.report.numbering import NumberingSource
from balloon_conformance.run.feature_bits import read_bits
from balloon_conformance.suite.plan import case_ids
from balloon_spec.profiles import Profile, profile
from balloon_spec.queues import Numbering

__all__ = ["RunOptions", "add_options"]

_OPTION = "--balloon-run"
_NAME = "balloon_run"


@dataclass(frozen=True, slots=True)
class RunOptions:
    """The choices that every process of a run needs.

    ``profile`` or ``numbering`` empty take the implementation's own. ``bits`` are ``FEATURE=NUMBER`` pairs,
    ``given`` the options of the adapter by their names. ``vectors`` is a directory to take vectors from
    instead of the suite's cases, ``known_failures`` the file of a list; either is empty if nothing was said.
    ``name`` and ``role`` are those of a target of a file; ``role`` is what the implementation has to be.
    """

    iut: str
    profile: str = ""
    bits: tuple[str, ...] = ()
    numbering: str = ""
    given: Mapping[str, str] = field(default_factory=dict)
    deadline_seconds: float = 1.0
    vectors: str = ""
    known_failures: str = ""
    name: str = ""
    role: str = ""

    def arguments(self) -> list[str]:
        """Return the options as pytest takes them."""
        return [f"{_OPTION}={json.dumps(asdict(self))}"]

    @classmethod
    def of(cls, config: pytest.Config) -> RunOptions | None:
        """Read the options back; None if pytest was started without them."""
        text = config.getoption(_NAME)
        if not text:
            return None
        values: dict[str, Any] = json.loads(text)
        return cls(**values | {"bits": tuple(values["bits"])})

    def target(self) -> Target:
        """Return the implementation; raises :class:`IutError` if it is not to be had."""
        target = registry.resolve(self.iut, self.given)
        if self.role and target.side != self.role:
            raise IutError(
                f"{FILE_NAME}: targets.{self.name}.role: {self.iut} is a {target.side}, not a {self.role}; "
                "mend the role, or the adapter"
            )
        return replace(target, numbering=Numbering(self.numbering)) if self.numbering else target

    def numbering_source(self, target: Target) -> NumberingSource:
        """Return who says how ``target`` numbers its virtqueues."""
        if self.numbering:
            return NumberingSource.STATED
        return NumberingSource.DEFAULT if target.numbering is None else NumberingSource.IMPLEMENTATION

    def expanded(self, directory: Path) -> RunOptions:
        """Return the options with a target's name replaced by what the file in ``directory`` says of it.

        An option that was given beside the name counts more than the file. Without a file or such a name, the
        options stay as they are. Raises :class:`IutError`.
        """
        if self.iut in registry.KINDS:
            refuse_shadowed(self.iut, directory)
        if ":" in self.iut or self.iut in registry.KINDS:
            return self
        found = find(self.iut, directory, frozenset(registry.OPTIONS))
        if found is None:
            return self
        bits = {name: f"{name}={bit}" for name, bit in found.bits.items()}
        bits |= {word.partition("=")[0]: word for word in self.bits}
        return replace(
            self,
            iut=found.adapter,
            profile=self.profile or found.profile,
            bits=tuple(bits.values()),
            numbering=self.numbering or found.numbering,
            given={**found.options, **self.given},
            known_failures=self.known_failures or found.known_failures,
            name=found.name,
            role=found.role or "",
        )

    def chosen_profile(self, target: Target) -> Profile:
        """Return the profile of the run; :class:`IutError` for one that does not exist."""
        try:
            bits = read_bits(self.bits)
        except ValueError as error:
            raise IutError(str(error)) from error
        for name, bit in bits.items():
            if bit >= target.feature_bits:
                raise IutError(
                    f"--bit {name}={bit}: the feature word of {target.name} has {target.feature_bits} bits; "
                    f"give a number from 0 to {target.feature_bits - 1}"
                )
        name = self.profile or target.default_profile
        try:
            chosen = target.numbered(profile(name, bits))
        except (ValueError, KeyError) as error:
            raise IutError(str(error.args[0])) from error
        if target.profiles and chosen.name not in target.profiles:
            # The name of a target may hold a program of several lines.
            at = " ".join(target.name.split())
            raise IutError(f"{at}: there is no profile {chosen.name} for it: {target.profiles_note}")
        return chosen

    @property
    def named(self) -> frozenset[str]:
        """The features whose bit a person gave."""
        return frozenset(word.partition("=")[0] for word in self.bits)

    def known(self, target: Target) -> KnownFailures:
        """Return the list of known failures, which is empty if there is no file yet.

        Raises :class:`KnownFailuresError` and :class:`VectorError`.
        """
        path = Path(self.known_failures)
        if not self.known_failures or not path.exists():
            return KnownFailures()
        return load(path, target.side, case_ids(self.vector_directory))

    @property
    def vector_directory(self) -> Path | None:
        """The directory to take vectors from, None for the suite's own cases."""
        return Path(self.vectors) if self.vectors else None


def add_options(parser: pytest.Parser) -> None:
    """Declare the option that carries them to pytest; it has no help, because no person gives it."""
    group = parser.getgroup("balloon", "virtio-balloon conformance")
    group.addoption(_OPTION, dest=_NAME, default="", help="see balloon-conformance")
