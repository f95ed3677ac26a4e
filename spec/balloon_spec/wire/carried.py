"""Which structure a buffer carries: by its queue, its direction and the negotiated features."""

from __future__ import annotations

from collections.abc import Collection

from balloon_spec.families import registry
from balloon_spec.queues import Queue

__all__ = ["candidates", "readable_structure", "written_structure"]


def readable_structure(queue: Queue, features: Collection[str]) -> str | None:
    """Return the name of the structure in the device-readable part of a buffer.

    ``features`` are the names of those accepted: with one, a queue may carry another structure than without.
    None for a queue whose buffers have no such part.
    """
    for family in registry.families():
        for other in family.carries:
            if other.queue is queue and other.feature in features:
                return other.structure
    return queue.readable


def written_structure(queue: Queue) -> str | None:
    """Return the name of the structure a device writes into a buffer; None where it writes nothing."""
    return queue.written


def candidates(queue: Queue | None) -> tuple[str, ...]:
    """Return the structures that a buffer on ``queue`` may be, the most telling first.

    Of a buffer whose queue is not known it may be any that can stand alone.
    """
    if queue is None:
        met = [name for one in reversed(registry.queues()) for name in candidates(one)]
        structures = (one for family in reversed(registry.families()) for one in family.structures)
        alone = [one.name for one in structures if not one.is_part]
        return tuple(dict.fromkeys([*met, *alone]))
    others = [one.structure for family in registry.families() for one in family.carries if one.queue is queue]
    return tuple(name for name in (*others, queue.readable, queue.written) if name is not None)
