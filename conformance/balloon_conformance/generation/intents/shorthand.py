"""Functions in which intents are written; each makes a step or a few, and a script reads like a sentence.

Pages are runs in text, as in ``"0x1000+16"``: the first page frame number, and after ``+`` how many.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import TypeAlias

from balloon_conformance.generation.intents.model import (
    Chunk,
    Configuration,
    DeviceConfiguration,
    DeviceReaction,
    DeviceReturn,
    DriverBuffer,
    DriverRead,
    Effect,
    Features,
    GuestDeflate,
    GuestInflate,
    GuestUnused,
    Intent,
    Kind,
    Match,
    Message,
    OperatorTarget,
    OperatorUnusedPages,
    PfnArray,
    Profile,
    Queue,
    Reaction,
    Request,
    Reset,
    Run,
    Runs,
    Side,
    Statistics,
    Step,
)

__all__ = [
    "CHUNKS",
    "CONT",
    "DONE",
    "REQUESTS",
    "SAFE",
    "STATS",
    "VERSION_1",
    "Script",
    "any_reaction",
    "asks",
    "chunk",
    "chunks",
    "cont",
    "deflate_pfns",
    "deflates",
    "discards",
    "done",
    "exchange",
    "gives_up",
    "if_returned",
    "inflate_pfns",
    "inflates",
    "keeps",
    "malformed",
    "negotiated",
    "pfns",
    "posts",
    "reacts",
    "reads",
    "reports",
    "resets",
    "returns",
    "runs",
    "shows",
    "target",
    "unused",
    "wants_back",
    "words",
]

Script: TypeAlias = "Step | Iterable[Script]"
"""A step, or any nesting of steps: words that make several stand where one does."""

VERSION_1 = "VERSION_1"
CONT, DONE = 0, 1
SAFE = "SAFE-01 SAFE-02 SAFE-12 SAFE-03 SAFE-04 SAFE-05"
"""What every malformed buffer shows of a device: nothing else is touched, and it goes on."""
_ANY: tuple[Reaction, ...] = ("returned", "needs-reset", "silent")
_OPENING_STATISTICS = Statistics(((4, 1 << 24),))


# -- pages and what names them ------------------------------------------------------------------------------


def runs(*texts: str) -> Runs:
    """Read runs of pages, as in ``"0x1000+16"``."""
    pairs = (text.partition("+") for text in texts)
    return tuple(Run(int(first, 0), int(count or "1", 0)) for first, _, count in pairs)


def chunk(run: str, *, base_reserved: int = 0, size_reserved: int = 0, times: int = 1) -> Chunk:
    """Name one run by a chunk; a run of no pages (``"0x1000+0"``) is malformed."""
    ((first, pages),) = runs(run)
    return Chunk(first, pages, base_reserved, size_reserved, times)


def words(base: int, size: int) -> Chunk:
    """Make a chunk of two words of 64 bits, as they stand on the wire."""
    return Chunk(base >> 12, size >> 12, base & 0xFFF, size & 0xFFF)


def chunks(*named: str | Chunk) -> tuple[Chunk, ...]:
    """Make chunks of runs in text; what is a chunk already stays one."""
    return tuple(chunk(one) if isinstance(one, str) else one for one in named)


def pfns(*texts: str) -> tuple[int, ...]:
    """List every page of the runs, in the order they are written."""
    return tuple(page for first, count in runs(*texts) for page in range(first, first + count))


# -- the driver ---------------------------------------------------------------------------------------------


def inflates(
    name: str,
    *named: str | Chunk,
    cmd: int = 0,
    flag: int = 0,
    id: int = 0,  # noqa: A002 - the field's own name
    data_len: int | None = None,
    tail: bytes = b"",
    match: Match = "exact",
    cut: tuple[int, ...] = (),
    notify: bool = True,
    writable_bytes: int = 0,
    queue: Queue = "inflate",
) -> DriverBuffer:
    """Make an inflate message available that names these runs."""
    message = Message(chunks(*named), cmd, flag, id, data_len, tail)
    return DriverBuffer(queue, name, message, writable_bytes, match, cut, notify)


def deflates(
    name: str,
    *named: str | Chunk,
    cmd: int = 0,
    flag: int = 0,
    id: int = 0,  # noqa: A002 - the field's own name
    data_len: int | None = None,
    match: Match = "exact",
    notify: bool = True,
) -> DriverBuffer:
    """Make a deflate message available that names these runs."""
    message = Message(chunks(*named), cmd, flag, id, data_len)
    return DriverBuffer("deflate", name, message, match=match, notify=notify)


def inflate_pfns(
    name: str,
    *texts: str,
    tail: bytes = b"",
    match: Match = "exact",
    cut: tuple[int, ...] = (),
    notify: bool = True,
    writable_bytes: int = 0,
) -> DriverBuffer:
    """Make an inflate array available that has an entry for each page of these runs."""
    return DriverBuffer("inflate", name, PfnArray(pfns(*texts), tail), writable_bytes, match, cut, notify)


def deflate_pfns(name: str, *texts: str, match: Match = "exact", notify: bool = True) -> DriverBuffer:
    """Make a deflate array available that has an entry for each page of these runs."""
    return DriverBuffer("deflate", name, PfnArray(pfns(*texts)), match=match, notify=notify)


def reports(
    name: str,
    *entries: tuple[int, int],
    tail: bytes = b"",
    match: Match = "exact",
    cut: tuple[int, ...] = (),
    writable_bytes: int = 0,
    notify: bool = True,
) -> DriverBuffer:
    """Make a statistics buffer available; without entries it is as at the start, and any will do."""
    content = Statistics(entries, tail)
    if not entries and not tail:
        content, match = _OPENING_STATISTICS, "any"
    return DriverBuffer("statistics", name, content, writable_bytes, match, cut, notify)


def posts(name: str, *, notify: bool = True, writable_bytes: int = 16) -> DriverBuffer:
    """Make a request buffer available."""
    return DriverBuffer("host-request", name, None, writable_bytes, notify=notify)


def cont(name: str, id: int, *named: str | Chunk, match: Match = "exact", flag: int = CONT) -> DriverBuffer:  # noqa: A002 - the field's own name
    """Answer the request with this id by a message that is not the last."""
    return DriverBuffer("host-request", name, Message(chunks(*named), 0, flag, id & 0xFFFF), match=match)


def done(name: str, id: int, *named: str | Chunk, match: Match = "exact") -> DriverBuffer:  # noqa: A002 - the field's own name
    """Answer the request with this id by the last message."""
    return cont(name, id, *named, match=match, flag=DONE)


def reads(offset_bytes: int, length_bytes: int, *, num_pages: int = 0, actual: int = 0) -> DriverRead:
    """Read the configuration space, which holds these two."""
    return DriverRead(offset_bytes, length_bytes, Configuration(num_pages, actual))


# -- the guest and the operator -----------------------------------------------------------------------------


def gives_up(*texts: str) -> GuestInflate:
    """Let the guest give pages up."""
    return GuestInflate(runs(*texts))


def wants_back(*texts: str) -> GuestDeflate:
    """Let the guest want pages back."""
    return GuestDeflate(runs(*texts))


def unused(*texts: str) -> GuestUnused:
    """Say which pages the guest does not use."""
    return GuestUnused(runs(*texts))


def target(pages: int) -> tuple[Step, ...]:
    """Let the operator want this many pages in the balloon, and the device say so."""
    return (OperatorTarget(pages), DeviceConfiguration(pages))


# -- the device ---------------------------------------------------------------------------------------------


def returns(*names: str) -> tuple[Step, ...]:
    """Return buffers into which nothing was written, in this order."""
    return tuple(DeviceReturn(name) for name in names)


def asks(
    name: str,
    id: int,  # noqa: A002 - the field's own name
    *,
    cmd: int = 0,
    reserved: tuple[int, int, int] = (0, 0, 0),
    operator: bool = True,
) -> tuple[Step, ...]:
    """Let the operator want the unused pages, and the device ask for them with the buffer ``name``."""
    wish = (OperatorUnusedPages(id),) if operator else ()
    return (*wish, DeviceReturn(name, Request(cmd, reserved, id)))


def reacts(name: str, *allowed: Reaction) -> DeviceReaction:
    """Let the device react to a malformed buffer in one of these ways."""
    return DeviceReaction(name, allowed)


def any_reaction(name: str) -> DeviceReaction:
    """Let the device react to a malformed buffer in whichever way it likes."""
    return DeviceReaction(name, _ANY)


def discards(*texts: str, kept: Iterable[str] = ()) -> Effect:
    """Say which pages are gone now, and which are as they were."""
    return Effect(runs(*texts), runs(*kept))


def keeps(*texts: str) -> Effect:
    """Say which pages are as they were."""
    return Effect((), runs(*texts))


def resets(features: Features | None = None) -> Reset:
    """Reset the device and negotiate: these features, or those of before."""
    return Reset(features)


# -- about steps --------------------------------------------------------------------------------------------


def shows(requirements: str, *script: Script) -> tuple[Step, ...]:
    """Say of steps which requirements are broken where they do not come true."""
    return tuple(replace(step, shows=tuple(requirements.split())) for step in _flat(script))


def if_returned(*script: Script) -> tuple[Step, ...]:
    """Say of steps that they happen only where the buffer of the last reaction came back."""
    return tuple(replace(step, if_returned=True) for step in _flat(script))


def _flat(script: Script) -> Iterator[Step]:
    if isinstance(script, Iterable):
        for part in script:
            yield from _flat(part)
    else:
        yield script


# -- features -----------------------------------------------------------------------------------------------


def negotiated(*names: str) -> Features:
    """Offer VERSION_1 and these, and accept all of them."""
    return Features((VERSION_1, *names), (VERSION_1, *names))


STATS = negotiated("STATS_VQ")
CHUNKS = negotiated("STATS_VQ", "CHUNK_TRANSFER")
REQUESTS = negotiated("STATS_VQ", "CHUNK_TRANSFER", "HOST_REQ_VQ")


# -- whole intents ------------------------------------------------------------------------------------------


def exchange(
    area: str,
    id: str,  # noqa: A002 - the vector's id
    title: str,
    about: str,
    *script: Script,
    features: Features = CHUNKS,
    sides: str = "driver device",
    profile: Profile = "chunk-transfer",
    opening: bool = True,
    kind: Kind = "exchange",
    breaks: str = "",
    memory_pages: int = 0x4000,
    memory_holes: str = "",
) -> Intent:
    """Make an intent of a script in which both sides keep the protocol.

    ``about``, ``sides``, ``breaks`` and ``memory_holes`` have blanks between. The buffers a driver owes at
    DRIVER_OK come by themselves, at the start unless ``opening`` is False, and after every reset that neither
    another reset nor a statistics buffer of the script follows.
    """
    steps = list(_flat(script))
    if opening:
        steps[:0] = _owed(features, steps, 0)
    at = 0
    current = features
    while at < len(steps):
        step = steps[at]
        at += 1
        if isinstance(step, Reset):
            current = step.features or current
            if at == len(steps) or not _begins_a_session(steps[at]):
                steps[at:at] = _owed(current, steps[:at], 1)
    return Intent(
        id=id,
        title=title,
        area=area,
        about=tuple(about.split()),
        features=features,
        script=tuple(steps),
        profile=profile,
        kind=kind,
        sides=tuple(side for side in _SIDES if side in sides.split()),
        breaks=tuple(breaks.split()),
        memory_pages=memory_pages,
        memory_holes=tuple(memory_holes.split()),
    )


_SIDES: tuple[Side, ...] = ("driver", "device")


def malformed(
    area: str,
    id: str,  # noqa: A002 - the vector's id
    title: str,
    about: str,
    breaks: str,
    *script: Script,
    features: Features = CHUNKS,
    sides: str = "device",
    profile: Profile = "chunk-transfer",
    opening: bool = True,
    memory_holes: str = "",
) -> Intent:
    """Make an intent in which the side that is not judged breaks exactly what ``breaks`` names."""
    return exchange(
        area,
        id,
        title,
        about,
        *script,
        features=features,
        sides=sides,
        profile=profile,
        opening=opening,
        kind="malformed",
        breaks=breaks,
        memory_holes=memory_holes,
    )


def _begins_a_session(step: Step) -> bool:
    """Tell whether the script itself says what follows a reset."""
    return isinstance(step, Reset) or (isinstance(step, DriverBuffer) and step.queue == "statistics")


def _owed(features: Features, before: list[Step], resets_before: int) -> list[Step]:
    """Return the buffers a driver owes at DRIVER_OK, under names not used before."""
    if not features.features_ok:
        return []
    buffers = [step.name for step in before if isinstance(step, DriverBuffer)] if resets_before else []
    owed: list[Step] = []
    if "STATS_VQ" in features.accepted:
        owed.append(reports(_fresh("s", buffers)))
    if "HOST_REQ_VQ" in features.accepted:
        owed.append(posts(_fresh("r", buffers)))
    return owed


def _fresh(letter: str, names: list[str]) -> str:
    numbers = [int(name[1:]) for name in names if name[0] == letter and name[1:].isdigit()]
    return f"{letter}{max(numbers, default=0) + 1}"
