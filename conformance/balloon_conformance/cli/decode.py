"""``balloon-conformance decode``: explains a buffer, field by field."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import click

from balloon_conformance.cli.errors import BadInput
from balloon_spec.queues import Queue
from balloon_spec.wire import STRUCTURES
from balloon_spec.wire.annotate import Field, annotate
from balloon_spec.wire.layout import ByteOrder

__all__ = ["annotated_lines", "command"]

_AUTO = "auto"
_CANDIDATES: dict[str, tuple[str, ...]] = {
    Queue.INFLATE: ("response-message", "pfn-array"),
    Queue.DEFLATE: ("response-message", "pfn-array"),
    Queue.STATISTICS: ("statistics",),
    Queue.HOST_REQUEST: ("response-message", "host-request"),
    "": ("response-message", "host-request", "statistics", "pfn-array", "chunk", "configuration"),
}
"""What may be meant by a buffer on a queue, the most telling first."""

_SHOWN_BYTES = 8

_EPILOG = f"""\b
Examples:
  balloon-conformance decode response-message 00000000 10000000 0000000100000000 0010000000000000
  balloon-conformance decode auto --queue inflate @buffer.hex
  xxd -p buffer.bin | balloon-conformance decode pfn-array -
  balloon-conformance decode statistics --raw @buffer.bin

\b
STRUCTURE is one of: {", ".join(STRUCTURES)};
or auto, which takes the first of those that fits.

Exit codes: 0 nothing is wrong with the buffer; 1 a field has a problem; 2 bad usage or input.
"""


@click.command("decode", epilog=_EPILOG)
@click.argument("structure", metavar="STRUCTURE")
@click.argument("words", metavar="[HEX|-|@FILE]...", nargs=-1)
@click.option(
    "--queue",
    type=click.Choice([queue.value for queue in Queue]),
    default=None,
    help="With auto: the queue the buffer was on.",
)
@click.option(
    "--big-endian", is_flag=True, help="A PFN array or statistics of a big-endian guest, legacy interface."
)
@click.option("--raw", is_flag=True, help="FILE, or standard input, holds the bytes themselves, not hex.")
def command(*, structure: str, words: tuple[str, ...], queue: str | None, big_endian: bool, raw: bool) -> int:
    """Explain a buffer, given as hex pairs, on standard input (-) or in a file."""
    if structure != _AUTO and structure not in STRUCTURES:
        raise BadInput(f"no structure {structure!r}; use auto or one of {', '.join(STRUCTURES)}")
    if structure != _AUTO and queue is not None:
        raise BadInput(f"--queue helps auto to choose; remove it, or write auto for {structure}")
    data = _read(words, raw=raw)
    order: ByteOrder = "big" if big_endian else "little"
    name = structure
    if structure == _AUTO:
        candidates = _CANDIDATES[queue or ""]
        fits = [one for one in candidates if not _problems(annotate(one, data, order))]
        name = fits[0] if fits else candidates[0]
        others = f"; it also fits {', '.join(fits[1:])}" if fits[1:] else ""
        click.echo(f"taken for a {name}{others if fits else '; it fits nothing'}")
    fields = annotate(name, data, order)
    for line in annotated_lines(fields):
        click.echo(line)
    return 1 if _problems(fields) else 0


def annotated_lines(fields: Sequence[Field]) -> Iterator[str]:
    """Yield a line for each field: offset, bytes, name and meaning; what is wrong follows on its own line."""
    wide = max((len(field.name) for field in fields), default=0)
    for field in fields:
        shown = field.raw[:_SHOWN_BYTES].hex(" ") + (" ..." if len(field.raw) > _SHOWN_BYTES else "")
        # The bits of a word stand below it, without bytes of their own.
        name = field.name if field.raw or field.value is None else f"  {field.name}"
        place = f"{field.offset:#06x}  {shown:<{3 * _SHOWN_BYTES + 3}}"
        yield f"{place}  {name:<{wide + 2}}  {field.meaning}".rstrip()
        if field.problem:
            yield f"{'':8}^ {field.problem}"


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
