"""Lists of words to which families add: what an operator can want, what a guest can want.

A word is a string, so traces and messages hold it as it is. There is one object for each, compared by
identity or by its text.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, ClassVar, Self

__all__ = ["Word"]


class _WordList(type):
    """The class of a list of words: going through it yields each word, in the order of their declaration."""

    _words: dict[str, Any]

    def __iter__(cls) -> Iterator[Any]:
        return iter(tuple(cls._words.values()))


class Word(str, metaclass=_WordList):
    """A word of a list; each subclass is a list of its own.

    Calling the class returns the word of that text; :class:`ValueError` if there is none.
    """

    __slots__ = ()
    _words: ClassVar[dict[str, Any]] = {}

    def __init_subclass__(cls) -> None:
        cls._words = {}

    def __new__(cls, text: object) -> Self:
        """Return the word of a text."""
        word: Self | None = cls._words.get(text) if isinstance(text, str) else None
        if word is None:
            raise ValueError(f"there is no {text!r}; there are {', '.join(cls._words)}")
        return word

    @classmethod
    def declare(cls, text: str) -> Self:
        """Enter a word into the list; :class:`ValueError` if it is there already."""
        if text in cls._words:
            raise ValueError(f"there is a word {text} already; give this one another text")
        word = cls._words[text] = str.__new__(cls, text)
        return word

    @classmethod
    @contextmanager
    def added(cls, text: str) -> Iterator[Self]:
        """Have a further word in the list until the end of the block."""
        word = cls.declare(text)
        try:
            yield word
        finally:
            del cls._words[text]

    @property
    def value(self) -> str:
        """The text, as a plain string."""
        return str.__str__(self)
