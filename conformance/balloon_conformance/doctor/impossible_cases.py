"""Cases that no honest adapter passes: one that does reports success whatever the implementation does.

The cases come in pairs. Any implementation should pass the first case of a pair. The second is the same case
with one wrong expectation, so it has to fail. A pair decides something only if its first case passes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from balloon_conformance.iut.contract import Target
from balloon_conformance.running.case import DEFAULT_PATIENCE
from balloon_conformance.running.outcome import Outcome, Status
from balloon_conformance.running.player import play
from balloon_conformance.vectors.loader import load_text
from balloon_spec.events import Side

__all__ = ["ImpossibleCases", "play_impossible_cases"]

_BEGINNING: Final = """\
vector: {name}
title: {title}
profile: base
sides: [{side}]
requirements: [{requirement}]
features: {{offered: [{features}], accepted: [{features}]}}
memory: {{pages: 0x4000}}
provenance: {{written: by hand, verified: by hand}}
steps:
"""


_INFLATE: Final = '  - driver: {queue: inflate, as: m1, readable: "00 2c 00 00"}\n'
_WISH: Final = (
    "  - operator: {target: 1}\n"
    "  - device: {configuration: {num_pages: 1}}\n"
    '  - guest: {inflate: ["0x1234"]}\n'
)


@dataclass(frozen=True, slots=True)
class _Pair:
    """The steps of a case that should pass and of one that must fail; ``title`` names the error."""

    title: str
    requirement: str
    features: str
    sound: str
    doctored: str

    def vectors(self, side: Side) -> tuple[str, str]:
        """Return both vectors as YAML text, the sound one first."""
        return tuple(  # type: ignore[return-value]  # two of them
            _BEGINNING.format(
                name=name, title=self.title, side=side, requirement=self.requirement, features=self.features
            )
            + steps
            for name, steps in (("doctor-sound", self.sound), ("doctor-doctored", self.doctored))
        )


_PAIRS: Mapping[Side, tuple[_Pair, ...]] = MappingProxyType(
    {
        Side.DEVICE: (
            # A page that stays although it was given up makes no pair: a device need not discard its balloon.
            _Pair(
                "A page beside the one given up is expected to be discarded",
                "PFN-05",
                "VERSION_1",
                _INFLATE + '  - device: {used: m1}\n  - effect: {discarded: ["0x2c00"]}\n',
                _INFLATE + '  - device: {used: m1}\n  - effect: {discarded: ["0x2c00", "0x2c40"]}\n',
            ),
            _Pair(
                "The driver is expected to read in actual what nobody wrote there",
                "CFG-06",
                "VERSION_1",
                # No page is given up here, so a device that never discards pages gets no advice either.
                '  - driver: {read: {offset: 4, length: 4}, data: "00 00 00 00"}\n',
                '  - driver: {read: {offset: 4, length: 4}, data: "5a a5 5a a5"}\n',
            ),
        ),
        Side.DRIVER: (
            _Pair(
                "The page the guest gives up is expected to be another",
                "PFN-01",
                "VERSION_1",
                _WISH + '  - driver: {queue: inflate, as: m1, readable: "34 12 00 00"}\n',
                _WISH + '  - driver: {queue: inflate, as: m1, readable: "35 12 00 00"}\n',
            ),
            _Pair(
                "The first statistics are expected to be others",
                "STATS-01",
                "VERSION_1, STATS_VQ",
                "  - driver:\n      queue: statistics\n      as: s1\n      match: any\n"
                "      readable: 04 00  00 00 00 01 00 00 00 00\n",
                "  - driver:\n      queue: statistics\n      as: s1\n"
                "      readable: 04 00  ef be ad de ef be ad de\n",
            ),
        ),
    }
)


@dataclass(frozen=True, slots=True)
class ImpossibleCases:
    """The result of the pairs.

    ``passed`` and ``failed`` hold the titles of impossible cases, ``undecided`` the reasons why the other
    pairs decided nothing.
    """

    passed: tuple[str, ...]
    failed: tuple[str, ...]
    undecided: tuple[str, ...]


def play_impossible_cases(target: Target) -> ImpossibleCases:
    """Play every pair of the target's side, all with one adapter."""
    passed, failed, undecided = [], [], []
    adapter = target.make()
    try:
        for pair in _PAIRS[target.side]:
            sound, doctored = (
                play(load_text(text, "doctor"), adapter, target.side, DEFAULT_PATIENCE)
                for text in pair.vectors(target.side)
            )
            # A case of which a part was left out does not show that the whole case would pass.
            if sound.status is not Status.PASSED or sound.reason:
                undecided.append(_why(sound))
            elif doctored.status is Status.FAILED or len(doctored.advice) > len(sound.advice):
                # A page that was not discarded is only advice. The advice shows that the difference was seen.
                failed.append(pair.title)
            elif doctored.status is Status.PASSED:
                passed.append(pair.title)
            else:
                undecided.append(_why(doctored))
    finally:
        adapter.stop()
    return ImpossibleCases(tuple(passed), tuple(failed), tuple(undecided))


def _why(outcome: Outcome) -> str:
    return f"{outcome.status}: {outcome.reason}"
