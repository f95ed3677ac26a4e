"""Statistics, explained."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from balloon_spec.families.statistics import statistics
from balloon_spec.families.statistics.mistakes import statistics_mistakes
from balloon_spec.wire.hint import Context
from balloon_spec.wire.structure import Numbers, Structure, Words, length

__all__ = ["STATISTICS"]


_MEANINGS: Final[Mapping[int, str]] = MappingProxyType(
    {
        **{int(tag): meaning for tag, meaning in statistics.TAG_MEANINGS.items()},
        **statistics.LINUX_TAG_MEANINGS,
    }
)


def _explain_tag(tag: int) -> str:
    if tag in statistics.LINUX_TAG_NAMES:
        words = f"{statistics.LINUX_TAG_NAMES[tag]}: {statistics.LINUX_TAG_MEANINGS[tag]}"
        return f"{words} (sent by Linux, not in the standard)"
    if tag in statistics.OTHER_TAG_NAMES:
        return f"unknown tag: ignored ({statistics.OTHER_TAG_NAMES[tag]})"
    known = {int(one): one for one in statistics.Tag}.get(tag)
    return "unknown tag: ignored" if known is None else f"{known.name}: {statistics.TAG_MEANINGS[known]}"


def _explain_statistic(name: str, numbers: Numbers, _context: Context) -> Words:
    tag = numbers["tag"]
    meaning = _MEANINGS.get(tag)
    if name == "tag":
        return _explain_tag(tag), None
    value = numbers["value"]
    if meaning is None:
        return "value of a statistic that the standard does not have", None
    return f"{value} {meaning}" + (f" ({length(value)})" if meaning.startswith("bytes") else ""), None


STATISTICS = Structure(
    statistics.NAME,
    "Statistics",
    statistics.SCHEMA,
    statistics.parse,
    statistics.build,
    _explain_statistic,
    mistakes=statistics_mistakes,
    big_endian=statistics.SCHEMAS["big"],
)
