"""JSON as a person's file holds it: read strictly, so that no value is lost without a word.

The standard reader takes the last of two values with one name. Here a name that stands twice in an object is
an error, for nobody can say which of the two was meant.
"""

from __future__ import annotations

import json
from typing import Any

__all__ = ["RepeatedKey", "loads"]

_SHOWN = 40


class RepeatedKey(ValueError):  # noqa: N818 - it says what is wrong, as its words do
    """A name that stands twice in one object; ``key`` is the name, ready to be shown."""

    def __init__(self, key: str) -> None:
        self.key = key[:_SHOWN].encode("ascii", "backslashreplace").decode()
        super().__init__(f"{self.key}: stands twice in one object; leave one of the two")


def loads(text: str) -> Any:
    """Read one JSON value.

    Raises :class:`RepeatedKey`, ValueError for what is no JSON, and RecursionError for what is nested too
    deep.
    """
    if text.startswith("\ufeff"):
        # The standard reader says best what is wrong.
        return json.loads(text)
    return _DECODER.decode(text)


def _once_each(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        raise RepeatedKey(next(name for at, name in enumerate(names) if name in names[:at]))
    return found


_DECODER = json.JSONDecoder(object_pairs_hook=_once_each)
