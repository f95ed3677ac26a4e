"""What a kernel in user mode prints: its alarms, its last words, and the guest that is replaced for them."""

from __future__ import annotations

import os
import sys

import pytest
from uml_leftovers import nothing_left

from balloon_conformance.iut.contract import ImplementationCrashed, OutlivesCases, Setup
from balloon_conformance.iut.linux_uml import BUILT_IN, LinuxUml, UmlOptions
from balloon_conformance.iut.linux_uml.console import Console
from balloon_spec.profiles import BASE

# As Linux 6.1 printed them, at a defect of its driver and when it had no memory to start a program.
TRACE = """\
BUG: Bad page state in process kworker/0:1  pfn:01e3a
page:0000000060b0a3c0 refcount:-1 mapcount:0 mapping:0000000000000000 index:0x0 pfn:0x1e3a
CPU: 0 PID: 21 Comm: kworker/0:1 Not tainted 6.1.176 #1
Call Trace:
 [<6002d37a>] show_stack+0x184/0x193
Kernel panic - not syncing: Attempted to kill init! exitcode=0x0000000b
 [<6002c0dd>] new_thread_handler+0xae/0xb0
"""


@pytest.fixture
def printed():
    reading, writing = os.pipe()
    console = Console(os.fdopen(reading, "rb", buffering=0))

    def write(text):
        os.write(writing, text.encode())
        return console

    yield write
    os.close(writing)
    console.join(10)


def test_the_last_words_are_the_first_alarm_and_not_the_end_of_a_trace(printed):
    console = printed("Linux version 6.1\n" + TRACE)
    assert console.last_words() == "BUG: Bad page state in process kworker/0:1  pfn:01e3a"
    assert console.alarms() == (
        "BUG: Bad page state in process kworker/0:1  pfn:01e3a",
        "Kernel panic - not syncing: Attempted to kill init! exitcode=0x0000000b",
    )


@pytest.mark.parametrize(
    "line",
    [
        "kernel BUG at mm/page_alloc.c:1234!",
        "WARNING: CPU: 0 PID: 24 at drivers/virtio/virtio_balloon.c:214 fill_balloon+0x1a/0x2b",
        "Oops: 0002 [#1] PREEMPT SMP",
        "BUG: unable to handle page fault for address: 0000000000001008",
        "INFO: task kworker/0:1:21 blocked for more than 120 seconds.",
        "rcu: INFO: rcu_sched self-detected stall on CPU",
        "list_del corruption. prev->next should be 60b0a3c8, but was 60b0a3d0",
        "Kernel panic - not syncing: Kernel mode fault at addr 0x0, ip 0x6002c0dd",
        "UBSAN: array-index-out-of-bounds in drivers/virtio/virtio_balloon.c:152:21",
        "refcount_t: underflow; use-after-free.",
    ],
)
def test_what_is_an_alarm(printed, line):
    assert printed(f"before\n<4>[   12.345678][   T21] {line}\nafter\n").alarms() == (line,)


@pytest.mark.parametrize(
    "line",
    [
        "SELinux: CONFIG_SECURITY_SELINUX_CHECKREQPROT_VALUE is non-zero.",
        "virtio-uml: probe of virtio-uml.0 failed with error -2",
        "Out of memory: Killed process 77 (sleep)",
        "DEBUG: nothing",
    ],
)
def test_what_is_none(printed, line):
    console = printed(f"{line}\n\n")
    assert console.alarms() == ()
    assert console.last_words() == line


def test_what_was_printed_before_is_forgotten_and_a_line_is_awaited_whole(printed):
    console = printed("WARNING: at boot\nBUG: half")
    console.forget()
    assert (console.alarms(), console.last_words()) == ((), "BUG: half")
    assert printed(" a line\n").alarms() == ("BUG: half a line",)


def test_alarms_without_end_are_counted(printed):
    console = printed("".join(f"WARNING: {number}\n" for number in range(25)))
    assert console.alarms()[0] == "WARNING: 0"
    assert console.alarms()[19:] == ("WARNING: 19", "and 5 such lines more")


def test_a_line_steers_no_terminal_and_has_an_end(printed):
    (alarm,) = printed("BUG: \x1b[31m" + "x" * 5000 + "\n").alarms()
    assert "\x1b" not in alarm
    assert len(alarm) <= 1024


# -- the guest ----------------------------------------------------------------------------------------------

GUEST = """
import os, re, socket, sys
line = socket.socket(fileno=int(re.search("ssl0=fd:([0-9]+)", " ".join(sys.argv))[1]))
say = lambda words: print(words, flush=True)
say("WARNING: at boot")
line.sendall(b"ready\\n")
while data := line.recv(99):
    for command in data.decode().split():
        if command == "clear":
            CLEAR
        line.sendall(b"ok\\n")
"""


@pytest.fixture
def adapter(tmp_path, monkeypatch):
    made = []

    def make(clear="pass"):
        (tmp_path / "guest.py").write_text(GUEST.replace("CLEAR", clear))
        kernel = tmp_path / "linux"
        kernel.write_text(
            f'#!/bin/sh\n[ "$1" = --version ] && {{ echo 6.1.0; exit; }}\nexec {sys.executable} {tmp_path}/guest.py "$@"\n'
        )
        busybox = tmp_path / "busybox"
        busybox.write_bytes(b"\x7fELF static")
        for program in (kernel, busybox):
            program.chmod(0o755)
        made.append(LinuxUml(UmlOptions(kernel=str(kernel), module=BUILT_IN, busybox=str(busybox))))
        return made[-1]

    with nothing_left(monkeypatch):
        yield make
        for one in made:
            one.stop()


def test_a_guest_in_which_nothing_was_found_serves_the_next_case(adapter):
    uml = adapter()
    assert isinstance(uml, OutlivesCases)
    uml.start(Setup(BASE))
    first = uml.pid
    uml.conclude(suspect=False)
    uml.start(Setup(BASE))
    assert (uml.pid, uml.served) == (first, 2)
    # What was printed at the boot is no case's.
    assert uml.alarms() == ()


def test_after_a_finding_the_next_case_begins_with_a_fresh_guest(adapter):
    uml = adapter()
    uml.start(Setup(BASE))
    first = uml.pid
    uml.conclude(suspect=True)
    assert uml.alarms() == ("the guest was replaced after this case: something was found in it",)
    uml.start(Setup(BASE))
    assert uml.pid != first
    assert (uml.served, uml.alarms()) == (1, ())


def test_an_alarm_belongs_to_its_case_and_ends_the_guest(adapter):
    uml = adapter('say("WARNING: CPU: 0 PID: 1 at drivers/virtio/virtio_balloon.c:214")')
    uml.start(Setup(BASE))
    uml.conclude(suspect=False)
    assert uml.alarms() == (
        "WARNING: CPU: 0 PID: 1 at drivers/virtio/virtio_balloon.c:214",
        "the guest was replaced after this case: something was found in it",
    )
    assert uml.served == 0


def test_a_guest_that_died_is_said_to_have_been_replaced_and_its_first_alarm_is_quoted(adapter):
    uml = adapter(
        'say("BUG: spinlock bad magic\\nCall Trace:\\n [<6002d37a>] show_stack+0x184/0x193"); sys.exit(9)'
    )
    with pytest.raises(
        ImplementationCrashed, match=r"exit status 9; its last words: BUG: spinlock bad magic$"
    ):
        uml.start(Setup(BASE))
    uml.stop()
    assert uml.alarms() == ("BUG: spinlock bad magic",)
    uml.conclude(suspect=False)
    assert uml.alarms() == ("BUG: spinlock bad magic", "the guest was replaced after this case")


def test_a_guest_that_cannot_begin_the_next_case_is_replaced_and_that_is_said(adapter, tmp_path):
    mark = tmp_path / "cleared"
    # The first case of a guest is served, the second is not.
    uml = adapter(f'os.path.exists("{mark}") and (os.remove("{mark}"), sys.exit(3)); open("{mark}", "w")')
    uml.start(Setup(BASE))
    first = uml.pid
    uml.conclude(suspect=False)
    uml.start(Setup(BASE))
    assert (uml.pid != first, uml.served) == (True, 1)
    (words,) = uml.alarms()
    assert words.startswith("the guest of the case before was replaced: the kernel ended: exit status 3")
