"""What a program writes to standard error goes into every report of a case that did not pass."""

import json
import shlex
from xml.etree import ElementTree as ET

import pytest
import stdio_programs as programs
from run_command import run_command

DEVICE = """
    for seq, command, line in answers():
        print("<log>", command, "\\x1b[31mred", file=sys.stderr, flush=True)
        if command == "negotiate":
            tell(seq=seq, features_ok=True)
        elif command == "reset":
            tell(seq=seq, offered="0x10000001f")
        elif command == "configuration-read":
            tell(seq=seq, data="00" * line["length"])
        elif command == "available" and line["buffer"] == "m1":
            AVAILABLE
        elif command == "make-coffee":
            tell(seq=seq, error="unknown-command")
        else:
            tell(seq=seq)
"""

FAILURES = {
    "a violation": ("tell(seq=seq)", 1, "failed"),
    "a crash": ("sys.exit(3)", 1, "failed"),
    "a fault of the adapter": ("tell(seq=seq, error='refused')", 3, "error"),
}


@pytest.mark.parametrize("failure", FAILURES.values(), ids=list(FAILURES))
def test_every_report_has_the_last_lines_of_standard_error(tmp_path, failure):
    statement, code, status = failure
    words = programs.program(DEVICE.replace("AVAILABLE", statement))
    files = ("--results", "r.jsonl", "--html", "r.html", "--junitxml", "r.xml")
    done = run_command(tmp_path, "run", f"stdio:{shlex.join(words)}", "-k", "chunk-of-page-0", *files)
    assert done.code == code, done.out + done.err
    lines = [json.loads(line) for line in (tmp_path / "r.jsonl").read_text(encoding="utf-8").splitlines()]
    (case,) = [line for line in lines if "case" in line]
    assert case["status"] == status
    # What would steer a terminal is gone.
    assert case["said"][-1] == "<log> available  [31mred"
    assert "<log> available  [31mred" in done.out
    assert "&lt;log&gt; available  [31mred" in (tmp_path / "r.html").read_text(encoding="utf-8")
    junit = ET.parse(tmp_path / "r.xml").getroot()
    (failed,) = (*junit.iter("failure"), *junit.iter("error"))
    assert "said: <log> available  [31mred" in failed.text
