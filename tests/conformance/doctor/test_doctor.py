"""The doctor sees what is wrong with an adapter, and nothing in one that is well."""

import json
import shlex
from textwrap import dedent

import pytest
import stdio_programs as programs
from jsonschema import Draft202012Validator
from run_command import run_command

from balloon_conformance.doctor import impossible_cases
from balloon_conformance.doctor.diagnosis import Health
from balloon_conformance.doctor.examination import examine, examine_briefly, examine_program
from balloon_conformance.doctor.program_checks import PROGRAM_CHECKS
from balloon_conformance.iut.contract import AdapterError, Target
from balloon_conformance.iut.reference.adapter import (
    ReferenceDevice,
    ReferenceDriver,
    reference_device_target,
    reference_driver_target,
)
from balloon_conformance.iut.stdio.schema import command_schema
from balloon_conformance.iut.stdio.target import program_of
from balloon_conformance.running.outcome import Outcome, Status
from balloon_spec.events import Side
from balloon_spec.pages import EMPTY
from balloon_spec.profiles import BASE, CHUNK_TRANSFER, MAINLINE

HONEST = {
    Side.DEVICE: dedent("""
        for seq, command, line in answers():
            if command == "negotiate":
                tell(seq=seq, features_ok=True)
            elif command == "reset":
                tell(seq=seq, offered="0x10000001f")
            elif command == "configuration-read":
                tell(seq=seq, data="00" * line["length"])
            elif command in ("driver-ok", "available", "observe", "configuration-write"):
                tell(seq=seq)
            elif command in ("operator", "discarded", "reread"):
                tell(seq=seq, error="not-implemented")
            else:
                tell(seq=seq, error="unknown-command")
    """),
    Side.DRIVER: dedent("""
        buffer = {"event": "available", "queue": 2, "buffer": "s", "readable": "04000000000100000000", "writable": 0}
        for seq, command, line in answers():
            if command == "negotiate":
                tell(seq=seq, accepted=line["offered"], events=[buffer])
            elif command in ("reset", "used", "configuration-change", "observe"):
                tell(seq=seq)
            elif command in ("guest", "guest-command", "memory-read", "memory-write", "reread"):
                tell(seq=seq, error="not-implemented")
            else:
                tell(seq=seq, error="unknown-command")
    """),
}
"""Programs that keep the protocol and claim nothing."""

REREADS = dedent("""
    flying, kept = {}, {}
    for seq, command, line in answers():
        key = (line.get("queue"), line.get("buffer"))
        if command == "reread":
            readable = flying.get(key, kept.get(key))
            tell(seq=seq, **({"error": "refused"} if readable is None else {"readable": readable}))
            KEEP
            continue
        kept.clear()
        if command == "negotiate":
            tell(seq=seq, features_ok=True)
        elif command == "reset":
            flying.clear()
            tell(seq=seq, offered="0x10000001f")
        elif command == "start":
            flying.clear()
        elif command == "configuration-read":
            tell(seq=seq, data="00" * line["length"])
        elif command == "available":
            flying[key] = line["readable"]
            tell(seq=seq)
        elif command == "driver-ok":
            kept.update({key: flying.pop(key) for key in list(flying) if key[0] == 0})
            tell(seq=seq, events=[{"event": "used", "queue": 0, "buffer": key[1], "length": 0, "written": ""} for key in kept])
        elif command in ("observe", "configuration-write"):
            tell(seq=seq)
        elif command in ("operator", "discarded"):
            tell(seq=seq, error="not-implemented")
        else:
            tell(seq=seq, error="unknown-command")
""")
"""A device that returns what waits at DRIVER_OK in one answer; KEEP stands for what a reread does beside."""


def examined(body, what=None, *, side=Side.DEVICE, capabilities=("synchronous",)):
    """Return the diagnoses by what was looked at: of one look, or of all."""
    text = programs.program(body, role=str(side), capabilities=capabilities)
    program = program_of(programs.target(text, answer_seconds=2.0))
    checks = [check for check in PROGRAM_CHECKS if what in {None, check[0]}]
    return {one.what: one for one in examine_program(program, CHUNK_TRANSFER, checks)}


@pytest.mark.parametrize("side", list(Side))
def test_an_honest_program_has_nothing_to_mend(side):
    found = examined(HONEST[side], side=side)
    unwell = {what for what, one in found.items() if one.health is not Health.WELL}
    # That a device claims no discards is advice.
    assert unwell == ({"pages nobody gave up"} if side is Side.DEVICE else set())
    assert len(found) >= 17


@pytest.mark.parametrize("profile", [BASE, MAINLINE], ids=lambda one: one.name)
def test_a_program_is_started_under_the_profile_it_is_examined_under(tmp_path, profile):
    log = tmp_path / "profiles"
    body = f"for text in sys.stdin: open({str(log)!r}, 'a').write(json.loads(text).get('profile', '') + ' '); tell(seq=json.loads(text)['seq'], **started)"
    program = program_of(programs.target(programs.program(body)))
    (check,) = [one for one in PROGRAM_CHECKS if one[0] == "an unknown capability"]
    log.unlink()
    assert [one.health for one in examine_program(program, profile, [check])] == [Health.WELL] * 2
    assert set(log.read_text().split()) == {profile.name}


def instead(condition, statement):
    """Return the honest device with one more thing it does first where ``condition`` holds."""
    first = '    if command == "negotiate":'
    return HONEST[Side.DEVICE].replace(
        first, f'    if {condition}:\n        {statement}\n    elif command == "negotiate":'
    )


UNWELL = {
    "takes unknown commands": (
        instead("command == 'make-coffee'", "tell(seq=seq)"),
        "an unknown command",
        "there is no such command; answer it with the error unknown-command",
    ),
    "refuses unknown commands in another word": (
        instead("command == 'make-coffee'", "tell(seq=seq, error='refused')"),
        "an unknown command",
        'answered the command make-coffee with the error refused; answer "unknown-command"',
    ),
    "takes commands of the other side": (
        instead("command == 'used'", "tell(seq=seq)"),
        "a command of the other side",
        'it is a device, and answered used with no error; answer "unknown-command"',
    ),
    "ends at unknown fields": (
        instead("'sugar' in line", "sys.exit(2)"),
        "an unknown field",
        "ended with exit status 2",
    ),
    "refuses unknown fields": (
        instead("'sugar' in line", "tell(seq=seq, error='refused')"),
        "an unknown field",
        "pass over unknown fields",
    ),
    "reads short lines alone": (
        instead("'padding' in line", "tell(seq=seq, error='refused')"),
        "a very long line",
        "read lines of any length up to that",
    ),
    "ends at long lines": (
        instead("'padding' in line", "os.abort()"),
        "a very long line",
        "was killed by SIGABRT",
    ),
    "takes another version": (
        "LENIENT = True\n" + HONEST[Side.DEVICE],
        "another version of the protocol",
        'it answered start with protocol 3 with no error; answer "refused" to a version that it does not speak',
    ),
    "logs to standard output": (
        instead("command == 'driver-ok'", "tell(seq=seq); print('debug: ready', flush=True)"),
        "nothing but answers on standard output",
        "debug: ready",
    ),
    "keeps the configuration": (
        instead("command == 'configuration-read'", "n = globals().get('n', 0) + 1; tell(seq=seq, data=f'{n:016x}')"),
        "a second start",
        "begin anew",
    ),
    "imitates what it does not claim": (
        instead("command == 'discarded'", "tell(seq=seq, discarded=line['pages'])"),
        "what it does not claim it refuses",
        'it does not claim discards, and carried discarded out all the same; claim it, or answer "not-implem',
    ),
    "claims what it cannot do": (
        HONEST[Side.DEVICE],
        "what it claims it does",
        "it claims discards, and answered discarded with the error not-implemented; carry it out, or do not",
        {"capabilities": ("discards", "synchronous")},
    ),
    "claims to read again what it cannot": (
        HONEST[Side.DEVICE],
        "what it claims it does",
        "it claims reread, and answered reread with the error not-implemented",
        {"capabilities": ("reread", "synchronous")},
    ),
    "has discarded whatever it is asked about": (
        instead("command == 'discarded'", "tell(seq=seq, discarded=line['pages'])"),
        "pages nobody gave up",
        "it says that 0x1000+2 was discarded or overwritten, which nobody gave up; look at memory",
        {"capabilities": ("discards", "synchronous")},
    ),
    "returns a buffer of before a reset": (
        "held = []\n"
        + instead(
            "command == 'available'",
            "held.append(line['buffer']); tell(seq=seq, events=[{'event': 'used', 'queue': 2, 'buffer': "
            "held[0], 'length': 0, 'written': ''}] if len(held) > 1 else [])",
        ),
        "a reset forgets",
        "it returned a buffer of before a reset",
    ),
    "tells of events later": (
        instead("command == 'observe'", "tell(seq=seq, events=[{'event': 'needs-reset'}])"),
        "events come in time",
        "it claims synchronous, and told needs-reset only later; tell all in the answer",
    ),
    "leaves a child behind": (
        "subprocess.Popen(['sleep', '100'])\n" + HONEST[Side.DEVICE],
        "a stop in the middle",
        "it did not answer stop and end within a second, with all it started",
    ),
    "makes no buffers after a reset": (
        HONEST[Side.DRIVER].replace("events=[buffer]", "events=[buffer] if seq < 3 else []"),
        "a reset forgets",
        "it made buffers available after start, and none after reset",
        {"side": Side.DRIVER},
    ),
    "takes a buffer of before a reset back": (
        HONEST[Side.DRIVER]
        .replace("events=[buffer]", "events=[{**buffer, 'buffer': f's{seq}'}]")
        .replace("tell(seq=seq)", "tell(seq=seq, events=[buffer] if command == 'used' else [])"),
        "a reset forgets",
        "it took back s2, a buffer of before a reset, and made another of it; forget it",
        {"side": Side.DRIVER},
    ),
    "forgets a returned buffer at the first reread": (
        REREADS.replace("KEEP", "kept.clear()"),
        "buffers read again",
        "answered reread of a buffer returned, 2 of 2 in one answer with the error refused; keep buffers that w",
        {"capabilities": ("reread", "synchronous")},
    ),
    "forgets a buffer that was read again": (
        REREADS.replace("KEEP", "flying.pop(key, None)"),
        "buffers read again",
        "answered reread of a buffer in flight with the error refused",
        {"capabilities": ("reread", "synchronous")},
    ),
    "reads another buffer": (
        REREADS.replace("flying.get(key, kept.get(key))", "next(iter(flying.values()), None)"),
        "buffers read again",
        "a buffer returned, 1 of 2 in one answer that held 0510000006100000 reads 04000000000100000000",
        {"capabilities": ("reread", "synchronous")},
    ),
    "of a driver reads nothing": (
        HONEST[Side.DRIVER].replace('"memory-write", "reread"', '"memory-write"').replace(
            '    elif command in ("guest"',
            '    elif command == "reread":\n        tell(seq=seq, readable="")\n    elif command in ("guest"',
        ),
        "buffers read again",
        "a buffer in flight that held 04000000000100000000 reads , which nobody changed",
        {"side": Side.DRIVER, "capabilities": ("reread", "synchronous")},
    ),
    "stays at the end of its input": (
        HONEST[Side.DEVICE] + "signal.pause()\n",
        "the end of its input",
        "end with it",
    ),
}  # fmt: skip


def unwell(case):
    body, what, text, *options = case
    one = examined(body, what, **dict(*options))[what]
    assert text in one.text
    assert "\n" not in one.text
    assert one.page.startswith("docs/test/stdio-protocol.md#")
    return one.health


@pytest.mark.parametrize("case", UNWELL.values(), ids=list(UNWELL))
def test_what_is_to_mend_is_seen_and_where(case):
    assert unwell(case) is Health.MEND


ADVICE = {
    "refuses what it does not claim in another word": (
        instead("command == 'discarded'", "tell(seq=seq, error='refused')"),
        "what it does not claim it refuses",
        'it does not claim discards, and answered discarded with the error refused; answer "not-implemented"',
    ),
    "waits for nothing": (
        HONEST[Side.DEVICE],
        "events come in time",
        "if that is so by design, claim synchronous",
        {"capabilities": ()},
    ),
    "is slow": (
        instead("command == 'observe'", "time.sleep(0.06); tell(seq=seq)"),
        "how fast it answers",
        "ms in the median",
    ),
    "is very slow": (
        instead("line['seq'] == 3", "time.sleep(1.1); tell(seq=seq)"),
        "how fast it answers",
        "one answer took 1.",
    ),
}


@pytest.mark.parametrize("case", ADVICE.values(), ids=list(ADVICE))
def test_what_costs_time_or_hides_something_is_advice(case):
    assert unwell(case) is Health.ADVICE


def test_one_thing_to_mend_is_told_once():
    found = examined("for seq, *_ in answers(): tell(seq=seq, error='not-implemented')")
    mend = [what for what, one in found.items() if "answered negotiate with" in one.text]
    assert mend == ["a negotiation"]
    assert found["a reset forgets"].health is Health.OPEN
    assert found["a reset forgets"].text == "not seen: a negotiation is in the way"


# -- any adapter ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "target",
    [reference_device_target(), reference_driver_target(), reference_driver_target(steered=False)],
    ids=["device", "driver", "driver of its own pages"],
)
def test_the_references_are_well(target):
    found = {one.what: one.health for one in examine(target, CHUNK_TRANSFER)}
    assert set(found.values()) == {Health.WELL}
    assert len(found) >= 5
    assert impossible_cases.play_impossible_cases(target).passed == ()


class DiscardsNothing(ReferenceDevice):
    def discarded(self, pages):
        return EMPTY, EMPTY


class StopsOnce(ReferenceDriver):
    """Cannot be stopped before it was started."""

    def stop(self):
        if self._driver is None:
            raise AdapterError("nothing to stop; start it first")
        super().stop()


class NeverStarts(ReferenceDevice):
    def start(self, setup):
        raise RuntimeError("no\nboard")


def diagnosed(kind):
    target = Target("python:mine:Adapter", kind().capabilities and Side.DEVICE, kind)
    return {one.what: one for one in examine(target, CHUNK_TRANSFER)}


def test_what_an_adapter_raises_is_what_is_to_mend():
    found = diagnosed(NeverStarts)
    one = found["a start, and another"]
    assert (one.health, one.text) == (Health.MEND, "the adapter raised RuntimeError: no board")
    assert found["a case that it must fail"].health is Health.OPEN
    target = Target("python:mine:Adapter", Side.DRIVER, StopsOnce)
    assert {one.what: one.text for one in examine(target, CHUNK_TRANSFER)}[
        "a stop without a start, and two of them"
    ] == ("nothing to stop; start it first")


def test_an_adapter_that_says_yes_to_everything_is_seen(monkeypatch):
    monkeypatch.setattr(impossible_cases, "play", lambda vector, *_rest: Outcome(vector.id, Status.PASSED))
    one = list(examine(reference_device_target(), CHUNK_TRANSFER))[-1]
    assert one.health is Health.MEND
    assert one.text.startswith("it passes what cannot be passed (A page beside the one given up is")


def test_a_device_that_discards_nothing_is_not_taken_for_one_that_says_yes():
    one = diagnosed(DiscardsNothing)["a case that it must fail"]
    assert one.health is Health.WELL


# -- the commands -----------------------------------------------------------------------------------------


def stdio(body):
    return f"stdio:{shlex.join(programs.program(body))}"


def test_the_command_lists_what_is_well_and_what_to_mend(tmp_path):
    done = run_command(tmp_path, "doctor", stdio(HONEST[Side.DEVICE]))
    assert done.code == 0, done.out
    assert "well   an unknown command" in done.out
    assert "The adapter is well" in done.out
    assert "next  balloon-conformance run" in done.out
    bad = run_command(tmp_path, "doctor", stdio(UNWELL["takes unknown commands"][0]))
    assert bad.code == 3
    assert "mend   an unknown command" in bad.out
    assert "see docs/test/stdio-protocol.md#errors" in bad.out
    assert "1 to mend, before a verdict can be trusted." in bad.out


def test_what_cannot_be_looked_at_is_not_called_well(tmp_path):
    """A device that refuses every driver: nothing is to mend, and nothing is known."""
    body = HONEST[Side.DEVICE].replace("features_ok=True", "features_ok=False")
    done = run_command(tmp_path, "doctor", stdio(body))
    assert done.code == 5, done.out
    assert "can be trusted." not in done.out
    text = " ".join(done.out.split())
    assert "Nothing to mend was seen, but " in text
    assert text.endswith("could not be looked at: whether its verdicts can be trusted is not known.")


def test_a_program_that_keeps_what_it_returned_is_well():
    found = examined(REREADS.replace("KEEP", "pass"), capabilities=("reread", "synchronous"))
    assert found["buffers read again"].health is Health.WELL
    assert {one.health for one in found.values()} <= {Health.WELL, Health.ADVICE}


def test_what_is_no_implementation_is_bad_input(tmp_path):
    done = run_command(tmp_path, "doctor", "stdio:/nonexistent/device")
    assert (done.code, done.out, done.err.count("\n")) == (2, "", 1)


def test_a_run_says_first_when_the_adapter_is_at_fault(tmp_path):
    done = run_command(tmp_path, "run", stdio(UNWELL["refuses unknown fields"][0]))
    assert (done.code, done.out, done.err.count("\n")) == (3, "", 1)
    assert "the adapter is at fault, and nothing was judged: an unknown field: it answered" in done.err
    assert "balloon-conformance doctor 'stdio:" in done.err


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        ('tell(seq=seq, error="crashed", text="oops")', "oops"),
        ("sys.stdout.write('{\"seq\": '); sys.stdout.flush(); os._exit(3)", "exit status 3"),
    ],
)
def test_an_implementation_that_ends_over_its_first_negotiation_is_judged(tmp_path, answer, text):
    body = HONEST[Side.DEVICE].replace("tell(seq=seq, features_ok=True)", answer)
    done = run_command(tmp_path, "run", stdio(body), "-k", "inflate-one-run")
    assert done.code == 1, done.out + done.err
    assert "the adapter is at fault" not in done.err
    assert text in done.out


def test_the_short_form_is_for_programs_and_keeps_to_one_process(tmp_path):
    assert examine_briefly(reference_device_target(), CHUNK_TRANSFER) == ""
    count = tmp_path / "count"
    target = programs.target(
        programs.program(f"open({str(count)!r}, 'a').write('x')\n" + HONEST[Side.DEVICE])
    )
    before = len(count.read_text(encoding="utf-8"))
    assert examine_briefly(target, CHUNK_TRANSFER) == ""
    assert len(count.read_text(encoding="utf-8")) == before + 1


@pytest.mark.parametrize("side", ["device", "driver"])
def test_what_the_doctor_sends_keeps_the_published_schema(tmp_path, side):
    log = tmp_path / "log.jsonl"
    served = " ".join(programs.REFERENCE[side])
    text = ("sh", "-c", f"tee -a {log} | {served}")
    diagnoses = list(examine_program(program_of(programs.target(text)), CHUNK_TRANSFER))
    assert {one.health for one in diagnoses} == {Health.WELL}, diagnoses
    keeps = Draft202012Validator(command_schema())
    sent = [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()]
    for line in sent:
        keeps.validate(line)
    assert "make-coffee" in {line["command"] for line in sent}
