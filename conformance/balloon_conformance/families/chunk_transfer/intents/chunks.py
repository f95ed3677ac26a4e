"""Chunks: what base and size name, whatever the reserved bits hold."""

from __future__ import annotations

from balloon_conformance.families.chunk_transfer.vocabulary import chunk, clean, exchange, inflates, malformed
from balloon_conformance.generation.intents.model import DriverActual, Intent
from balloon_conformance.generation.intents.shorthand import discards, returns, shows

__all__ = ["INTENTS"]

AREA = "chunks"

INTENTS: tuple[Intent, ...] = (
    exchange(
        AREA,
        "adjacent-chunks",
        "Adjacent chunks that were not merged name both runs",
        "CHUNK-13",
        clean(),
        inflates("m1", "0x1000+4", "0x1004+4"),
        returns("m1"),
        discards("0x1000+8"),
        DriverActual(9),
        sides="device",
    ),
    exchange(
        AREA,
        "alternate-pages",
        "Chunks of every other page leave the pages between them alone",
        "CHUNK-13 INF-08",
        inflates("m1", "0x1000", "0x1002", "0x1004", "0x1006"),
        returns("m1"),
        shows(
            "INF-08",
            discards("0x1000", "0x1002", "0x1004", "0x1006", kept=["0x1001", "0x1003", "0x1005", "0x1007"]),
        ),
        DriverActual(4),
        sides="device",
    ),
    exchange(
        AREA,
        "chunk-of-1024-pages",
        "One chunk names 1024 pages",
        "CHUNK-13 INF-07",
        inflates("m1", "0x1000+1024"),
        returns("m1"),
        discards("0x1000+1024"),
        DriverActual(1024),
        sides="device",
    ),
    exchange(
        AREA,
        "chunk-within-a-chunk",
        "A chunk that lies within another adds nothing",
        "CHUNK-10",
        clean(),
        inflates("m1", "0x1000+8", "0x1002+2"),
        returns("m1"),
        discards("0x1000+8"),
        DriverActual(9),
        sides="device",
    ),
    exchange(
        AREA,
        "chunks-highest-first",
        "Chunks come in descending order",
        "CHUNK-13",
        clean(),
        inflates("m1", "0x2000", "0x1100+2", "0x1000+3"),
        returns("m1"),
        discards("0x1000+3", "0x1100+2", "0x2000"),
        DriverActual(7),
        sides="device",
    ),
    exchange(
        AREA,
        "chunks-in-no-order",
        "Chunks come in no order at all",
        "CHUNK-13",
        clean(),
        inflates("m1", "0x1100+2", "0x2000", "0x1000+3"),
        returns("m1"),
        discards("0x1000+3", "0x1100+2", "0x2000"),
        DriverActual(7),
        sides="device",
    ),
    exchange(
        AREA,
        "duplicate-chunks",
        "A chunk that stands twice names its pages once",
        "CHUNK-10",
        clean(),
        inflates("m1", "0x1000+2", "0x1000+2"),
        returns("m1"),
        discards("0x1000+2"),
        DriverActual(3),
        sides="device",
    ),
    exchange(
        AREA,
        "overlapping-chunks",
        "Chunks that overlap name each page once",
        "CHUNK-10",
        clean(),
        inflates("m1", "0x1000+4", "0x1002+4"),
        returns("m1"),
        discards("0x1000+6"),
        DriverActual(7),
        sides="device",
    ),
    malformed(
        AREA,
        "reserved-bits-beside-a-clean-chunk",
        "Reserved bits in one chunk do not touch the chunk beside it",
        "CHUNK-06",
        "CHUNK-03",
        inflates("m1", "0x1000+2"),
        returns("m1"),
        discards("0x1000+2"),
        inflates("m2", chunk("0x1100", base_reserved=0x1), "0x1200+2"),
        shows("CHUNK-06", returns("m2"), discards("0x1100", "0x1200+2")),
    ),
)
