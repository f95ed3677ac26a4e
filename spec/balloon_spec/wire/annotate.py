"""Explain any buffer field by field, well-formed or not.

The places come from the schemas. What :func:`annotate` adds is the meaning of each number in words, and what
is wrong with it, as the family of the structure declares them. It is total: bytes that are missing or too
many become fields with a problem.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

from balloon_spec.families import registry
from balloon_spec.wire.hint import NOTHING_KNOWN, Context
from balloon_spec.wire.layout import Buffer, ByteOrder, Layout, Record, Word
from balloon_spec.wire.structure import Explainer, Field, Numbers, Words, counted

__all__ = ["annotate"]


def annotate(
    structure_name: str, data: Buffer, byteorder: ByteOrder = "little", context: Context = NOTHING_KNOWN
) -> tuple[Field, ...]:
    """Explain ``data`` as the structure called ``structure_name``, which some family declares.

    ``byteorder`` is that of PFN arrays and statistics on the legacy interface; other structures have only
    one. ``context`` is what is known beside the bytes: three fields of a response header mean something on
    the host request queue alone (HDR-04), a page may lie outside guest memory, and an id may be another.

    Raises :class:`KeyError` for a structure that does not exist, and nothing for any ``data``.
    """
    structure = registry.structures()[structure_name]
    raw = bytes(data)
    layout, explain = structure.layout(byteorder), structure.explain
    if structure.grows:
        layout, explain = _grown(layout, explain, len(raw))
    fields: list[Field] = []
    for record in layout.records(len(raw)):
        element = structure.explain_element if record.name else None
        fields += _explain_record(record, raw, element or explain, context)
    if not layout.element and len(raw) > layout.fixed_bytes:
        rest = raw[layout.fixed_bytes :]
        problem = f"the structure ends after {layout.fixed_bytes} bytes"
        meaning = f"{counted(len(rest), 'byte')} outside every field"
        fields.append(Field(layout.fixed_bytes, rest, "trailing bytes", None, meaning, problem))
    return tuple(structure.check(fields, raw, context))


def _grown(layout: Layout, explain: Explainer, length_bytes: int) -> tuple[Layout, Explainer]:
    """Add the words of the configuration space that features bring, as far as ``length_bytes`` reach."""
    more = sorted(
        (word for one in registry.families() for word in one.words), key=lambda one: one.offset_bytes
    )
    words = list(layout.words)
    meanings: dict[str, Callable[[int], str]] = {}
    for one in more:
        end = words[-1].end_bytes
        if one.offset_bytes >= end and one.end_bytes <= length_bytes:
            if one.offset_bytes > end:
                words.append(Word(f"unused[{end}]", end, one.offset_bytes - end, "little"))
                meanings[words[-1].name] = _say_nothing
            words.append(Word(one.name, one.offset_bytes, one.length_bytes, "little"))
            meanings[one.name] = one.say or partial(_say_always, one.meaning)

    def explain_grown(name: str, numbers: Numbers, context: Context) -> Words:
        if name in meanings:
            return meanings[name](numbers[name]), None
        return explain(name, numbers, context)

    return Layout(tuple(words)), explain_grown


def _say_always(meaning: str, _number: int) -> str:
    return meaning


_say_nothing = partial(_say_always, "no meaning with any feature")


def _explain_record(record: Record, raw: bytes, explain: Explainer, context: Context) -> Iterator[Field]:
    """Yield each word of a record, and after it the named bits it is divided into."""
    numbers: dict[str, int] = {}
    for word in record.words:
        offset = record.start_bytes + word.offset_bytes
        piece = raw[offset : offset + word.length_bytes]
        name = record.path(word.name)
        if len(piece) < word.length_bytes:
            problem = f"cut short: {len(piece)} of {word.length_bytes} bytes" if piece else "missing"
            yield Field(offset, piece, name, None, f"a number of {8 * word.length_bytes} bits", problem)
            continue
        value = int.from_bytes(piece, word.byteorder)
        numbers[word.name] = value
        numbers |= {bits.name: bits.of(value) for bits in word.bits}
        yield Field(offset, piece, name, value, *explain(word.name, numbers, context))
        for bits in word.bits:
            meaning, problem_of_bits = explain(bits.name, numbers, context)
            yield Field(offset, b"", record.path(bits.name), numbers[bits.name], meaning, problem_of_bits)
