"""What the base family knows about inflate and deflate buffers beyond their bytes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from balloon_spec.families.base import DEFLATE, INFLATE
from balloon_spec.families.base.balloon import Balloon
from balloon_spec.families.base.guest_wishes import GuestWishes
from balloon_spec.families.base.trials import tests
from balloon_spec.judge.exchange import Exchange
from balloon_spec.judge.interpretation import Interpreter
from balloon_spec.pages import PageSet
from balloon_spec.queues import Queue

__all__ = ["INTERPRETER"]


def _meant(exchange: Exchange, queue: Queue) -> Sequence[PageSet]:
    """Return the pages that the guest is known to want named, and those that may be named again."""
    balloon, wanted = exchange[Balloon], exchange[GuestWishes].on(queue)
    if wanted is None:
        return (balloon.held,) if queue is DEFLATE else ()
    return wanted, balloon.named


INTERPRETER: Final = Interpreter((INFLATE, DEFLATE), tests, _meant)
