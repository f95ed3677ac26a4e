"""Rules about what the host learns of the guest's statistics, where it can be asked."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from balloon_spec.families.statistics import STATISTICS, statistics
from balloon_spec.families.statistics.events import StatisticsRead
from balloon_spec.families.statistics.ledger import Statistics
from balloon_spec.judge.buffers_in_flight import Buffers
from balloon_spec.judge.decision import Decision, broken, kept
from balloon_spec.judge.exchange import Exchange
from balloon_spec.judge.rule import Scene, rule
from balloon_spec.judge.session import Session
from balloon_spec.wire.layout import swapped

Entries = tuple[tuple[int, int], ...]

_LAST_TAG = max(statistics.Tag)


@rule(StatisticsRead, "STATS-07", "STATS-08", "STATS-12", "STATS-13")
def the_host_has_what_was_sent(event: StatisticsRead, scene: Scene) -> Iterator[Decision]:
    """The host has the values of the buffer that was returned last, or of one in flight, whole."""
    stats = scene[Statistics]
    if not stats.returned:
        # A device that waits for its operator has read nothing yet.
        return
    if not scene[Session].has("VERSION_1") and len(stats.returned) == 1:
        # On the legacy interface a device should ignore the first buffer.
        return
    held = dict(event.entries)
    sent = _sent(scene.exchange)
    right = next((one for one in sent if _first_wrong(one, held, scene.exchange) is None), None)
    if right is None:
        yield _fault(sent, held, scene.exchange)
        return
    compared = [at for at, (tag, _) in enumerate(right) if tag in held and tag <= _LAST_TAG]
    if not compared:
        return
    yield kept(_of_values(scene.exchange))
    tags = [tag for tag, _ in right]
    if any(tag > _LAST_TAG for tag in tags[: compared[-1]]):
        yield kept("STATS-07")
    if _is_out_of_order(right):
        yield kept("STATS-08")


def _of_values(exchange: Exchange) -> str:
    """Name the requirement on values; without VERSION_1 they have the byte order of the guest."""
    return "STATS-12" if exchange[Session].has("VERSION_1") else "STATS-13"


def _read(data: bytes) -> Entries:
    return tuple((entry.tag, entry.value) for entry in statistics.parse(data).entries)


def _is_out_of_order(entries: Entries) -> bool:
    """Tell whether the entries that a device knows come in another order than that of their tags."""
    known = [tag for tag, _ in entries if tag <= _LAST_TAG]
    return known != sorted(known)


def _sent(exchange: Exchange) -> list[Entries]:
    """Return what the host may have, the newest first; what was returned last stands at the end."""
    flying = [one.event.readable for one in exchange[Buffers].on(STATISTICS) if not one.is_malformed]
    return [_read(data) for data in (*reversed(flying), exchange[Statistics].returned[0])]


def _values(entries: Entries) -> dict[int, set[int]]:
    found: dict[int, set[int]] = {}
    for tag, value in entries:
        found.setdefault(tag, set()).add(value)
    return found


def _first_wrong(entries: Entries, held: Mapping[int, int], exchange: Exchange) -> int | None:
    """Return the place of the first entry that the host has otherwise, or does not have any more."""
    values = _values(entries)
    for at, (tag, _) in enumerate(entries):
        missing = tag not in held and tag in exchange[Statistics].host_tags
        if missing or (tag in held and held[tag] not in values[tag]):
            return at
    return None


def _has_parts(entries: Entries, held: Mapping[int, int]) -> bool:
    """Tell whether every value that the host has otherwise is a part of the value that was sent.

    Then each entry was found, whatever stands before it, and it is the values that are read wrong.
    """
    values = _values(entries)
    wrong = {tag: held[tag] for tag in values.keys() & held.keys() if held[tag] not in values[tag]}
    return any(wrong.values()) and all(
        any(seen in _parts(value) for value in values[tag]) for tag, seen in wrong.items()
    )


def _parts(value: int) -> set[int]:
    """Return what a value is if only so many of its first or last bytes are read."""
    data = value.to_bytes(8, "little")
    return {
        int.from_bytes(part, "little") for length in range(1, 8) for part in (data[:length], data[length:])
    }


def _fault(sent: list[Entries], held: Mapping[int, int], exchange: Exchange) -> Decision:
    """Say what is wrong, and by which requirement: that of what is unusual about the buffer."""
    entries = sent[-1]
    stats = exchange[Statistics]
    at = _first_wrong(entries, held, exchange) or 0
    tag, value = entries[at]
    seen = held.get(tag)
    older = _values(_read(stats.returned[-1])).get(tag, set())
    words = "the host has another value than was sent"
    name = _of_values(exchange)
    if seen is not None and seen == swapped(value):
        words = "the host has a value in the wrong byte order"
    elif seen in {other for unknown, other in entries if unknown > _LAST_TAG}:
        name, words = "STATS-07", "the host has the value of an unknown tag"
    elif any(_has_parts(one, held) for one in sent):
        words = "the host has a part of the value that was sent"
    elif any(before > _LAST_TAG for before, _ in entries[:at]):
        name, words = "STATS-07", "the host has not what stands behind an unknown tag"
    elif seen is not None and len(stats.returned) > 1 and seen in older:
        words = "the host has the value of an older buffer"
    elif _is_out_of_order(entries):
        name, words = "STATS-08", "the host has not what stands in another order"
    return broken(
        name,
        words,
        field=f"statistic {tag}",
        expected=value,
        seen="no value" if seen is None else seen,
    )
