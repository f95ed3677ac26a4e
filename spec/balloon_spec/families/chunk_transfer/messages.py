"""Rules about messages on the queues of the balloon: that they are messages, and name something."""

from __future__ import annotations

from collections.abc import Iterator

from balloon_spec.events import Available
from balloon_spec.families.base import DEFLATE, INFLATE
from balloon_spec.families.chunk_transfer.message_content import ARRAY_FOR_MESSAGE, MESSAGE, header_of
from balloon_spec.families.chunk_transfer.response_header import LENGTH_BYTES
from balloon_spec.judge.decision import Decision, broken, kept
from balloon_spec.judge.rule import Scene, rule
from balloon_spec.judge.session import Session

_OWN = {INFLATE: ("INF-01", "INF-02"), DEFLATE: ("DEF-01", "DEF-02")}
"""Per queue: the requirement on the form of a buffer, and the one that it names at least one chunk."""


@rule(
    Available, "INF-01", "DEF-01", "INF-02", "DEF-02", kin="arrays_are_sent_where_nothing_else_was_negotiated"
)
def form_is_the_negotiated_one(event: Available, scene: Scene) -> Iterator[Decision]:
    """Messages with CHUNK_TRANSFER; an array is not read then."""
    buffer = scene.buffer
    if buffer is None or buffer.queue not in _OWN:
        return
    form, at_least_one = _OWN[buffer.queue]
    if buffer.shape is ARRAY_FOR_MESSAGE.shape:
        yield broken(
            form,
            f"CHUNK_TRANSFER was accepted and the buffer is {buffer.shape.noun}",
            field="buffer",
            expected=MESSAGE.noun,
            seen=buffer.shape.told(event.readable),
            data=event.readable,
        )
    elif buffer.shape is MESSAGE:
        header = header_of(buffer.content)
        fits = header is not None and header.data_len == len(event.readable) - LENGTH_BYTES
        # Page frame numbers are not told from a broken message as long as nobody said which pages there are.
        if fits or scene[Session].memory is not None:
            yield kept(form)
        if header is not None and header.data_len == 0:
            yield broken(
                at_least_one,
                "the message has no chunk",
                field="data_len",
                expected="at least 16",
                seen="0",
                data=event.readable,
            )
        elif header is not None:
            yield kept(at_least_one)
