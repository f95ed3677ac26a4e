"""Turns sentences of the data into nodes: text in backticks is literal, and every id is a link."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import cache

from docutils import nodes

from balloon_docs.domain import reference
from balloon_spec.requirement import catalogue

__all__ = ["field", "paragraph", "requirement_pattern", "sentence"]


@cache
def requirement_pattern() -> re.Pattern[str]:
    """Return a pattern that matches exactly the ids of requirements that exist."""
    prefixes = "|".join(sorted({name.rpartition("-")[0] for name in catalogue()}))
    return re.compile(rf"\b(?:{prefixes})-\d\d\b")


def sentence(text: str) -> Iterator[nodes.Node]:
    """Yield the nodes of one or more sentences."""
    for index, part in enumerate(text.split("`")):
        if index % 2:
            yield nodes.literal("", part)
        else:
            yield from _plain(part)


def paragraph(text: str, *classes: str) -> nodes.paragraph:
    """Return sentences as a paragraph."""
    return nodes.paragraph("", "", *sentence(text), classes=list(classes))


def field(label: str, content: str | Iterable[nodes.Node]) -> nodes.field:
    """Return a field of a field list, with sentences or nodes as its content."""
    inner = sentence(content) if isinstance(content, str) else content
    return nodes.field("", nodes.field_name("", label), nodes.field_body("", nodes.paragraph("", "", *inner)))


def _plain(text: str) -> Iterator[nodes.Node]:
    at = 0
    for found in requirement_pattern().finditer(text):
        if found.group() not in catalogue():
            continue
        if found.start() > at:
            yield nodes.Text(text[at : found.start()])
        yield reference("requirement", found.group())
        at = found.end()
    if at < len(text):
        yield nodes.Text(text[at:])
