"""``balloon-conformance decode``: explains a buffer, field by field."""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from pathlib import Path

import click
from rich.text import Text

from balloon_conformance.cli.errors import BadInput
from balloon_conformance.cli.output import console_for
from balloon_conformance.report.dump import dump_lines
from balloon_spec.families import registry
from balloon_spec.families.base import pfn_array
from balloon_spec.families.chunk_transfer import response_header, response_message
from balloon_spec.families.chunk_transfer.mistakes import ARRAY_FOR_MESSAGE
from balloon_spec.wire.annotate import annotate
from balloon_spec.wire.carried import candidates
from balloon_spec.wire.hint import Context
from balloon_spec.wire.hints import hints
from balloon_spec.wire.layout import ByteOrder
from balloon_spec.wire.structure import Field

__all__ = ["command"]

_AUTO = "auto"


class _Number(click.ParamType[int]):
    """A whole number in a range, decimal or hexadecimal."""

    name = "number"

    def __init__(self, least: int, most: int) -> None:
        self._least, self._most = least, most

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Read the number, or refuse it in one line."""
        try:
            number = int(str(value), 0)
        except ValueError:
            self.fail(f"{value!r} is not a number; write it as 4660 or 0x1234", param, ctx)
        if not self._least <= number <= self._most:
            self.fail(f"{value} is not in the range {self._least:#x} to {self._most:#x}", param, ctx)
        return number


_EPILOG = f"""\b
Examples:
  balloon-conformance decode response-message 00000000 10000000 0000000100000000 0010000000000000
  balloon-conformance decode auto --queue inflate @buffer.hex
  xxd -p buffer.bin | balloon-conformance decode pfn-array -
  balloon-conformance decode statistics --raw @buffer.bin

\b
STRUCTURE is one of: {", ".join(registry.structures())};
or auto, which takes the first of those that fits.

Exit codes: 0 nothing is wrong with the buffer; 1 a field has a problem; 2 bad usage or input.
"""


@click.command("decode", epilog=_EPILOG)
@click.argument("structure", metavar="STRUCTURE")
@click.argument("words", metavar="[HEX|-|@FILE]...", nargs=-1)
@click.option(
    "--queue",
    type=click.Choice([queue.name for queue in registry.queues()]),
    default=None,
    help="The queue the buffer was on: auto chooses by it, and hints can say more.",
)
@click.option(
    "--memory-pages",
    type=_Number(1, 1 << 52),
    metavar="N",
    help="Guest memory in 4 KiB pages: a page outside is a problem, and hints can say more.",
)
@click.option(
    "--id",
    "request_id",
    type=_Number(0, (1 << 64) - 1),
    metavar="N",
    help="The id of the request that is answered: another is a problem.",
)
@click.option(
    "--big-endian", is_flag=True, help="A PFN array or statistics of a big-endian guest, legacy interface."
)
@click.option("--all", "whole", is_flag=True, help="Show every field of a long buffer, not its ends alone.")
@click.option("--raw", is_flag=True, help="FILE, or standard input, holds the bytes themselves, not hex.")
def command(
    *,
    structure: str,
    words: tuple[str, ...],
    queue: str | None,
    memory_pages: int | None,
    request_id: int | None,
    big_endian: bool,
    whole: bool,
    raw: bool,
) -> int:
    """Explain a buffer, given as hex pairs, on standard input (-) or in a file.

    Each field is shown with its offset, bytes, value and meaning. If the bytes look like one of the classic
    mistakes, a hint says which, why, and what would have been right. Numbers are decimal, or hexadecimal
    after 0x.
    """
    if structure != _AUTO and structure not in registry.structures():
        raise BadInput(f"no structure {structure!r}; use auto or one of {', '.join(registry.structures())}")
    data = _read(words, raw=raw)
    order: ByteOrder = "big" if big_endian else "little"
    console = console_for(soft_wrap=True)
    context = Context(registry.queue(queue) if queue else None, memory_pages, request_id)
    name = structure
    if structure == _AUTO:
        if not data:
            raise BadInput("there are no bytes to tell a structure by; give some, or name the structure")
        name, reason = _taken_for(data, order, context)
        console.print(Text(f"taken for a {name}{reason}"))
    fields = annotate(name, data, order, context)
    for line in dump_lines(fields, width=console.width if console.is_terminal else None, whole=whole):
        console.print(line)
    # The hints know only little-endian mistakes.
    for hint in () if big_endian else hints(name, data, context):
        console.print(Text("hint: ", style="yellow").append(hint.sentence, style="not yellow"))
    return 1 if _problems(fields) else 0


def _taken_for(data: bytes, order: ByteOrder, context: Context) -> tuple[str, str]:
    """Return the structure that a buffer most likely is, and why if that is not obvious.

    Any words of four bytes are a PFN array. A buffer that fits no structure counts as a message in two cases:
    if page 0 would appear in it twice, or if it becomes a well-formed message once the classic mistakes in it
    are corrected.
    """
    meant = candidates(context.queue)
    fits = [one for one in meant if not _problems(annotate(one, data, order))]
    if fits in ([], [pfn_array.NAME]) and order == "little" and _is_broken_message(data, context):
        text = f"; it also fits {fits[0]}" if fits else ""
        return response_message.NAME, f", with mistakes{text}"
    if not fits:
        return meant[0], "; it fits nothing"
    return fits[0], f"; it also fits {', '.join(fits[1:])}" if fits[1:] else ""


def _is_broken_message(data: bytes, context: Context) -> bool:
    found = hints(response_message.NAME, data, context)
    if found and found[0].mistake is ARRAY_FOR_MESSAGE:
        return False
    words = [data[at : at + 4] for at in range(0, len(data), 4)]
    if len(data) > response_header.LENGTH_BYTES and words.count(bytes(4)) > 1:
        return True
    for hint in found:
        data = hint.mend(data)
    return not _problems(annotate(response_message.NAME, data))


def _problems(fields: Sequence[Field]) -> list[str]:
    return [field.problem for field in fields if field.problem]


def _read(words: tuple[str, ...], *, raw: bool) -> bytes:
    """Return the bytes that the arguments give."""
    if words and (words[0] == "-" or words[0].startswith("@")):
        if len(words) > 1:
            raise BadInput(f"{words[1]!r} stands after {words[0]}; give one source")
        name = "standard input" if words[0] == "-" else words[0].removeprefix("@")
        content = _content(words[0], name)
        if raw:
            return content
        return _from_hex(content.decode("ascii", "replace"), name)
    if raw:
        raise BadInput("--raw is for a file or standard input; give @FILE or -")
    if not words:
        raise BadInput("there is no buffer; give its bytes as hex pairs, @FILE, or - for standard input")
    return _from_hex(" ".join(words), "HEX")


def _content(word: str, name: str) -> bytes:
    if word == "-":
        return sys.stdin.buffer.read()
    try:
        return Path(name).read_bytes()
    except OSError as error:
        raise BadInput(f"{name}: {error.strerror}; name a file that can be read") from error


def _from_hex(text: str, name: str) -> bytes:
    """Read hex pairs; ``#`` begins a comment that ends with its line."""
    digits = "".join(re.sub(r"#[^\n]*", "", text).split())
    wrong = next((digit for digit in digits if digit not in "0123456789abcdefABCDEF"), "")
    if wrong:
        raise BadInput(f"{name}: {wrong!r} is not a hex digit; write pairs as in 00 10, or use --raw")
    if len(digits) % 2:
        raise BadInput(f"{name}: {len(digits)} hex digits do not make pairs; one is missing or too many")
    return bytes.fromhex(digits)
