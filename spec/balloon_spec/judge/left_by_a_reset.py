"""What is still known of an exchange when the device was reset."""

from __future__ import annotations

from balloon_spec.judge.known import Known
from balloon_spec.pages import EMPTY, PageSet
from balloon_spec.queues import Queue

__all__ = ["left_by_a_reset"]


_MOST_STALE = 1024
"""So many buffers of before a reset are known by their names; who returns an older one returned none."""


def left_by_a_reset(known: Known) -> Known:
    """Return what stays: the profile, the memory, and what judging the next session needs."""
    fresh = Known(known.profile, known.now_seconds, known.steered)
    fresh.resets = known.resets + 1
    fresh.memory, fresh.num_pages = known.memory, known.num_pages
    fresh.sees_driver_ok, fresh.host_page = known.sees_driver_ok, known.host_page
    fresh.able, fresh.left, fresh.losses = known.able, known.left, known.losses
    fresh.tempted = bool(known.on(Queue.INFLATE, Queue.DEFLATE)) or bool(known.owed_to_inflate)
    fresh.taken, fresh.host_tags = known.taken, known.host_tags
    if known.accepted is not None and known.offered is not None and known.queues:
        fresh.taken |= {(known.offered, known.accepted)}
    fresh.actuals_left, fresh.target_left = _actuals_to_leave(known), _target_to_leave(known)
    refreshed = known.resets > 0 and known.refreshes > 1 and known.has("HOST_REQ_VQ")
    fresh.refreshed_before = known.refreshed_before or refreshed
    fresh.dropped_wish = known.wanted_request is not None or known.wants_statistics
    fresh.before_reset = {**known.before_reset, **dict.fromkeys(known.in_flight)}
    for key in list(fresh.before_reset)[:-_MOST_STALE]:
        del fresh.before_reset[key]
    reported = known.forbidden.get("UNUSED-01", EMPTY)
    # Whatever was named, discarded or not, and taken back or not: the guest has it again.
    named = (known.touchable, *(known.forbidden.get(name, EMPTY) for name in ("RESET-06", "DEF-08")))
    fresh.forbidden = {"RESET-06": PageSet.union(named), "UNUSED-01": reported - known.touchable}
    fresh.last_request_id = known.last_request_id
    fresh.has_deflated = known.has_deflated
    fresh.was_upset = known.upset or known.was_upset
    fresh.was_asked = known.request is not None and known.request.is_open
    fresh.formats = known.formats | ({"CHUNK_TRANSFER" in known.features} if known.queues else set())
    return fresh


def _actuals_to_leave(known: Known) -> frozenset[bytes] | None:
    """Return what ``actual`` may be after a reset now: 0, or what it is."""
    shown = known.actual_shown if known.actual is None else known.actual.to_bytes(4, "little")
    return known.actuals_left if shown is None else frozenset({bytes(4), shown})


def _target_to_leave(known: Known) -> int | None:
    if known.target is not None:
        return known.target
    return known.num_pages if known.num_pages_was_seen else known.target_left
