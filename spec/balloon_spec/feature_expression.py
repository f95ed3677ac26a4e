"""Feature expressions: for which negotiated feature sets something holds.

``always``, or feature names joined by ``and``, ``or`` and ``not``, with parentheses, as in
``VERSION_1 and not CHUNK_TRANSFER``.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from balloon_spec.families import registry

__all__ = ["FeatureExpression", "known_features"]


def known_features() -> tuple[str, ...]:
    """Return every feature name of every profile."""
    return tuple(
        dict.fromkeys(
            feature.name
            for profile in registry.profiles().values()
            for feature in sorted(profile.features, key=lambda feature: feature.bit)
        )
    )


LENGTH_LIMIT = 200
"""The longest expression, in characters: bounds how deep the parser and ``holds`` go."""

_WORD = re.compile(r"[()]|[^\s()]+")

# ("name", NAME), ("not", test), ("and", test, ...), ("or", test, ...); () always holds.
_Test = tuple["str | _Test", ...]


@dataclass(frozen=True, slots=True)
class FeatureExpression:
    """A condition over the names of negotiated features; equal and hashed by its text.

    Raises :class:`ValueError` for text that is not one, or that names a feature no profile has; the sentence
    says what is wrong and the remedy.
    """

    text: str
    names: frozenset[str] = field(init=False, repr=False, compare=False)
    _test: _Test = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        test = () if self.text == "always" else _parse(self.text)
        object.__setattr__(self, "_test", test)
        object.__setattr__(self, "names", frozenset(_names(test)))

    def holds(self, names: frozenset[str]) -> bool:
        """Tell whether the condition holds for exactly these negotiated features."""
        return _holds(self._test, names)

    def __str__(self) -> str:
        return self.text


def _parse(text: str) -> _Test:
    refusal = f"{text!r} is not a feature expression; join feature names with and, or, not, or write always"
    if len(text) > LENGTH_LIMIT:
        raise ValueError(f"the expression has {len(text)} characters; keep it below {LENGTH_LIMIT}")
    # Python's parser sees names, parentheses and nothing else: it has literals it only warns of.
    if not all(word in "()" or (word.isidentifier() and word.isascii()) for word in _WORD.findall(text)):
        raise ValueError(refusal)
    try:
        tree = ast.parse(text.strip(), mode="eval")
    except (SyntaxError, MemoryError):
        raise ValueError(refusal) from None
    return _test(tree.body, refusal)


def _test(node: ast.expr, refusal: str) -> _Test:
    match node:
        case ast.Name(id="always"):
            raise ValueError("always stands alone; remove the rest, or name the feature")
        case ast.Name(id=name):
            known = known_features()
            if name not in known:
                raise ValueError(f"there is no feature {name}; use {', '.join(known)}")
            return ("name", name)
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            return ("not", _test(operand, refusal))
        case ast.BoolOp(op=operator, values=values):
            word = "and" if isinstance(operator, ast.And) else "or"
            return (word, *(_test(value, refusal) for value in values))
    raise ValueError(refusal)


def _holds(test: _Test, names: frozenset[str]) -> bool:
    match test:
        case ("name", str(name)):
            return name in names
        case ("not", tuple(operand)):
            return not _holds(operand, names)
        case ("and", *operands):
            return all(_holds(operand, names) for operand in operands if isinstance(operand, tuple))
        case ("or", *operands):
            return any(_holds(operand, names) for operand in operands if isinstance(operand, tuple))
    return True


def _names(test: _Test) -> Iterator[str]:
    match test:
        case ("name", str(name)):
            yield name
        case (_, *operands):
            for operand in operands:
                if isinstance(operand, tuple):
                    yield from _names(operand)
