"""Messages around the 2048 chunks that fill eight pages of 4 KiB, the largest ones, and many pages."""

from __future__ import annotations

from balloon_conformance.families.base.vocabulary import gives_up, target
from balloon_conformance.families.chunk_transfer.vocabulary import (
    chunk,
    clean,
    deflates,
    exchange,
    inflates,
    malformed,
)
from balloon_conformance.families.host_requests.vocabulary import REQUESTS, asks, cont, done, posts, unused
from balloon_conformance.generation.intents.model import DriverActual, Intent
from balloon_conformance.generation.intents.shorthand import discards, keeps, returns, shows

__all__ = ["INTENTS"]


def _isolated(count: int) -> list[str]:
    """Name every other page from 0x1000 on."""
    return [f"{0x1000 + 2 * number:#x}" for number in range(count)]


def _inflate(count: int) -> Intent:
    return exchange(
        "inflate",
        f"message-of-{count}-chunks",
        f"A message of {count} chunks is read to its last chunk",
        "HDR-07 CHUNK-10 CHUNK-13",
        clean(),
        inflates("m1", chunk("0x1000", times=count - 1), "0x1100"),
        returns("m1"),
        shows("HDR-07", discards("0x1000", "0x1100")),
        DriverActual(3),
        sides="device",
    )


def _deflate(count: int) -> Intent:
    return exchange(
        "deflate",
        f"deflate-message-of-{count}-chunks",
        f"A deflate message of {count} chunks is returned, and its last chunk may be inflated again",
        "HDR-07 CHUNK-10 DEF-07",
        inflates("m1", "0x1000", "0x1100"),
        returns("m1"),
        discards("0x1000", "0x1100"),
        deflates("d1", chunk("0x1000", times=count - 1), "0x1100"),
        shows("HDR-07", returns("d1")),
        keeps("0x1000", "0x1100"),
        inflates("m2", "0x1100"),
        returns("m2"),
        discards("0x1100"),
        DriverActual(1),
        sides="device",
    )


def _answer(count: int) -> Intent:
    return malformed(
        "unused-pages",
        f"unused-message-of-{count}-chunks",
        f"An answer of {count} chunks, nearly all of one page, is accepted and closed by its DONE",
        "UNUSED-03 HDR-07 REQ-20 UNUSED-01",
        "UNUSED-04",
        asks("r1", 0x1234),
        cont("u1", 0x1234, chunk("0x1000", times=count - 1), "0x1100"),
        shows("HDR-07", returns("u1")),
        done("u2", 0x1234),
        returns("u2"),
        posts("r2"),
        keeps("0x1000", "0x1100"),
        asks("r2", 0x21),
        done("u3", 0x21),
        returns("u3"),
        posts("r3"),
        features=REQUESTS,
    )


INTENTS: tuple[Intent, ...] = (
    *(_inflate(count) for count in (2047, 2049, 4096)),
    *(_deflate(count) for count in (2048, 2049, 4096, 32768)),
    *(_answer(count) for count in (2047, 2048, 2049, 4096)),
    exchange(
        "inflate",
        "inflate-2049-isolated-pages",
        "Of 2049 pages that touch no other none is lost, however they are shared out to messages",
        "CHUNK-12 CFG-10 HDR-08 INF-05 CFG-05 CHUNK-13 HDR-07",
        target(2049),
        gives_up(*_isolated(2049)),
        inflates("m1", *_isolated(2049), match="equivalent"),
        returns("m1"),
        discards(*_isolated(2049)),
        DriverActual(2049),
    ),
    exchange(
        "unused-pages",
        "unused-2049-isolated-pages",
        "An answer of 2049 pages that touch no other comes to its DONE, with each page once",
        "REQ-11 UNUSED-04 UNUSED-05 UNUSED-01",
        unused(*_isolated(2049)),
        asks("r1", 0x1234),
        done("u1", 0x1234, *_isolated(2049), match="equivalent"),
        returns("u1"),
        posts("r2"),
        keeps("0x1000", "0x2000"),
        features=REQUESTS,
    ),
)
