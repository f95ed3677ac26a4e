"""Rules about what may have no effect on an open host request, whatever it looks like.

That a device takes an exchange for closed shows where nothing but the open request keeps it from the next
one: a request buffer is there, the operator has a wish, and the device was given its time and did not ask.
If it asks after a buffer that does not belong to the exchange, that buffer closed it.
"""

from __future__ import annotations

from collections.abc import Iterator

from balloon_spec.events import Quiet, Side
from balloon_spec.families.host_requests.ledger import Request, Requests
from balloon_spec.families.host_requests.trials import CLOSED
from balloon_spec.judge.decision import Decision, broken, kept
from balloon_spec.judge.rule import Scene, rule
from balloon_spec.judge.session import Session

__all__ = ["closed_by_a_stray"]


def closed_by_a_stray(request: Request, data: bytes) -> Decision:
    """Say that the last stray closed the open request, for the device made the next one."""
    name = request.strays[-1]
    return broken(
        name,
        CLOSED[name],
        field="request",
        expected=f"no request before the DONE of {request.parameter:#x}",
        seen="the next request",
        data=data,
    )


@rule(Quiet, *CLOSED)
def a_stray_closes_nothing(event: Quiet, scene: Scene) -> Iterator[Decision]:
    """A device that could have taken the exchange for closed, and did not ask again, has kept it open."""
    asked = scene[Requests]
    if event.side is not Side.DEVICE or scene[Session].needs_reset or not asked.could_ask:
        return
    request = asked.request
    if request is not None:
        yield from (kept(name) for name in dict.fromkeys(request.strays))
