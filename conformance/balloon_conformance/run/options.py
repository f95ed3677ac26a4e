"""What a run is asked to do, and how it travels to pytest and from there to its worker processes."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

import pytest

from balloon_conformance.iut import registry
from balloon_conformance.iut.contract import Target
from balloon_conformance.iut.registry import IutError, IutOptions
from balloon_conformance.iut.targets_file import FILE_NAME, find, refuse_shadowed
from balloon_conformance.known_failures.ledger import KnownFailures
from balloon_conformance.known_failures.loader import load
from balloon_conformance.run.feature_bits import read_bits
from balloon_conformance.suite.plan import case_ids
from balloon_spec.features import Profile, profile

__all__ = ["RunOptions", "add_options"]

_PREFIX = "balloon_"


@dataclass(frozen=True, slots=True)
class RunOptions:
    """The choices that every process of a run needs.

    ``profile`` empty takes the implementation's own. ``bits`` are ``FEATURE=NUMBER`` pairs joined by commas,
    ``vectors`` a directory to take vectors from instead of the suite's cases. ``control`` is the control
    socket of a vhost-user peer, ``known_failures`` the file of a list; the rest is for QEMU and for a kernel
    in user mode, as their names say. Each is empty where nothing was said. ``name`` and ``role`` are those of
    a target of a file; ``role`` is what the implementation has to be.
    """

    iut: str
    profile: str = ""
    bits: str = ""
    deadline_seconds: str = "1.0"
    vectors: str = ""
    qemu_binary: str = ""
    qemu_device_properties: str = ""
    qemu_memory: str = ""
    control: str = ""
    vhost_user_without: str = ""
    uml_kernel: str = ""
    uml_module: str = ""
    uml_memory: str = ""
    uml_arguments: str = ""
    known_failures: str = ""
    stdio_start_seconds: str = ""
    stdio_answer_seconds: str = ""
    name: str = ""
    role: str = ""

    def arguments(self) -> list[str]:
        """Return the options as pytest takes them."""
        return [f"{_flag(name)}={value}" for name, value in asdict(self).items()]

    @classmethod
    def of(cls, config: pytest.Config) -> RunOptions | None:
        """Read the options back; None where pytest was started without them."""
        values: dict[str, Any] = {one.name: config.getoption(_PREFIX + one.name) for one in fields(cls)}
        return cls(**values) if values["iut"] else None

    def target(self) -> Target:
        """Return the implementation; :class:`IutError` where it is not to be had."""
        target = registry.resolve(self.iut, self._iut_options())
        if self.role and target.side != self.role:
            raise IutError(
                f"{FILE_NAME}: targets.{self.name}.role: {self.iut} is a {target.side}, not a {self.role}; "
                "mend the role, or the adapter"
            )
        return target

    def expanded(self, directory: Path) -> RunOptions:
        """Return what a name of a target in the file of ``directory`` stands for, or else the same.

        What was given beside the name counts more than what the file says. Raises :class:`IutError`.
        """
        if self.iut in registry.KINDS:
            refuse_shadowed(self.iut, directory)
        if ":" in self.iut or self.iut in registry.KINDS:
            return self
        known = {one.name.replace("_", "-"): one.name for one in fields(IutOptions)}
        found = find(self.iut, directory, frozenset(known))
        if found is None:
            return self
        bits = {name: f"{name}={bit}" for name, bit in found.bits.items()}
        bits |= {word.partition("=")[0]: word for word in filter(None, self.bits.split(","))}
        values = {known[name]: getattr(self, known[name]) or text for name, text in found.options.items()}
        return replace(
            self,
            iut=found.adapter,
            profile=self.profile or found.profile,
            bits=",".join(bits.values()),
            known_failures=self.known_failures or found.known_failures,
            name=found.name,
            role=found.role or "",
            **values,
        )

    def _iut_options(self) -> IutOptions:
        return IutOptions(**{one.name: getattr(self, one.name) or None for one in fields(IutOptions)})

    def chosen_profile(self, target: Target) -> Profile:
        """Return the profile of the run; :class:`IutError` for one that does not exist."""
        try:
            bits = read_bits(filter(None, self.bits.split(",")))
        except ValueError as error:
            raise IutError(str(error)) from error
        for name, bit in bits.items():
            if bit >= target.feature_bits:
                raise IutError(
                    f"--bit {name}={bit}: the feature word of {target.name} has {target.feature_bits} bits; "
                    f"give a number from 0 to {target.feature_bits - 1}"
                )
        try:
            return profile(self.profile or target.default_profile, bits)
        except (ValueError, KeyError) as error:
            raise IutError(str(error.args[0])) from error

    @property
    def named(self) -> frozenset[str]:
        """The features of which a person gave the bit."""
        return frozenset(word.partition("=")[0] for word in filter(None, self.bits.split(",")))

    def known(self, target: Target) -> KnownFailures:
        """Return the list of known failures, which is empty where there is no file yet.

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
    """Declare the options to pytest; they have no help of their own, because no person gives them."""
    group = parser.getgroup("balloon", "virtio-balloon conformance")
    for one in fields(RunOptions):
        default = "" if one.name == "iut" else one.default
        group.addoption(
            _flag(one.name), dest=_PREFIX + one.name, default=default, help="see balloon-conformance"
        )


def _flag(name: str) -> str:
    return f"--balloon-{name.replace('_', '-')}"
