"""Statistics, explained."""

from __future__ import annotations

from balloon_spec.families.statistics import statistics
from balloon_spec.families.statistics.mistakes import statistics_mistakes
from balloon_spec.wire.hint import Context
from balloon_spec.wire.structure import Numbers, Structure, Words, length

__all__ = ["STATISTICS"]


def _explain_statistic(name: str, numbers: Numbers, _context: Context) -> Words:
    tag = numbers["tag"]
    try:
        known: statistics.Tag | None = statistics.Tag(tag)
    except ValueError:
        known = None
    if name == "tag":
        if known is not None:
            return f"{known.name}: {statistics.TAG_MEANINGS[known]}", None
        linux = statistics.LINUX_TAG_NAMES.get(tag)
        return f"{linux}: sent by Linux, not in the standard" if linux else "unknown tag: ignored", None
    value = numbers["value"]
    if known is None:
        return "value of a statistic that the standard does not have", None
    meaning = statistics.TAG_MEANINGS[known]
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
