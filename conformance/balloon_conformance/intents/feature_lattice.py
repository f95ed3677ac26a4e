"""Every legal set of features offered, with every legal set accepted, and illegal sets.

CHUNK_TRANSFER and HOST_REQ_VQ need STATS_VQ. MUST_TELL_HOST and DEFLATE_ON_OOM combine with everything.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations

from balloon_conformance.families.base.vocabulary import gives_up, inflate_pfns, target
from balloon_conformance.families.chunk_transfer.vocabulary import exchange, inflates, malformed
from balloon_conformance.families.host_requests.vocabulary import posts
from balloon_conformance.families.statistics.vocabulary import reports
from balloon_conformance.generation.intents.model import DriverActual, DriverOk, Features, Intent, Profile
from balloon_conformance.generation.intents.shorthand import VERSION_1, discards, negotiated, resets, returns

__all__ = ["INTENTS"]

_AREA = "negotiation"
_TELL, _STATS, _OOM, _CHUNKS, _REQUESTS = _ALL = (
    "MUST_TELL_HOST",
    "STATS_VQ",
    "DEFLATE_ON_OOM",
    "CHUNK_TRANSFER",
    "HOST_REQ_VQ",
)
_LONG = dict(
    zip(_ALL, ("must-tell-host", "stats", "deflate-on-oom", "chunk-transfer", "host-req"), strict=True)
)
_SHORT = dict(zip(_ALL, ("tell", "stats", "oom", "chunks", "requests"), strict=True))
_FREE = (_TELL, _OOM)
_NEEDY = (_CHUNKS, _REQUESTS)

_Names = tuple[str, ...]


def _subsets(names: _Names) -> Iterator[_Names]:
    for size in range(len(names) + 1):
        yield from combinations(names, size)


def _legal(names: _Names) -> bool:
    return _STATS in names or not set(_NEEDY) & set(names)


def _said(names: _Names) -> str:
    return ", ".join(names) if names else "No bit of the balloon device"


def _sets(offered: _Names, accepted: _Names, *, features_ok: bool = True) -> Features:
    return Features((VERSION_1, *offered), (VERSION_1, *accepted), features_ok)


def _about(names: _Names) -> str:
    """Return the requirements that a negotiation shows of both sides."""
    about = "NEG-05 NEG-07"
    about += " NEG-10" if _TELL in names else ""
    about += " NEG-03" if _CHUNKS in names else ""
    about += " NEG-04" if _REQUESTS in names else ""
    about += " NEG-09" if _REQUESTS in names and _CHUNKS not in names else ""
    about += " STATS-01" if _STATS in names else ""
    return about + (" QUEUE-01 REQ-01 REQ-02" if _REQUESTS in names else "")


def _accepted_whole(names: _Names, profile: Profile) -> Intent:
    """All offered features are accepted; the first buffers come before DRIVER_OK, without a notification."""
    ids = "-and-".join(_LONG[name] for name in names) or "version-1-alone"
    base = profile == "base"
    word = "is" if len(names) < 2 else "are"
    end = "in the base profile" if base else "and the device keeps FEATURES_OK"
    separator = " " if base else ", "
    return exchange(
        _AREA,
        f"{'base-' if base else ''}accept-{ids}",
        f"{_said(names)} {word} offered and accepted{separator}{end}",
        _about(names),
        [reports("s1", notify=False)] if _STATS in names else [],
        [posts("r1", notify=False)] if _REQUESTS in names else [],
        DriverOk(),
        features=negotiated(*names),
        profile=profile,
        opening=False,
    )


def _accepted_in_part(offered: _Names, accepted: _Names) -> Intent:
    """The accepted features count, whatever else the device offered."""
    first, second = ("-".join(_SHORT[name] for name in names) or "nothing" for names in (accepted, offered))
    inflate = inflates if _CHUNKS in accepted else inflate_pfns
    return exchange(
        _AREA,
        f"accept-{first}-of-{second}",
        f"{_said(accepted)} accepted of {_said(offered)}: that is what holds",
        "NEG-07 INF-07" + (" NEG-09" if _REQUESTS in accepted and _CHUNKS not in accepted else ""),
        inflate("m1", "0x1000"),
        returns("m1"),
        discards("0x1000"),
        DriverActual(1),
        features=_sets(offered, accepted),
        sides="device",
    )


def _refused_by_the_device(needy: _Names, beside: _Names) -> Intent:
    """A driver accepts features without the STATS_VQ they need; after a reset the device serves a driver."""
    which = "both" if len(needy) > 1 else _LONG[needy[0]]
    tail = "".join(f"-beside-{'-and-'.join(_LONG[name] for name in beside)}" if beside else "")
    also = f" beside {' and '.join(beside)}" if beside else ""
    verb = "cost" if len(needy) > 1 else "costs"
    everything = _in_order((*beside, _STATS, *_NEEDY))
    return malformed(
        _AREA,
        f"device-refuses-{which}-without-stats{tail}",
        f"{' and '.join(needy)} accepted without STATS_VQ{also} {verb} the driver FEATURES_OK",
        "NEG-06 NEG-07",
        " ".join(rule for name, rule in ((_CHUNKS, "NEG-03"), (_REQUESTS, "NEG-04")) if name in needy),
        resets(_sets(everything, _in_order((*beside, _STATS, _CHUNKS)))),
        inflates("m1", "0x1000"),
        returns("m1"),
        discards("0x1000"),
        features=_sets(everything, _in_order((*beside, *needy)), features_ok=False),
    )


_REFUSALS = {
    (_CHUNKS,): (
        "chunk-transfer",
        "CHUNK_TRANSFER offered without STATS_VQ{} is not accepted and pages go as PFN arrays",
        "NEG-03 PFN-01",
        "NEG-01",
    ),
    (_REQUESTS,): (
        "host-req",
        "HOST_REQ_VQ offered without STATS_VQ{} is not accepted and no request buffer is posted",
        "NEG-04 QUEUE-02",
        "NEG-02",
    ),
    _NEEDY: (
        "both",
        "CHUNK_TRANSFER and HOST_REQ_VQ offered without STATS_VQ{} are both dropped before FEATURES_OK",
        "NEG-03 NEG-04 PFN-01 QUEUE-02",
        "NEG-01 NEG-02",
    ),
}


def _refused_by_the_driver(needy: _Names, beside: _Names) -> Intent:
    """A device offers features without the STATS_VQ they need; the driver works without them."""
    which, title, about, breaks = _REFUSALS[needy]
    tail = f"-beside-{'-and-'.join(_LONG[name] for name in beside)}" if beside else ""
    return malformed(
        _AREA,
        f"refuse-{which}-offered-without-stats{tail}",
        title.format(f" beside {' and '.join(beside)}" if beside else ""),
        about,
        breaks,
        target(1),
        gives_up("0x1000"),
        inflate_pfns("m1", "0x1000"),
        returns("m1"),
        DriverActual(1),
        features=_sets(_in_order((*beside, *needy)), beside),
        sides="driver",
    )


def _in_order(names: _Names) -> _Names:
    return tuple(name for name in _ALL if name in names)


_OFFERS = tuple(names for names in _subsets(_ALL) if _legal(names))

INTENTS: tuple[Intent, ...] = (
    *(_accepted_whole(names, "chunk-transfer") for names in _OFFERS),
    *(_accepted_whole(names, "base") for names in _OFFERS if not set(_NEEDY) & set(names)),
    *(
        _accepted_in_part(offered, accepted)
        for offered in _OFFERS
        for accepted in _subsets(offered)
        if accepted != offered and _legal(accepted)
    ),
    *(_refused_by_the_device(needy, beside) for needy in _REFUSALS for beside in _subsets(_FREE)),
    *(_refused_by_the_driver(needy, beside) for needy in _REFUSALS for beside in _subsets(_FREE)),
)
