"""Starting and ending QEMU, with stand-ins for the binary that do what a QEMU should not."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from balloon_conformance.iut.contract import AdapterError, Setup
from balloon_conformance.iut.qemu import QemuDevice, QemuOptions, target
from balloon_conformance.iut.qemu.options import MEANINGS
from balloon_conformance.iut.qemu.process import QemuProcess, firmware_image, version
from balloon_conformance.iut.qemu.ram import GuestRam
from balloon_conformance.iut.sight import NotVisible
from balloon_spec.events import Side
from balloon_spec.profiles import BASE, CHUNK_TRANSFER, MAINLINE


@pytest.fixture
def stand_in(tmp_path):
    """Make an executable that prints a version, and otherwise runs the given shell lines."""

    def make(lines, printed="QEMU emulator version 8.1.0"):
        path = tmp_path / "qemu"
        path.write_text(f'#!/bin/sh\n[ "$1" = --version ] && {{ echo "{printed}"; exit; }}\n{lines}\n')
        path.chmod(0o755)
        return str(path)

    return make


def start(binary, **options):
    adapter = QemuDevice(QemuOptions(binary=binary, **options))
    try:
        adapter.start(Setup(BASE, 0x200))
    finally:
        adapter.stop()


@pytest.fixture
def leaves_no_descriptor():
    before = sorted(fd.name for fd in Path("/proc/self/fd").iterdir())
    yield
    assert sorted(fd.name for fd in Path("/proc/self/fd").iterdir()) == before


@pytest.fixture
def leaves_no_process():
    yield
    children = Path("/proc/thread-self/children").read_text().split()
    assert [pid for pid in children if "qemu" in Path(f"/proc/{pid}/cmdline").read_text()] == []


pytestmark = pytest.mark.usefixtures("leaves_no_descriptor", "leaves_no_process")


def test_a_missing_binary_is_named_with_the_remedy():
    with pytest.raises(AdapterError, match=r"no executable 'qemu-of-nowhere'; install QEMU"):
        start("qemu-of-nowhere")


def test_a_file_that_cannot_be_run_is_named(tmp_path):
    path = tmp_path / "qemu"
    path.write_bytes(b"\x7fELF but no more than that")
    path.chmod(0o755)
    with pytest.raises(AdapterError, match="cannot be run: Exec format error"):
        start(str(path))


def test_an_old_binary_is_refused(stand_in):
    with pytest.raises(AdapterError, match=r"is QEMU 6\.2\.0; 7\.0 or later is needed"):
        start(stand_in("exit 1", "QEMU emulator version 6.2.0 (Debian 1:6.2)"))


def test_another_program_is_refused(stand_in):
    with pytest.raises(AdapterError, match="printed no QEMU version"):
        start(stand_in("exit 1", "GNU bash, version 5"))


def test_the_version_is_read_anew_when_the_binary_changes(stand_in):
    path = stand_in("exit 1", "QEMU emulator version 7.0.0")
    os.utime(path, ns=(1, 1))
    assert version(path) == "7.0.0"
    stand_in("exit 1", "QEMU emulator version 9.2.50 (v9.2.0-1-g1234567)")
    assert version(path) == "9.2.50"


def test_death_at_start_is_reported_with_the_last_line_of_standard_error(stand_in):
    binary = stand_in("echo first >&2; echo 'qemu: no such machine' >&2; echo >&2; exit 3")
    with pytest.raises(
        AdapterError, match="QEMU died at start, exit status 3; its last words: qemu: no such machine"
    ) as caught:
        start(binary)
    assert binary in str(caught.value)
    assert "\n" not in str(caught.value)


def test_death_by_a_signal_without_a_word_is_named(stand_in):
    with pytest.raises(AdapterError, match="died at start, killed by SIGABRT, without a word"):
        start(stand_in("kill -ABRT $$"))


def test_a_flood_on_standard_error_neither_blocks_nor_fills_memory(stand_in):
    binary = stand_in(
        "i=0; while [ $i -lt 20000 ]; do echo 0123456789012345678901234567890123456789 >&2; i=$((i+1)); done; echo the end >&2; exit 1"
    )
    with pytest.raises(AdapterError, match="its last words: the end"):
        start(binary)


def test_silence_at_start_is_bounded_and_the_whole_group_is_killed(stand_in, tmp_path):
    # The shell ignores SIGTERM, and so does its child.
    binary = stand_in(f"trap '' TERM; sleep 1000 & echo $! > {tmp_path}/child; wait")
    with pytest.raises(AdapterError, match=r"did not come up within 0\.5 seconds"):
        start(binary, start_seconds=0.5)
    child = int((tmp_path / "child").read_text())
    status = Path(f"/proc/{child}/stat")
    assert not status.exists() or status.read_text().split()[2] == "Z"


def test_a_peer_that_does_not_speak_qtest_is_the_adapters_fault(stand_in):
    binary = stand_in(
        f"exec {sys.executable} -c '"
        'import os,re,sys; a=" ".join(sys.argv); os.write(int(re.search("id=qtest,fd=([0-9]+)", a)[1]), b"220 mail\\n"); sys.stdin.read()'
        '\' "$@"'
    )
    with pytest.raises(AdapterError, match="220 mail"):
        start(binary)


def test_the_missing_library_is_named_with_the_command_that_installs_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "qemu.qmp", None)
    with pytest.raises(AdapterError, match=r"pip install 'virtio-balloon-conformance\[qemu\]'"):
        start("qemu-system-x86_64")


def test_stopping_twice_or_before_the_start_does_no_harm(stand_in):
    adapter = QemuDevice(QemuOptions(binary=stand_in("exit 1")))
    adapter.stop()
    with pytest.raises(AdapterError, match="not running; start the adapter first"):
        adapter.offered()
    adapter.stop()


def test_a_failed_start_closes_the_process_before_the_error_arrives(stand_in):
    ram = GuestRam(0x200)
    try:
        with pytest.raises(AdapterError, match="died at start"):
            QemuProcess(QemuOptions(binary=stand_in("exit 7")), ram.descriptor, ram.size_bytes)
    finally:
        ram.close()


@pytest.mark.parametrize(
    ("properties", "name"),
    [("page-poison=on", "bit 4 is not HOST_REQ_VQ"), ("free-page-hint=on", "bit 3 is not CHUNK_TRANSFER")],
)
def test_bits_with_another_meaning_are_refused_for_the_chunk_profile(properties, name):
    adapter = QemuDevice(QemuOptions(device_properties=properties))
    with pytest.raises(AdapterError, match=name):
        adapter.start(Setup(CHUNK_TRANSFER, 0x200))


def test_too_much_memory_is_refused_before_anything_is_allocated(stand_in):
    adapter = QemuDevice(QemuOptions(binary=stand_in("exit 1")))
    with pytest.raises(NotVisible, match="720896 pages in a row at most, not 1048576"):
        adapter.start(Setup(BASE, 1 << 20))
    greedy = QemuDevice(QemuOptions(binary=stand_in("exit 1"), memory_mib=4096))
    with pytest.raises(AdapterError, match="too many"):
        greedy.start(Setup(BASE))


def test_the_firmware_halts_where_the_processor_begins():
    image = firmware_image()
    assert len(image) == 65536
    assert image[-16:-12] == bytes.fromhex("fa f4 eb fd")


def test_user_properties_win_over_the_defaults():
    assert QemuOptions().switched_on("deflate-on-oom")
    changed = QemuOptions(device_properties="deflate-on-oom=off")
    assert not changed.switched_on("deflate-on-oom")
    assert changed.device.endswith("deflate-on-oom=off")


def test_the_profile_switches_on_what_has_its_meaning_in_qemu():
    assert QemuOptions.meant_by(BASE) == QemuOptions.meant_by(CHUNK_TRANSFER) == frozenset()
    on = QemuOptions.meant_by(MAINLINE)
    assert "page-poison" in on
    for name in MEANINGS:
        assert QemuOptions().with_properties(on).switched_on(name) is (name in on)


def test_a_moved_feature_switches_on_nothing():
    moved = MAINLINE.with_bits({"PAGE_POISON": 41})
    assert QemuOptions.meant_by(moved) == QemuOptions.meant_by(MAINLINE) - {"page-poison"}


def test_what_the_user_says_of_a_property_counts():
    options = QemuOptions(device_properties="page-poison=off")
    assert not options.with_properties(frozenset({"page-poison"})).switched_on("page-poison")


def test_a_process_serves_profiles_that_give_its_bits_no_other_meaning():
    on = QemuOptions.meant_by(MAINLINE)
    assert QemuOptions.can_serve(MAINLINE, on)
    assert QemuOptions.can_serve(BASE, on)
    assert not QemuOptions.can_serve(CHUNK_TRANSFER, on)
    assert QemuOptions.can_serve(CHUNK_TRANSFER, frozenset())
    assert not QemuOptions.can_serve(MAINLINE, frozenset())


def test_the_target_makes_a_fresh_adapter_each_time():
    qemu = target(QemuOptions(ring_size=64))
    assert (qemu.name, qemu.side, qemu.default_profile) == ("qemu", Side.DEVICE, "mainline")
    assert qemu.make() is not qemu.make()
