"""The vectors as a C header: an array of bytes for every buffer, and a table of steps for every vector."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from balloon_conformance.vectors.formats.plain import bytes_of, plain
from balloon_conformance.vectors.model import Vector

__all__ = ["c_lines"]

_A_LINE = 16

_HEAD = """\
/* The vectors of virtio-balloon-conformance, for C11 and C++. Written by balloon-conformance vectors export.
 *
 * balloon_vectors[] has every vector, each with its steps in order. What a step means stands in the README
 * beside the vectors. A number that a step has no use for is 0, a pointer NULL, a queue -1.
 */
#ifndef BALLOON_VECTORS_H
#define BALLOON_VECTORS_H

#include <stddef.h>
#include <stdint.h>

/* A run of 4 KiB pages: the first page frame number, and how many. */
struct balloon_run {
    uint64_t first;
    uint64_t count;
};

/* One negotiation. */
struct balloon_features {
    uint64_t offered;
    uint64_t accepted;
    int features_ok; /* whether the device keeps FEATURES_OK */
};

struct balloon_step {
    const char *by;        /* operator, guest, driver, device or memory */
    const char *action;    /* wish, available, used, ...: as in the README */
    const char *condition; /* "returned": only where the buffer of the last reaction came back */
    const char *shows;     /* the requirements broken where the step does not come true, blanks between;
                              NULL: that which orders it, as QUEUE-07 does a return */
    const char *structure; /* what data holds, where it is one of the structures */
    const char *buffer;    /* the buffer's name */
    const char *word;      /* of a wish what is wished for, of an available buffer how it is compared,
                              of a ring its breach, of a reaction what is allowed */
    int queue;             /* the virtqueue's index */
    const uint8_t *data;   /* the bytes that pass: read, written, or answered */
    size_t length;         /* how many they are; of a read, how many are read */
    const uint32_t *cut;   /* the lengths of the descriptors of what is read; NULL: one descriptor */
    size_t cuts;
    int notify;            /* of an available buffer: whether the driver notifies */
    uint32_t number;       /* writable bytes, used length, offset, num_pages or actual: by the action */
    uint64_t value;        /* of an operator's wish its value */
    const struct balloon_features *features; /* of a reset, what is negotiated after it */
    const struct balloon_run *pages; /* of a guest's wish, or discarded */
    size_t page_runs;
    const struct balloon_run *kept;
    size_t kept_runs;
__SEGMENTS__};

struct balloon_vector {
    const char *id;
    const char *area;
    const char *title;
    const char *profile;
    const char *kind;         /* exchange or malformed */
    const char *sides;        /* whom it can judge: driver, device, or both with a blank between */
    const char *requirements; /* their ids, blanks between */
    const char *breaks;       /* those the other side breaks on purpose */
    struct balloon_features features;
    uint64_t memory_pages;             /* pages 0 up to this one exist */
    const struct balloon_run *holes;   /* but for these */
    size_t hole_count;
    const struct balloon_step *steps;
    size_t step_count;
};
"""

_SEGMENT = """\
/* One descriptor of a buffer. */
struct balloon_segment {
    uint64_t address; /* guest-physical, perhaps where no memory is */
    int placed;       /* 0: the descriptor may lie anywhere, and address is 0 */
    uint32_t length;
    int writable;
};

"""
_SEGMENT_FIELDS = """\
    const struct balloon_segment *segments; /* the descriptors one by one, if it is stated where they lie */
    size_t segment_count;
"""

# A read has an offset and a length; its length is that of its data.
_NUMBERS = ("offset", "writable_bytes", "length_bytes", "num_pages")


def c_lines(vectors: Iterable[Vector]) -> Iterator[str]:
    """Yield the lines of the header, each with its end."""
    all_described = [plain(vector) for vector in vectors]
    # What no vector states is in no table: the header is as long as it has to be.
    placed = any("segments" in step for one in all_described for step in one["steps"])
    head = _HEAD.replace("__SEGMENTS__", _SEGMENT_FIELDS if placed else "")
    yield head.replace("struct balloon_step {", f"{_SEGMENT}struct balloon_step {{") if placed else head
    table = []
    for described in all_described:
        yield from _vector(described, placed=placed)
        table.append(_row(described))
    yield "\nstatic const struct balloon_vector balloon_vectors[] = {\n"
    yield from table
    yield "};\n\n#define BALLOON_VECTOR_COUNT (sizeof balloon_vectors / sizeof balloon_vectors[0])\n"
    yield "\n#endif\n"


def _vector(vector: dict[str, Any], *, placed: bool) -> Iterator[str]:
    """Yield the arrays of a vector, and the table of its steps."""
    prefix = _identifier(vector["id"])
    rows = []
    yield f"\n/* {vector['id']}: {vector['title'].replace('*/', '* /')} */\n"
    for step in vector["steps"]:
        name = f"{prefix}_{step['number']}"
        data = bytes_of(step)
        if data:
            yield f"static const uint8_t {name}[] = {{\n"
            for at in range(0, len(data), _A_LINE):
                yield "    " + " ".join(f"0x{byte:02x}," for byte in data[at : at + _A_LINE]) + "\n"
            yield "};\n"
        if step.get("cut"):
            yield f"static const uint32_t {name}_cut[] = {{{', '.join(map(str, step['cut']))}}};\n"
        if "segments" in step:
            yield _segment_array(f"{name}_segments", step["segments"])
        if "features" in step:
            yield f"static const struct balloon_features {name}_features = {_features(step['features'])};\n"
        runs = {
            "pages": step.get("discarded", step["pages"] if isinstance(step.get("pages"), list) else []),
            "kept": step.get("kept", []),
        }
        for kind, listed in runs.items():
            if listed:
                yield _run_array(f"{name}_{kind}", listed)
        rows.append(_step(step, name, len(data), runs, placed=placed))
    if vector["memory_holes"]:
        yield _run_array(f"{prefix}_holes", vector["memory_holes"])
    if rows:
        yield f"static const struct balloon_step {prefix}_steps[] = {{\n"
        yield from rows
        yield "};\n"


def _run_array(name: str, listed: list[list[int]]) -> str:
    pairs = ", ".join(f"{{{first:#x}, {count:#x}}}" for first, count in listed)
    return f"static const struct balloon_run {name}[] = {{{pairs}}};\n"


def _segment_array(name: str, listed: list[dict[str, Any]]) -> str:
    rows = ", ".join(
        f"{{{one.get('address', '0x0')}u, {int('address' in one)}, {one['length']}u,"
        f" {int(one.get('writable', False))}}}"
        for one in listed
    )
    return f"static const struct balloon_segment {name}[] = {{{rows}}};\n"


def _step(
    step: dict[str, Any], name: str, length: int, runs: dict[str, list[list[int]]], *, placed: bool
) -> str:
    word = step.get("wish", step.get("match", step.get("breach", " ".join(step.get("allowed", ())))))
    pages = step.get("pages")
    number = pages if isinstance(pages, int) else next((step[key] for key in _NUMBERS if key in step), 0)
    cut = step.get("cut", ())
    fields = [
        _text(step["by"]),
        _text(step["action"]),
        _text(step.get("if")),
        _text(" ".join(step.get("shows", ())) or None),
        _text(step.get("structure")),
        _text(step.get("buffer")),
        _text(word or None),
        str(step.get("queue_index", -1)),
        name if length else "NULL",
        str(length),
        f"{name}_cut" if cut else "NULL",
        str(len(cut)),
        str(int(step.get("notify", False))),
        f"{number}u",
        f"{step.get('value', 0):#x}u",
        f"&{name}_features" if "features" in step else "NULL",
    ]
    for kind, listed in runs.items():
        fields += [f"{name}_{kind}" if listed else "NULL", str(len(listed))]
    if placed:
        segments = step.get("segments", ())
        fields += [f"{name}_segments" if segments else "NULL", str(len(segments))]
    return f"    {{{', '.join(fields)}}},\n"


def _row(vector: dict[str, Any]) -> str:
    fields = [
        _text(vector["id"]),
        _text(vector["area"]),
        _text(vector["title"]),
        _text(vector["profile"]),
        _text(vector["kind"]),
        _text(" ".join(vector["sides"])),
        _text(" ".join(vector["requirements"])),
        _text(" ".join(vector["breaks"])),
        _features(vector["features"]),
        f"{vector['memory_pages']:#x}u",
        f"{_identifier(vector['id'])}_holes" if vector["memory_holes"] else "NULL",
        str(len(vector["memory_holes"])),
        f"{_identifier(vector['id'])}_steps" if vector["steps"] else "NULL",
        str(len(vector["steps"])),
    ]
    return f"    {{{', '.join(fields)}}},\n"


def _features(sets: dict[str, Any]) -> str:
    return f"{{{sets['offered']}u, {sets['accepted']}u, {int(sets['features_ok'])}}}"


def _identifier(name: str) -> str:
    return f"balloon_{name.replace('-', '_')}"


def _text(text: str | None) -> str:
    if text is None:
        return "NULL"
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
