"""Programs that do not keep the protocol: one line each that says whose fault, and nothing left behind."""

import json
import os
import resource
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import stdio_programs as programs
from stdio_programs import SETUP

from balloon_conformance.iut.contract import (
    AdapterError,
    Buffer,
    ImplementationCrashed,
    ImplementationHung,
    ImplementationViolation,
)
from balloon_conformance.iut.errors import IutError
from balloon_conformance.iut.stdio.process import MARK
from balloon_conformance.iut.stdio.program import Program, split
from balloon_spec.pages import PageSet

PYTHON = Path(sys.executable).name


def open_descriptors():
    return len(list(Path("/proc/self/fd").iterdir()))


def children():
    """Return the processes that this one has, ended ones that nobody waited for included."""
    tasks = Path("/proc/self/task").iterdir()
    return sorted(pid for task in tasks for pid in (task / "children").read_text(encoding="ascii").split())


@pytest.fixture(autouse=True)
def nothing_is_left():
    """Hold every program below to it: no descriptor and no process of it stays."""
    before = open_descriptors(), children()
    yield
    assert (open_descriptors(), children()) == before


def raw(body):
    """Return a program of nothing but ``body``."""
    return (sys.executable, "-c", f"import os, signal, sys, time\n{body}")


def left_over(words):
    """Return the processes that were started by the programs of this very process and still live."""
    found = []
    for entry in os.scandir("/proc"):
        if entry.name.isdecimal() and int(entry.name) != os.getpid():
            try:
                with (
                    Path(entry.path, "environ").open("rb") as environ,
                    Path(entry.path, "cmdline").open("rb") as line,
                ):
                    marked = MARK.encode() in environ.read()
                    if marked and words[-1].encode() in line.read():
                        found.append(entry.name)
            except OSError:
                continue
    return found


START_FAULTS = {
    "a command that does not exist": (
        ("/nonexistent/device",),
        "stdio:/nonexistent/device: /nonexistent/device: /nonexistent/device cannot be started: No such file",
    ),
    "no executable": ((__file__,), "cannot be started: Permission denied"),
    "exits at once": (raw("sys.exit(7)"), f"{PYTHON} ended with exit status 7"),
    "exits at once and well": (raw("sys.exit(0)"), f"{PYTHON} ended with exit status 0"),
    "says why it exits": (
        raw("print('no such board', file=sys.stderr); sys.exit(1)"),
        "exit status 1; its last words: no such board; it must answer start before anything else",
    ),
    "is killed at once": (raw("os.kill(os.getpid(), signal.SIGSEGV)"), "was killed by SIGSEGV"),
    "prints a banner": (
        raw("print('My Device 1.0', flush=True); sys.stdin.read()"),
        "'My Device 1.0'",
    ),
    "answers with a list": (raw("input(); print([1], flush=True); input()"), "which is not a JSON object"),
    "answers without seq": (raw("input(); print('{}', flush=True); input()"), "answered without seq"),
    "answers what was not asked": (
        raw("input(); print('{\"seq\": 12}', flush=True); input()"),
        "asked start with seq 1 and answered seq 12",
    ),
    "answers true for 1": (
        raw("input(); print('{\"seq\": true}', flush=True); input()"),
        "answered seq true",
    ),
    "has no role": (
        raw("input(); print('{\"seq\": 1}', flush=True); input()"),
        "role: this field is missing",
    ),
    "speaks another version": (
        programs.program("""
            for line in sys.stdin:
                tell(seq=1, **{**started, "protocol": 3})
        """),
        "was asked for version 2 of the protocol, and speaks version 3",
    ),
    "claims what there is not": (
        programs.program("for _ in answers(): pass", capabilities=["levitation"]),
        "there is no capability 'levitation'",
    ),
    "refuses to start": (
        raw('input(); print(\'{"seq": 1, "error": "refused", "text": "no licence"}\', flush=True); input()'),
        "answered start with refused: no licence",
    ),
    "half an object": (
        raw('input(); sys.stdout.write(\'{"seq": 1, "proto\'); sys.stdout.flush()'),
        'ended with exit status 0, in the middle of an answer (\'{"seq": 1, "proto\')',
    ),
    "closes its input": (
        raw("os.close(0); signal.pause()"),
        "closed its standard input; read commands until stop",
    ),
    "closes its output": (raw("os.close(1); signal.pause()"), "closed its standard output and still runs"),
    "a gigabyte without a line end": (
        raw("input()\nfor _ in range(1 << 14): os.write(1, b'x' * (1 << 16))"),
        "and no line end; a line has at most 4194304 bytes, line end included",
    ),
    "a line that is a byte too long": (
        raw("input(); print('[' + ' ' * (4194304 - 2) + ']', flush=True); input()"),
        "with 4194304 bytes and no line end; a line has at most 4194304 bytes",
    ),
    "brackets without end": (
        raw("input(); print('[' * 500000, flush=True); input()"),
        "which is not a JSON object",
    ),
    "bytes that are no text": (
        raw("input(); os.write(1, b'\\xff\\xfe\\n'); input()"),
        "which is not a JSON object",
    ),
}


@pytest.mark.parametrize("words", START_FAULTS.values(), ids=list(START_FAULTS))
def test_a_program_that_does_not_come_to_its_first_answer_is_told_in_one_line(words):
    command, said = words
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(IutError) as caught:
        programs.target(command, start_seconds=5.0)
    text = str(caught.value)
    assert said in text
    assert "\n" not in text
    assert left_over(command) == []
    # Kibibytes: what a program prints is not gathered.
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 64 << 10


def test_a_program_that_says_nothing_hangs():
    words = raw("signal.signal(signal.SIGTERM, signal.SIG_IGN); signal.pause()")
    silent = r"did not answer start within 0\.2 seconds; flush its output after every line"
    with pytest.raises(IutError, match=silent):
        programs.target(words, start_seconds=0.2)
    assert left_over(words) == []


@pytest.mark.parametrize(
    ("command", "said"),
    [("", "name the program"), ("  ", "name the program"), ("a 'b", "no closing quotation")],
)
def test_a_command_that_is_none_is_refused(command, said):
    with pytest.raises(IutError, match=said):
        split(command)


def test_a_command_is_split_as_a_shell_does_and_run_by_none():
    assert split("./my-device --name 'a b' $HOME;ls") == ("./my-device", "--name", "a b", "$HOME;ls")


# -- after the first answer -------------------------------------------------------------------------------


def device(body, **seconds):
    """Return the adapter of a device that was started."""
    adapter = programs.target(programs.program(body), **seconds).make()
    adapter.start(SETUP)
    return adapter


LATER_FAULTS = {
    "ends": ("for _ in answers(): sys.exit(3)", ImplementationCrashed, "ended with exit status 3"),
    "is killed": (
        "for _ in answers(): os.kill(os.getpid(), signal.SIGABRT)",
        ImplementationCrashed,
        "was killed by SIGABRT",
    ),
    "ends with words": (
        "for _ in answers(): sys.exit('assertion failed: ring')",
        ImplementationCrashed,
        "exit status 1; its last words: assertion failed: ring",
    ),
    "ends with words on the wrong stream": (
        "for _ in answers(): print('panic: index out of range', flush=True); sys.exit(2)",
        ImplementationCrashed,
        "ended with exit status 2, after it wrote 'panic: index out of range'",
    ),
    "ends in the middle": (
        "for seq, *_ in answers(): print('{\"seq\":', end='', flush=True); sys.exit(0)",
        ImplementationCrashed,
        "ended with exit status 0, in the middle of an answer ('{\"seq\":')",
    ),
    "logs on the wrong stream": (
        "for seq, *_ in answers(): print('debug: kick', flush=True); tell(seq=seq)",
        AdapterError,
        "answered driver-ok with 'debug: kick', which is not a JSON object",
    ),
    "answers another question": (
        "for seq, *_ in answers(): tell(seq=seq - 1)",
        AdapterError,
        "answered seq 1",
    ),
    "answers too much": (
        "for seq, *_ in answers(): tell(seq=seq, ok=True)",
        AdapterError,
        "ok: unknown field",
    ),
    "tells an event of the other side": (
        "for seq, *_ in answers(): tell(seq=seq, events=[{'event': 'driver-ok'}])",
        AdapterError,
        "a device has no event 'driver-ok'",
    ),
    "does not know": (
        "for seq, *_ in answers(): tell(seq=seq, error='not-implemented')",
        AdapterError,
        "answered driver-ok with not-implemented: no reason given",
    ),
    "has crashed behind it": (
        "for seq, *_ in answers(): tell(seq=seq, error='crashed', text='the machine is gone')",
        ImplementationCrashed,
        "the machine is gone",
    ),
    "has hung behind it": (
        "for seq, *_ in answers(): tell(seq=seq, error='hung', text='no reply')",
        ImplementationHung,
        "no reply",
    ),
    "has broken its rings": (
        "for seq, *_ in answers(): tell(seq=seq, error='violation', text='descriptor loop')",
        ImplementationViolation,
        "descriptor loop",
    ),
    "closes its input and goes on": (
        "for seq, *_ in answers(): os.close(0); tell(seq=seq); signal.pause()",
        AdapterError,
        "closed its standard input",
    ),
}


@pytest.mark.parametrize("fault", LATER_FAULTS.values(), ids=list(LATER_FAULTS))
def test_a_program_that_fails_later_is_told_apart(fault):
    body, kind, said = fault
    adapter = device(body)

    def go_on():
        for _ in range(3):
            adapter.driver_ok()

    with pytest.raises(kind) as caught:
        go_on()
    assert type(caught.value) is kind
    assert said in str(caught.value)
    adapter.stop()
    assert left_over(programs.program(body)) == []


def test_a_program_that_answers_twice_is_told_so():
    adapter = device('for seq, *_ in answers(): print(f\'{{"seq": {seq}}}\\n{{"seq": {seq}}}\', flush=True)')
    adapter.driver_ok()
    with pytest.raises(AdapterError, match="although nothing was asked; write one answer to each command"):
        adapter.driver_ok()
    adapter.stop()


def test_a_program_that_hangs_is_killed_with_its_children_and_started_again():
    body = """
        for seq, command, line in answers():
            if command == "driver-ok":
                signal.signal(signal.SIGTERM, signal.SIG_IGN)
                subprocess.Popen([sys.executable, "-c", "import signal; signal.pause()"])
                signal.pause()
            tell(seq=seq, data="00")
    """
    adapter = device(body, answer_seconds=0.3)
    with pytest.raises(ImplementationHung, match=r"did not answer driver-ok within 0\.3 seconds"):
        adapter.driver_ok()
    adapter.stop()
    assert left_over(programs.program(body)) == []
    assert left_over(("import signal; signal.pause()",)) == []
    adapter.start(SETUP)
    assert adapter.read_configuration(0, 1) == b"\0"
    adapter.stop()


def test_children_that_left_the_group_are_killed_too():
    body = """
        child = 'import os, signal; signal.pause()  # a daemon of the program'
        subprocess.Popen([sys.executable, "-c", child], start_new_session=True)
        for seq, *_ in answers():
            tell(seq=seq)
    """
    adapter = device(body)
    adapter.driver_ok()
    assert len(left_over(("# a daemon of the program",))) >= 1
    adapter.stop()
    assert left_over(("# a daemon of the program",)) == []


def test_a_program_that_ended_after_a_case_is_reported_by_the_next_and_started_again():
    adapter = device("""
        for seq, *_ in answers():
            tell(seq=seq)
            sys.exit(4)
    """)
    adapter.driver_ok()
    assert adapter.program.process.ended(5.0)
    with pytest.raises(ImplementationCrashed, match="exit status 4, after the case before"):
        adapter.start(SETUP)
    adapter.start(SETUP)
    adapter.stop()


def test_a_program_that_cannot_begin_anew_is_started_again():
    adapter = device("""
        for seq, *_ in answers():
            tell(seq=seq, data=f"{os.getpid():08x}")
            started.clear()
            started["error"] = "refused"
    """)
    first = adapter.read_configuration(0, 4)
    adapter.start(SETUP)
    assert adapter.read_configuration(0, 4) != first
    adapter.stop()


def test_a_program_that_becomes_another_is_told_so():
    adapter = device("""
        for seq, *_ in answers():
            tell(seq=seq)
            started["capabilities"] = ["discards"]
    """)
    adapter.driver_ok()
    with pytest.raises(AdapterError, match="answer every start alike"):
        adapter.start(SETUP)
    adapter.stop()


def test_much_on_standard_error_is_bounded_and_its_end_is_kept():
    adapter = device("""
        for seq, *_ in answers():
            for number in range(50000):
                print("line", number, file=sys.stderr)
            sys.stderr.flush()
            tell(seq=seq)
    """)
    adapter.driver_ok()
    said = adapter.said()
    assert said[-1] == "line 49999"
    assert len(said) == 20
    adapter.start(SETUP)
    assert adapter.said() == ()
    adapter.stop()
    assert adapter.said() == ()


def test_a_line_longer_than_the_pipe_goes_through_while_the_program_writes_too():
    adapter = device("""
        for seq, command, line in answers():
            tell(seq=seq, events=[{"event": "used", "queue": 0, "buffer": "b", "length": 0,
                                   "written": line["readable"]}])
    """)
    data = os.urandom(1 << 18)
    adapter.make_available(0, Buffer("b", data))
    (event,) = adapter.observe(0.0)
    assert event.written == data
    adapter.stop()


def test_without_a_start_there_is_nothing_to_ask():
    adapter = programs.target(programs.program("for _ in answers(): pass")).make()
    with pytest.raises(AdapterError, match="call start first"):
        adapter.driver_ok()
    adapter.stop()
    adapter.stop()


def test_answers_of_the_wrong_length_are_the_adapters_fault():
    adapter = device("for seq, *_ in answers(): tell(seq=seq, data='0000')")
    with pytest.raises(AdapterError, match="answered configuration-read with 2 bytes; 4 were asked for"):
        adapter.read_configuration(0, 4)
    adapter.stop()


def test_an_argument_reaches_the_program_as_it_is():
    words = ("/bin/sh", "-c", 'read -r line; echo "$1" >&2', "sh", "a  b*")
    with pytest.raises(AdapterError, match=r"its last words: a  b\*"):
        Program(programs.options(words)).start(SETUP)


def test_what_a_suite_writes_is_a_line_a_program_can_read():
    body = "for seq, command, line in answers(): print(json.dumps(line), file=sys.stderr, flush=True); tell(seq=seq)"
    adapter = device(body)
    adapter.make_available(3, Buffer("r1", b"", 16, notify=False))
    (said,) = adapter.said()
    assert json.loads(said) == {
        "seq": 2,
        "command": "available",
        "queue": 3,
        "buffer": "r1",
        "readable": "",
        "writable": 16,
        "notify": False,
    }
    adapter.stop()


def test_memory_in_a_hole_of_it_is_the_programs_fault():
    words = programs.program(
        'started["memory"] = [[0, 0x100]]\nfor _ in answers(): pass',
        capabilities=("synchronous", "memory-holes"),
    )
    target = programs.target(words)
    adapter = target.make()
    try:
        adapter.start(SETUP)
        assert adapter.memory == SETUP.memory == PageSet([(0, 0x100)])
        with pytest.raises(AdapterError, match=r"says that pages 0x10\+2 exist, which start named as holes"):
            adapter.start(replace(SETUP, memory_holes=PageSet([(0x10, 2)])))
    finally:
        adapter.stop()
