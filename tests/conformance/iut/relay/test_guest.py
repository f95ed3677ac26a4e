"""QEMU's balloon judged from inside a guest, and from outside: the verdicts are the same."""

from __future__ import annotations

import json
import os
import sys

import pytest
from installed import tool
from run_command import run_command

from balloon_conformance.iut.errors import IutError
from balloon_conformance.iut.registry import resolve

CASES = "poison-val-reads-back-in-halves or poisoned-report-of-two or inflation-beside-a-report or target-changes-are"
PLACES = "-kernel {kernel} -initrd {initrd} -append {cmdline}"
MACHINE = (
    f"qemu-system-x86_64 -M q35 -m 512M -nodefaults -no-user-config -display none -serial stdio {PLACES}"
)
OFFERS = "deflate-on-oom=on,page-poison=on,free-page-reporting=on,free-page-hint=on"
DEVICE = f"virtio-balloon-pci,{OFFERS},iothread=hints -object iothread,id=hints"
MONITOR = "-qmp unix:{directory}/qmp,server=on,wait=off"
OPERATOR = """
import json, socket, sys
monitor = socket.socket(socket.AF_UNIX)
monitor.connect(sys.argv[1])
lines = monitor.makefile("rw")
lines.readline()
for command in {"execute": "qmp_capabilities"}, {"execute": "balloon", "arguments": {"value": (512 << 20) - int(sys.argv[2])}}:
    print(json.dumps(command), file=lines, flush=True)
    while "return" not in (answer := json.loads(lines.readline())):
        if "error" in answer:
            sys.exit(answer["error"]["desc"])
"""


@pytest.fixture
def kernel():
    tool("qemu-system-x86_64")
    tool("cc", "gcc", "clang")
    if kernel := os.environ.get("BALLOON_GUEST_KERNEL"):
        return kernel
    words = "BALLOON_GUEST_KERNEL does not name a Linux kernel for a guest, as in /boot/vmlinuz-6.1.0-57-cloud-amd64"
    if os.environ.get("BALLOON_REQUIRE_INTEROP") == "1":
        pytest.fail(words)
    pytest.skip(words)


def verdicts(path):
    """What each case shows: how it ended, what was exercised, and what was found."""
    _, *lines = map(json.loads, path.read_text().splitlines())
    return {
        one["case"]: (
            one["status"],
            sorted(one["exercised"]),
            [found["requirement"] for found in one["findings"]],
        )
        for one in lines
        if "case" in one and one["status"] != "not exercised"
    }


@pytest.mark.untraced
def test_a_guest_sees_what_is_seen_from_outside(tmp_path, kernel):
    (tmp_path / "set_target.py").write_text(OPERATOR)
    inside = run_command(
        tmp_path,
        "run",
        f"relay:{MACHINE} -device {DEVICE} {MONITOR}",
        *("--relay-kernel", kernel, "--relay-memory", "256M", "--numbering", "dense-offered"),
        *("--relay-target", f"{sys.executable} {tmp_path}/set_target.py {{directory}}/qmp {{bytes}}"),
        *("-k", CASES, "--results", "inside.jsonl"),
    )
    assert inside.code == 0, inside.out + inside.err
    outside = run_command(
        tmp_path,
        *(
            "run",
            "qemu",
            "--qemu-transport",
            "pci",
            "--qemu-machine",
            "q35",
            "-k",
            CASES,
            "--results",
            "outside.jsonl",
        ),
    )
    assert outside.code == 0, outside.out + outside.err
    seen = verdicts(tmp_path / "inside.jsonl")
    assert len(seen) == 4, inside.out
    assert seen == verdicts(tmp_path / "outside.jsonl")


def test_a_machine_that_does_not_boot_says_what_it_said(tmp_path):
    tool("cc", "gcc", "clang")
    (tmp_path / "kernel").write_bytes(b"none")
    words = "sh -c 'echo cannot boot this; exit 3' {kernel} {initrd} {cmdline}"
    ran = run_command(
        tmp_path, "run", f"relay:{words}", "--relay-kernel", "kernel", "-k", "poison-val-reads-back-in-halves"
    )
    assert ran.code == 3, ran.out + ran.err
    assert "exit status 3; the console says: cannot boot this" in " ".join(ran.out.split())


@pytest.mark.parametrize(
    ("name", "given", "words"),
    [
        (
            "relay:vmm -k {kernel} -i {initrd}",
            {"relay-kernel": "k"},
            "{cmdline} is not in it; write where the VMM",
        ),
        ("relay:", {"relay-kernel": "k"}, "relay:COMMAND is empty"),
        (f"relay:vmm '{PLACES}", {"relay-kernel": "k"}, "No closing quotation; quote it as for a shell"),
        (f"relay:vmm {PLACES}", {}, "--relay-kernel is missing; name a Linux kernel"),
        (f"relay:vmm {PLACES}", {"relay-kernel": "k", "relay-memory": "5M"}, "'5M' is not a size from 64M"),
        (f"relay:vmm {PLACES}", {"relay-kernel": "k", "relay-memory": "lots"}, "write it as in 512M or 1G"),
        (f"relay:vmm {PLACES}", {"relay-kernel": "k", "relay-start-seconds": "-1"}, "'-1' is no time"),
        (f"relay:vmm {PLACES}", {"relay-kernel": "k", "relay-target": ""}, "--relay-target is empty"),
    ],
)
def test_what_is_no_relay_is_refused_with_the_remedy(name, given, words):
    with pytest.raises(IutError) as refused:
        resolve(name, given)
    assert words in str(refused.value)
    assert "\n" not in str(refused.value)
