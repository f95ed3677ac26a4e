"""The reference implementations over standard streams get the verdicts they get in this process."""

import io
import json
import re
import subprocess
import sys

import pytest
from places import STDIO_PAGE
from run_command import run_command

from balloon_conformance.iut.contract import Capability
from balloon_conformance.iut.reference.adapter import ReferenceDevice
from balloon_conformance.iut.stdio.serve import serve
from balloon_spec.events import Side

COMMAND = f"{sys.executable} -m balloon_conformance serve reference-{{}} --stdio"


OF_ITS_OWN = {"name", "version", "capabilities", "offered", "memory", "ring_sizes", "text"}
"""Fields in which programs that are both right differ."""


def results(directory, target, name):
    done = run_command(directory, "run", target, "--results", name)
    assert done.code == 0, done.out
    lines = [json.loads(line) for line in (directory / name).read_text(encoding="utf-8").splitlines()]
    cases = {line["case"]: line["status"] for line in lines if "case" in line}
    verdicts = {line["requirement"]: line["verdict"] for line in lines if "requirement" in line}
    return cases, verdicts


UNSHOWN = {
    "device": {
        "a-notification-between-sessions",
        "driver-ok-is-written-again",
        "driver-ok-is-written-again-during-an-exchange",
        "RESET-07",
        "QUEUE-14",
        "BUF-02",
    },
    "driver": {"BUF-01"},
}
"""What standard streams do not show: the registers of a device, and a buffer in flight."""


@pytest.mark.parametrize("side", ["device", "driver"])
def test_every_case_ends_as_it_does_in_this_process(tmp_path, side):
    here = results(tmp_path, f"reference-{side}", "here.jsonl")
    there = results(tmp_path, f"stdio:{COMMAND.format(side)}", "there.jsonl")
    for shown, told in zip(here, there, strict=True):
        apart = {name for name in shown if told[name] != shown[name]}
        assert apart == UNSHOWN[side] & shown.keys()
        assert {told[name] for name in apart} <= {"not exercised"}
    assert list(here[0].values()).count("passed") > 150


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((), "give --vhost-user SOCKET, or --stdio, and not both"),
        (("--stdio", "--vhost-user", "x"), "give --vhost-user SOCKET, or --stdio, and not both"),
        (("--stdio", "--profile", "base"), "--profile is not for --stdio"),
    ],
)
def test_what_does_not_go_together_is_refused(tmp_path, arguments, words):
    done = run_command(tmp_path, "serve", "reference-device", *arguments)
    assert done.code == 2
    assert words in done.err


@pytest.mark.parametrize(("number", "side"), [(0, "device"), (1, "driver")])
def test_the_exchange_on_the_page_is_what_the_reference_does(number, side):
    page = STDIO_PAGE.read_text(encoding="utf-8")
    block = re.findall(r"<!-- transcript -->\n```text\n(.*?)```", page, re.DOTALL)[number]
    lines = [(line[0], line[2:]) for line in block.splitlines()]
    done = subprocess.run(
        [sys.executable, "-m", "balloon_conformance", "serve", f"reference-{side}", "--stdio"],
        input="".join(f"{line}\n" for mark, line in lines if mark == ">"),
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    seen = [_shared(line) for line in done.stdout.splitlines()]
    assert seen == [_shared(line) for mark, line in lines if mark == "<"]
    assert len(seen) > 5


def _shared(answer):
    """An empty list of pages may be left out."""
    return {
        name: value for name, value in json.loads(answer).items() if name not in OF_ITS_OWN and value != []
    }


def test_a_served_adapter_without_memory_holes_refuses_them():
    adapter = ReferenceDevice()
    adapter.capabilities = adapter.capabilities - {Capability.MEMORY_HOLES}
    start = {
        "command": "start",
        "protocol": 1,
        "suite": "0",
        "profile": "chunk-transfer",
        "bits": {},
        "memory_pages": 16,
        "may_ask": [],
    }
    lines = [start | {"seq": 1}, start | {"seq": 2, "memory_holes": [[1, 2]]}]
    said = io.BytesIO()
    commands = io.BytesIO(b"".join(json.dumps(line).encode() + b"\n" for line in lines))
    serve(adapter, commands, said, side=Side.DEVICE, name="served")
    first, second = map(json.loads, said.getvalue().splitlines())
    assert "error" not in first
    assert (second["error"], second["text"]) == ("not-implemented", "the adapter lacks memory-holes")
