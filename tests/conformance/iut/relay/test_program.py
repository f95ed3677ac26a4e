"""The relay itself, compiled as it is for a guest, with a file for its machine's memory."""

from __future__ import annotations

import mmap
import select
import subprocess
import zlib

import pytest
from installed import tool

from balloon_conformance.iut.contract import AdapterError, Buffer, ImplementationCrashed, ImplementationHung
from balloon_conformance.iut.relay.buffers import RelayedBuffers
from balloon_conformance.iut.relay.build import SOURCE
from balloon_conformance.iut.relay.link import Link, frame
from balloon_conformance.iut.relay.ram import QUEUE_PAGES, RelayedRam
from balloon_conformance.iut.relay.reach import RelayedMachine
from balloon_conformance.iut.sight import NotVisible
from balloon_conformance.virtio import DeviceQueue, GuestMemory, Region
from balloon_spec.events import BufferAltered, Overwritten, Segment, Side, Used
from balloon_spec.pages import EMPTY, PageSet

PAGE = 4096
MEMORY_PAGES = 0x800
SPAN = PageSet([(0x100, 0x700)])
NAMEABLE = PageSet([(0x100, 0x700 - QUEUE_PAGES)])
WORD = bytes.fromhex("04030201")


@pytest.fixture(scope="module")
def program(tmp_path_factory):
    built = tmp_path_factory.mktemp("relay") / "relay"
    compiler = tool("cc", "gcc", "clang")
    subprocess.run(
        [compiler, "-std=gnu11", "-O1", "-Wall", "-Werror", "-o", built, SOURCE], check=True, timeout=60
    )
    return built


@pytest.fixture
def memory(tmp_path):
    path = tmp_path / "memory"
    path.write_bytes(bytes(MEMORY_PAGES * PAGE))
    with path.open("r+b") as file, mmap.mmap(file.fileno(), 0) as mapped:
        yield mapped


class Pipes:
    """A program's standard streams; ``mangle`` may change what it says."""

    def __init__(self, program, *arguments):
        self.process = subprocess.Popen(
            [program, *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0
        )
        self.mangle = lambda data: data

    def send(self, data):
        self.process.stdin.write(data)

    def receive(self, seconds):
        if not select.select([self.process.stdout], [], [], seconds)[0]:
            return None
        return self.mangle(self.process.stdout.read(1 << 16))


@pytest.fixture
def pipes(program, tmp_path, memory):
    del memory
    pipes = Pipes(program, tmp_path / "memory")
    yield pipes
    pipes.process.kill()
    pipes.process.wait()
    pipes.process.stdin.close()
    pipes.process.stdout.close()


@pytest.fixture
def machine(pipes):
    link = Link(pipes, 20, lambda: "nothing")
    link.greet(20)
    return RelayedMachine(link)


def one(page, count=1):
    return PageSet([(page, count)])


def test_accesses_have_the_width_that_was_asked_for(machine, memory):
    machine.writel(0x1000, 0x04030201)
    machine.writew(0x1004, 0x0605)
    machine.writeb(0x1006, 0x07)
    assert memory[0x1000:0x1008] == bytes(8), "writes wait for the next read"
    machine.flush()
    assert memory[0x1000:0x1008] == bytes.fromhex("0102030405060700")
    assert (machine.readl(0x1000), machine.readw(0x1005), machine.readb(0x1006)) == (0x04030201, 0x0706, 7)


def test_bytes_are_read_written_and_checked(machine, memory):
    data = bytes(range(256)) * 40
    machine.write([(0x2003, data), (0x9000, b"")])
    machine.flush()
    assert memory[0x2003 : 0x2003 + len(data)] == data
    assert machine.read([(0x2003, len(data)), (0x2003, 1), (0x2000, 0)]) == [data, b"\x00", b""]
    assert machine.checks([(0x2003, len(data))]) == [zlib.crc32(data)]


def test_a_file_of_the_guest_is_read(machine, tmp_path):
    (tmp_path / "map").write_text("0x0-0x9ffff\n")
    assert machine.file(str(tmp_path / "map")) == "0x0-0x9ffff\n"
    assert machine.file(str(tmp_path / "none")) is None


def test_a_look_tells_zeros_from_words_and_other_bytes(machine, memory):
    ram = RelayedRam(machine, SPAN, one(0, MEMORY_PAGES))
    assert ram.nameable == NAMEABLE
    assert ram.examine(ram.nameable) == (EMPTY, EMPTY)
    assert memory[0x200 * PAGE : 0x200 * PAGE + 10] == b"\xbaPFN\x00\x02\x00\x00\x09\x0a"
    memory[0x200 * PAGE : 0x202 * PAGE] = bytes(2 * PAGE)
    memory[0x300 * PAGE : 0x302 * PAGE] = WORD * 2048
    memory[0x302 * PAGE : 0x303 * PAGE] = WORD[::-1] * 1024
    memory[0x400 * PAGE + 7] ^= 0xFF
    assert ram.examine(ram.nameable) == (one(0x200, 2), one(0x300, 3) | one(0x400))
    assert set(ram.changes) == {
        Overwritten(one(0x300, 2), WORD),
        Overwritten(one(0x302), WORD[::-1]),
        Overwritten(one(0x400), spans=((0x400007, 1),)),
    }
    assert ram.examine(ram.nameable) == (EMPTY, EMPTY)


def test_a_case_names_its_own_pages_and_finds_them_as_they_were(machine, memory):
    ram = RelayedRam(machine, SPAN, one(0, MEMORY_PAGES))
    ram.begin(one(0, 0x300))
    assert ram.nameable == one(0x100, 0x200)
    for page in range(0x110, 0x150):
        ram.write_pages(one(page), b"\x5aNEW" + page.to_bytes(4, "little"))
    assert ram.examine(ram.nameable) == (EMPTY, EMPTY)
    memory[0x112 * PAGE : 0x113 * PAGE] = bytes(PAGE)
    assert ram.examine(ram.nameable) == (one(0x112), EMPTY)
    assert memory[0x112 * PAGE : 0x112 * PAGE + 8] == b"\x5aNEW\x12\x01\x00\x00"
    ram.begin(one(0, MEMORY_PAGES))
    assert ram.nameable == NAMEABLE
    assert memory[0x112 * PAGE : 0x112 * PAGE + 8] == b"\xbaPFN\x12\x01\x00\x00"


def test_pages_that_the_relay_cannot_keep_are_not_written(machine):
    ram = RelayedRam(machine, SPAN, one(0, MEMORY_PAGES))
    with pytest.raises(NotVisible, match="at most 256 bytes"):
        ram.write_pages(one(0x200), bytes(4095) + b"\x01")


def test_a_device_serves_the_rings_in_the_guests_memory(machine, memory):
    ram = RelayedRam(machine, SPAN, one(0, MEMORY_PAGES))
    lent = RelayedBuffers(ram, event_index=False, indirect=False)
    layout = lent.set_up(0, 8)
    with GuestMemory([Region(0, memory)]) as whole:
        device = DeviceQueue(whole, layout)
        named = Segment(8, address=0x200000)
        lent.lend(0, Buffer("first", b"beside", 16))
        lent.lend(0, Buffer("second", b"in pages", segments=(named,)))
        assert memory[0x200000:0x200008] == b"in pages"
        assert lent.collect() == []
        first, second = device.pop(), device.pop()
        assert (device.read(first), device.read(second)) == (b"beside", b"in pages")
        device.write(first, b"answer")
        device.push(first.head, 6)
        assert [event for event in lent.collect() if isinstance(event, Used)] == [
            Used(0, "first", 6, b"answer", False)
        ]
        whole.write(second.readable[0].address, b"IN")
        assert lent.collect() == [BufferAltered(0, "second", b"IN pages", by=Side.DEVICE)]


def test_an_answer_that_was_damaged_is_asked_for_again(machine, pipes):
    said = []

    def mangle(data):
        said.append(data)
        noise = b"[   12.345] kernel: it @1:works#00000000\r\n"
        return data.replace(b"#", b"!") if len(said) == 1 else noise + data

    pipes.mangle = mangle
    machine._link._again_seconds = 0.1
    assert machine.readl(0x1000) == 0
    assert machine._link.repeated >= 1
    assert "kernel: it @1:works#00000000" in machine._link.printed[-1]


def test_a_request_that_comes_again_is_answered_again_and_not_carried_out_again(pipes, memory):
    def answer():
        said = b""
        while not said.endswith(b"\n"):
            said += pipes.receive(20)
        return said

    assert b"hello" in answer()
    memory[0x1000] = 1
    pipes.send(frame("7", "r1,1000"))
    first = answer()
    assert first.startswith(b"\n@7:1#")
    memory[0x1000] = 2
    pipes.send(frame("7", "r1,1000"))
    assert answer() == first
    pipes.send(frame("8", "r1,1000"))
    assert answer().startswith(b"\n@8:2#")


def test_a_request_that_was_damaged_is_asked_for_again(machine, pipes):
    whole, sent = pipes.send, []

    def send(data):
        sent.append(data)
        whole(data if len(sent) > 1 else data[:3] + b"x" + data[4:])

    pipes.send = send
    assert machine.readl(0x1000) == 0
    assert (len(sent), machine._link.repeated) == (2, 1)


@pytest.mark.parametrize(
    ("operation", "words"),
    [
        ("q,1", "no operation q"),
        ("E,5,0,1", "no such pattern"),
        ("T,5,0,0102030405", "5 bytes does not fill a page"),
        ("r4,zz", "is not the end"),
        ("L,2f6e6f6e65", "No such file"),
    ],
)
def test_what_the_relay_cannot_do_is_said(machine, operation, words):
    with pytest.raises(AdapterError, match=words):
        machine._link.ask([operation])
    assert machine.readl(0) == 0


def test_a_relay_without_its_memory_says_so(program, tmp_path):
    pipes = Pipes(program, tmp_path / "none")
    with pytest.raises(AdapterError, match=r"cannot work in this kernel: .*none: No such file"):
        Link(pipes, 20, lambda: "nothing").greet(20)
    pipes.process.stdin.close()
    assert pipes.process.wait(20) == 0
    pipes.process.stdout.close()


def test_a_machine_that_ends_has_crashed(machine, pipes):
    pipes.process.kill()
    for _ in range(2):  # once lost, the link stays lost
        with pytest.raises(ImplementationCrashed, match="ended: nothing"):
            machine.readl(0)


def test_a_guest_that_does_not_answer_hangs(tmp_path):
    script = tmp_path / "silent"
    script.write_text(
        f"#!/bin/sh\nprintf '%s\\n' '{frame('hello', '').decode().strip()}'\nwhile read -r _; do :; done\n"
    )
    script.chmod(0o755)
    pipes = Pipes(script)
    link = Link(pipes, 0.05, lambda: "nothing")
    link.greet(20)
    with pytest.raises(ImplementationHung, match=r"did not answer 'r4,0' within 0\.05 seconds"):
        RelayedMachine(link).readl(0)
    pipes.process.kill()
    pipes.process.wait()
    pipes.process.stdin.close()
    pipes.process.stdout.close()
