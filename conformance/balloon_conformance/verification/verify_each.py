"""Verifies many vectors at once, on every processor: each by itself, and the manifest over all of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path

from balloon_conformance.generation.all_intents import intents
from balloon_conformance.generation.fill import FillError, fill
from balloon_conformance.generation.generate import source_of
from balloon_conformance.generation.intents.model import Intent
from balloon_conformance.processes import pool, processors
from balloon_conformance.vectors import manifest, schema
from balloon_conformance.vectors.write import write_vector
from balloon_conformance.verification.verify import Check, Fault, Filled, Verified, verify

__all__ = ["missing", "out_of_step", "verify_each"]

_AT_ONCE = 8
"""Vectors a task holds: enough to outweigh its handing over, few enough to keep the processors even."""


def verify_each(
    paths: Sequence[Path], *, published: bool, processes: int | None = None
) -> Iterator[Verified]:
    """Yield what became of every file, in the order of ``paths``.

    ``published`` as for :func:`~balloon_conformance.verification.verify.verify`; ``processes`` is by default
    the number of processors.
    """
    workers = min(processes or processors(), len(paths))
    if workers < 2:
        yield from (_verify(path, published) for path in paths)
        return
    with pool(workers) as executor:
        yield from executor.map(_verify, paths, [published] * len(paths), chunksize=_AT_ONCE)


def missing(paths: Sequence[Path]) -> Iterator[Fault]:
    """Yield the intents that none of the published ``paths`` is the vector of."""
    there = {path.stem for path in paths}
    for name, intent in _intents().items():
        if name not in there:
            path = schema.directory() / intent.area / f"{name}.yaml"
            words = "the file is missing, and there is an intent for it; run vectors generate"
            yield Fault(path, 1, Check.GENERATED, words)


def out_of_step(directory: Path) -> Iterator[Fault]:
    """Yield where the files of ``directory`` are not those of its manifest."""
    for path, line, words in manifest.differences(directory):
        yield Fault(path, line, Check.MANIFEST, words)


def _verify(path: Path, published: bool) -> Verified:
    return verify(path, _filled, published=published)


@cache
def _intents() -> dict[str, Intent]:
    return {intent.id: intent for intent in intents()}


def _filled(name: str) -> Filled | None:
    intent = _intents().get(name)
    if intent is None:
        return None
    try:
        return Filled(intent, write_vector(fill(intent), source_of(intent)))
    except FillError as error:
        # What cannot be filled is in no file, so that the difference names it.
        return Filled(intent, f"# {error}\n")
