"""The C header says all that the vectors say: a C program prints every field, and each is compared with the YAML."""

import subprocess
from itertools import zip_longest
from pathlib import Path

import pytest
from installed import tool

from balloon_conformance.families.free_page_hint.steps import CopyStep, HintsStep, WriteStep
from balloon_conformance.families.page_reporting.steps import FillStep
from balloon_conformance.running.word_step import WordStep
from balloon_conformance.vectors import steps
from balloon_conformance.vectors.formats.as_c import c_lines
from balloon_conformance.vectors.loader import load_all

FLAGS = ("-std=c11", "-Wall", "-Wextra", "-Werror")
VECTORS = load_all()


@pytest.fixture(scope="module")
def printed(tmp_path_factory):
    """What ``print_vectors.c`` prints, line by line."""
    directory = tmp_path_factory.mktemp("c")
    (directory / "balloon_vectors.h").write_text("".join(c_lines(VECTORS)), encoding="utf-8")
    source = Path(__file__).with_name("print_vectors.c")
    program = directory / "print"
    words = [tool("gcc", "cc"), *FLAGS, "-I", directory, source, "-o", program]
    subprocess.run(words, check=True, timeout=240)
    return subprocess.run(
        [program], check=True, capture_output=True, text=True, timeout=60
    ).stdout.splitlines()


def test_every_field_of_every_step_is_what_the_vector_says(printed):
    for number, (seen, wanted) in enumerate(zip_longest(printed, expected()), 1):
        assert seen == wanted, f"line {number}"


def expected():
    for vector in VECTORS:
        yield vector_line(vector)
        queues = {}
        for step in vector.steps:
            if isinstance(step, steps.BufferStep):
                queues[step.name] = step.queue
            yield step_line(step, queues)


def vector_line(vector):
    return "|".join(
        [
            "vector",
            vector.id,
            vector.path.parent.name,
            vector.title,
            vector.profile.name,
            str(vector.kind),
            " ".join(sorted(map(str, vector.sides))),
            " ".join(vector.requirements),
            " ".join(vector.breaks),
            features(vector.features),
            str(vector.memory_pages),
            runs(vector.memory_holes),
            str(len(vector.steps)),
        ]
    )


def features(sets):
    return f"{sets.offered:x},{sets.accepted:x},{int(sets.features_ok)}"


def runs(pages):
    return "".join(f"{run.first:x}+{run.count:x} " for run in pages.runs)


def segments(listed):
    """The segments one by one, if they say more than the lengths of the readable part."""
    if all(one.address is None and not one.writable for one in listed):
        return ""
    return "".join(
        f"{one.address or 0:x},{int(one.address is not None)},{one.length_bytes},{int(one.writable)} "
        for one in listed
    )


def step_line(step, queues):
    """What is expected of one step: the columns that its kind has a use for, and nothing in the others."""
    column = dict.fromkeys(COLUMNS, "-") | NOTHING
    column |= {"condition": step.condition or "-", "shows": " ".join(step.shows) or "-"}
    column |= columns(step, queues)
    length = str(len(column["data"]) // 2)
    return "|".join(["step", *(length if name == "length" else column[name] for name in COLUMNS)])


COLUMNS = (
    *("by", "action", "condition", "shows", "buffer", "word", "queue", "length", "data", "cut", "notify"),
    *("number", "value", "features", "pages", "kept", "segments"),
)
NOTHING = {"queue": "-1", "notify": "0", "number": "0", "value": "0"} | dict.fromkeys(
    ("data", "cut", "pages", "kept", "segments"), ""
)


def columns(step, queues):
    match step:
        case steps.OperatorStep():
            return {"by": "operator", "action": "wish", "word": str(step.action), "value": str(step.value)}
        case steps.GuestStep():
            return {"by": "guest", "action": "wish", "word": str(step.action), "pages": runs(step.pages)}
        case steps.BufferStep():
            return {
                "by": "driver",
                "action": "available",
                "buffer": step.name,
                "word": str(step.match),
                "queue": str(step.queue.place),
                "data": step.readable.hex(),
                "cut": "".join(f"{one.length_bytes} " for one in step.segments if not one.writable),
                "segments": segments(step.segments),
                "notify": str(int(step.notify)),
                "number": str(step.writable_bytes),
            }
        case steps.BrokenRingStep():
            return {
                "by": "driver",
                "action": "ring",
                "word": str(step.breach),
                "queue": str(step.queue.place),
            }
        case steps.ActualStep():
            return {"by": "driver", "action": "actual", "number": str(step.pages)}
        case steps.ConfigurationWriteStep():
            return {"by": "driver", "action": "write", "number": str(step.offset), "data": step.data.hex()}
        case steps.ConfigurationReadStep():
            assert len(step.data) == step.length_bytes
            return {"by": "driver", "action": "read", "number": str(step.offset), "data": step.data.hex()}
        case steps.DriverOkStep():
            return {"by": "driver", "action": "ok"}
        case steps.SilentStep():
            return {"by": str(step.side), "action": "silent"}
        case steps.UsedStep():
            return {
                "by": "device",
                "action": "used",
                "buffer": step.name,
                "queue": str(queues[step.name].place),
                "data": step.written.hex(),
                "number": str(step.length_bytes),
            }
        case steps.ConfigurationStep():
            return {"by": "device", "action": "configuration", "number": str(step.num_pages)}
        case steps.ReactionStep():
            return {
                "by": "device",
                "action": "reaction",
                "buffer": step.name,
                "word": " ".join(sorted(map(str, step.allowed))),
            }
        case steps.EffectStep():
            return {
                "by": "memory",
                "action": "effect",
                "pages": runs(step.discarded),
                "kept": runs(step.kept),
            }
        case steps.ResetStep():
            return {"by": "driver", "action": "reset", "features": features(step.features)}
        case FillStep():
            return {"by": "guest", "action": "fills", "pages": runs(step.pages), "data": step.data.hex()}
        case HintsStep():
            return {"by": "driver", "action": "hints", "pages": runs(step.pages)}
        case WriteStep():
            return {"by": "guest", "action": "writes", "pages": runs(step.pages)}
        case CopyStep():
            return {"by": "memory", "action": "copy", "pages": runs(step.missing), "kept": runs(step.there)}
        case WordStep():
            return {"by": step.by, "action": step.action_name, "value": str(step.value)}
