"""The one error of the wire package: bytes or values that are not the structure they were said to be."""

from __future__ import annotations

__all__ = ["WireError"]


class WireError(ValueError):
    """Bytes or values that break the layout of a structure, in one line that names the place.

    ``offset`` is in bytes from the start of the structure, and None where no place in the bytes is meant.
    """

    structure: str
    field: str
    offset: int | None
    expected: str
    seen: str

    def __init__(self, structure: str, field: str, offset: int | None, expected: str, seen: str) -> None:
        # All five go to ValueError so that the error survives pickling between test processes.
        super().__init__(structure, field, offset, expected, seen)
        self.structure = structure
        self.field = field
        self.offset = offset
        self.expected = expected
        self.seen = seen

    def __str__(self) -> str:
        place = "" if self.offset is None else f" at byte {self.offset}"
        return f"{self.structure}: {self.field}{place}: expected {self.expected}, seen {self.seen}"
