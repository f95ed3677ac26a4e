"""Small programs that keep the protocol over standard streams, or break it in one way."""

import sys
import textwrap

from balloon_conformance.iut.contract import Setup
from balloon_conformance.iut.stdio.program import Program, StdioOptions
from balloon_conformance.iut.stdio.target import stdio_target
from balloon_spec.profiles import CHUNK_TRANSFER

SETUP = Setup(CHUNK_TRANSFER, 0x100)

_HEAD = """
import json, os, signal, subprocess, sys, time
started = {"protocol": PROTOCOL, "role": ROLE, "name": "fake", "version": "1", "capabilities": CAPABILITIES}
if ROLE == "device":
    started["offered"] = "0x10000001f"
LENIENT = False
def tell(**line):
    print(json.dumps(line), flush=True)
def answers():
    for text in sys.stdin:
        line = json.loads(text)
        if line["command"] == "start" and line["protocol"] != PROTOCOL and not LENIENT:
            tell(seq=line["seq"], error="refused")
        elif line["command"] == "start":
            tell(seq=line["seq"], **started)
        elif line["command"] == "stop":
            tell(seq=line["seq"])
            break
        else:
            yield line["seq"], line["command"], line
"""


def program(body, *, role="device", capabilities=("synchronous",), protocol=2):
    """Return the words of a program: ``start`` and ``stop`` are answered, ``body`` does the rest.

    It may loop over ``answers()``, which yields seq, command and the whole line, and ``tell(seq=..., ...)``.
    """
    constants = f"ROLE = {role!r}\nCAPABILITIES = {list(capabilities)!r}\nPROTOCOL = {protocol}\n"
    return (sys.executable, "-c", constants + _HEAD + textwrap.dedent(body))


REFERENCE = {
    side: (sys.executable, "-m", "balloon_conformance", "serve", f"reference-{side}", "--stdio")
    for side in ("device", "driver")
}


def options(words, *, answer_seconds=5.0, start_seconds=10.0):
    return StdioOptions(tuple(words), start_seconds, answer_seconds)


def target(words, **seconds):
    return stdio_target(options(words, **seconds))


def started(words, **seconds):
    """Return a program that was started."""
    made = Program(options(words, **seconds))
    made.start(SETUP)
    return made
