"""Starting and ending a kernel in user mode, with stand-ins that do what a kernel should not."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from uml_leftovers import nothing_left, processes_of

from balloon_conformance.iut.contract import AdapterError, ImplementationCrashed, ImplementationHung, Setup
from balloon_conformance.iut.linux_uml import BUILT_IN, LinuxUml, UmlOptions, parts, target
from balloon_conformance.iut.linux_uml.process import GuestKernel, memory_directory
from balloon_spec.events import Side
from balloon_spec.pages import EMPTY
from balloon_spec.profiles import BASE


@pytest.fixture(autouse=True)
def place(monkeypatch):
    with nothing_left(monkeypatch) as place:
        yield place


@pytest.fixture
def stand_in(tmp_path):
    """Make options whose kernel prints a release, and otherwise runs the given shell lines."""
    busybox = tmp_path / "busybox"
    busybox.write_bytes(b"\x7fELF static")
    busybox.chmod(0o755)

    def make(lines, release="6.1.0", **options):
        path = tmp_path / "linux"
        path.write_text(f'#!/bin/sh\n[ "$1" = --version ] && {{ echo "{release}"; exit; }}\n{lines}\n')
        path.chmod(0o755)
        given = {"module": BUILT_IN, "busybox": str(busybox), "start_seconds": 10.0} | options
        return UmlOptions(kernel=str(path), **given)

    return make


@pytest.fixture
def scripted(stand_in):
    """Make options whose kernel runs Python lines, with the guest's end of the serial line as ``line``."""

    def make(lines, **options):
        head = 'import os,re,socket,sys,time; a=" ".join(sys.argv)\nline=socket.socket(fileno=int(re.search("ssl0=fd:([0-9]+)", a)[1]))'
        return stand_in(f"exec {sys.executable} - \"$@\" <<'END'\n{head}\n{lines}\nEND", **options)

    return make


def start(options):
    adapter = LinuxUml(options)
    try:
        adapter.start(Setup(BASE))
    finally:
        adapter.stop()


def test_a_missing_kernel_is_named_with_the_package():
    with pytest.raises(
        AdapterError, match="no executable 'no-linux'; install Debian's package user-mode-linux"
    ):
        start(UmlOptions(kernel="no-linux"))


def test_a_missing_busybox_is_named_with_the_package(stand_in):
    with pytest.raises(AdapterError, match="no executable 'no-bb'; install Debian's package busybox-static"):
        start(stand_in("exit 1", busybox="no-bb"))


def test_a_busybox_that_is_not_static_is_refused(stand_in, tmp_path):
    (tmp_path / "busybox").write_bytes(b"\x7fELF ... /lib64/ld-linux-x86-64.so.2")
    with pytest.raises(AdapterError, match="is not static; install Debian's package busybox-static"):
        start(stand_in("exit 1"))


def test_a_module_that_is_not_there_is_named(stand_in):
    with pytest.raises(
        AdapterError, match=r"no module at /nowhere\.ko; name a virtio_balloon\.ko, or say --uml-"
    ):
        start(stand_in("exit 1", module="/nowhere.ko"))


def test_a_release_without_an_installed_module_is_named(stand_in):
    with pytest.raises(AdapterError, match=r"no virtio_balloon module for .* \(9\.9\.9\) in /usr/lib/uml"):
        start(stand_in("exit 1", release="9.9.9", module=""))


@pytest.mark.parametrize("suffix", ["", ".xz"])
def test_the_module_is_looked_for_by_the_kernels_release(stand_in, tmp_path, monkeypatch, suffix):
    monkeypatch.setattr(parts, "MODULES", tmp_path / "modules")
    folder = tmp_path / "modules/5.5.5/kernel/drivers/virtio"
    folder.mkdir(parents=True)
    module = folder / f"virtio_balloon.ko{suffix}"
    module.write_bytes(parts.lzma.compress(b"\x7fELF") if suffix else b"\x7fELF")
    found = parts.find_parts(stand_in("exit 1", release="5.5.5", module=""))
    # The sum of these four bytes, by sha256sum(1).
    assert found.description == "Linux 5.5.5 in user mode, virtio_balloon module 3bdbb4fe8397"


def test_a_program_that_is_no_kernel_is_refused(stand_in):
    with pytest.raises(
        AdapterError, match=r"printed no release; name a Linux built for user mode \(ARCH=um\)"
    ):
        start(stand_in("exit 1", release="GNU bash, version 5"))


def test_a_kernel_that_dies_at_start_is_reported_with_its_last_line(stand_in):
    options = stand_in("echo one; echo 'Kernel panic - not syncing: VFS' >&2; echo; exit 7")
    with pytest.raises(AdapterError) as caught:
        start(options)
    assert str(caught.value) == (
        f"the kernel {options.kernel} died at start, exit status 7;"
        " its last words: Kernel panic - not syncing: VFS"
    )


def test_death_by_a_signal_without_a_word_is_named(stand_in):
    with pytest.raises(AdapterError, match="died at start, killed by SIGABRT, without a word"):
        start(stand_in("kill -ABRT $$"))


def test_death_is_seen_although_a_child_holds_everything_open(stand_in):
    # The stand-in for the processes a kernel traces; it outlives its parent and ignores SIGTERM.
    with pytest.raises(AdapterError, match="exit status 3; its last words: gone"):
        start(stand_in("trap '' TERM; sleep 1000 & echo gone; exit 3"))


def test_silence_at_start_is_bounded_and_the_whole_group_is_killed(stand_in):
    options = stand_in("trap '' TERM; echo booting; sleep 1000 & wait", start_seconds=0.5)
    with pytest.raises(AdapterError, match=r"did not come up within 0\.5 seconds; its last words: booting"):
        start(options)


def test_a_flood_on_the_console_neither_blocks_nor_fills_memory(stand_in):
    flood = "i=0; while [ $i -lt 20000 ]; do echo 0123456789012345678901234567890123456789; i=$((i+1)); done"
    with pytest.raises(AdapterError, match="its last words: the end"):
        start(stand_in(f"{flood}; echo the end; exit 1"))


def test_a_flood_that_does_not_end_is_ended(stand_in):
    with pytest.raises(AdapterError, match=r"did not come up within 0\.5 seconds; its last words: y"):
        start(stand_in("exec yes", start_seconds=0.5))


def test_a_kernel_without_the_transport_is_told_from_one_that_died(scripted):
    options = scripted('line.sendall(b"error the kernel has no virtio_uml\\n"); time.sleep(1000)')
    with pytest.raises(AdapterError, match="linux cannot be used: the kernel has no virtio_uml"):
        start(options)


def test_a_guest_that_babbles_without_an_end_is_cut_off(scripted):
    with pytest.raises(AdapterError, match="the guest's answer is longer than 65536 bytes"):
        start(scripted('while True: line.sendall(b"x" * 4096)'))


def test_a_module_that_cannot_be_loaded_is_the_users_to_replace(scripted):
    options = scripted(
        'line.sendall(b"ready\\n"); line.recv(99); line.sendall(b"error insmod: invalid module format\\n"); time.sleep(1000)'
    )
    with pytest.raises(AdapterError, match="the guest could not 'load': insmod: invalid module format"):
        start(options)


def test_a_guest_that_does_not_answer_hangs(scripted):
    options = scripted(
        'line.sendall(b"ready\\n"); print("busy", flush=True); time.sleep(1000)', answer_seconds=0.5
    )
    with pytest.raises(
        ImplementationHung, match=r"did not answer 'load' within 0\.5 seconds; its last words: busy"
    ):
        start(options)


def test_an_answer_in_pieces_is_put_together_and_two_are_told_apart(scripted):
    kernel = GuestKernel(
        scripted(
            'line.sendall(b"rea"); line.sendall(b"dy\\nok o"); line.recv(99); line.sendall(b"ne\\nok two\\n"); line.recv(99)'
        )
    )
    try:
        assert kernel.answer(0) is None
        assert kernel.ask("first") == "one"
        assert kernel.ask("second") == "two"
        with pytest.raises(AdapterError, match="more than one line; send one at a time"):
            kernel.send("a\nb")
        with pytest.raises(ImplementationCrashed, match="the kernel ended: exit status 0, without a word"):
            kernel.answer(10)
        with pytest.raises(ImplementationCrashed, match="exit status 0"):
            kernel.ask("third")
    finally:
        kernel.stop()
        kernel.stop()


def test_what_the_kernel_is_started_with(scripted, place):
    told = "print(sys.argv[1:], sorted(os.environ), os.getpid() == os.getpgid(0) == os.getsid(0), flush=True)"
    options = scripted(
        f'line.sendall(b"ready\\n"); {told}; line.recv(1)',
        memory_mib=64,
        extra_kernel_arguments=("loglevel=7", "slub_debug=P"),
    )
    kernel = GuestKernel(options)
    try:
        directory = str(Path(kernel.socket).parent)
        with pytest.raises(ImplementationCrashed) as caught:
            kernel.ask("end")
    finally:
        kernel.stop()
    assert directory.startswith(place)
    arguments, environment = str(caught.value).partition("last words: ")[2].split("] ")[:2]
    for word in ("nohz=off", "mem=64M", f"initrd={directory}/initramfs", f"uml_dir={directory}"):
        assert repr(word) in arguments
    assert f"'virtio_uml.device={directory}/vhost:5'" in arguments
    assert arguments.endswith("'loglevel=7', 'slub_debug=P'")
    assert "'TMPDIR'" in environment
    assert str(caught.value).endswith("] True")


def test_too_little_memory_is_refused_before_anything_starts(stand_in):
    with pytest.raises(AdapterError, match="8 MiB of guest memory are too few; allow 32 or more"):
        start(stand_in("exit 1", memory_mib=8))


def test_no_place_for_memory_names_what_was_tried(monkeypatch):
    monkeypatch.setattr(
        os, "statvfs", lambda _place: SimpleNamespace(f_flag=os.ST_NOEXEC, f_bavail=1 << 30, f_frsize=4096)
    )
    with pytest.raises(
        AdapterError, match=r"no directory for 128 MiB of guest memory among .*noexec; set TMPDIR"
    ):
        memory_directory(128 << 20)
    monkeypatch.setattr(os, "statvfs", lambda _place: SimpleNamespace(f_flag=0, f_bavail=1, f_frsize=4096))
    with pytest.raises(AdapterError, match="full or mounted noexec"):
        memory_directory(128 << 20)
    monkeypatch.setattr(os, "access", lambda _place, _mode: False)
    with pytest.raises(AdapterError, match="among none"):
        memory_directory(128 << 20)


def test_stopping_twice_or_before_the_start_does_no_harm(stand_in):
    adapter = LinuxUml(stand_in("exit 1"))
    adapter.stop()
    for use in (lambda: adapter.observe(0), lambda: adapter.guest("memory"), adapter.reset):
        with pytest.raises(AdapterError, match="not running; start the adapter first"):
            use()
    adapter.stop()


def test_a_suite_that_is_killed_leaves_nothing_although_its_kernel_is_wedged(scripted, place):
    # It takes no notice of the end of its line, nor does its child, and neither would end by itself.
    options = scripted('line.sendall(b"ready\\n"); os.fork(); time.sleep(1000)')
    suite = f"""
import sys
from balloon_conformance.iut.linux_uml import UmlOptions, process
process.memory_directory = lambda _size_bytes: {place!r}
kernel = process.GuestKernel({options!r})
print(kernel.pid, flush=True)
sys.stdin.read()
"""
    with subprocess.Popen(
        [sys.executable, "-c", suite], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        pid = int(process.stdout.readline())
        assert len(processes_of(place)) > 1
        assert pid in processes_of(place)
        process.kill()
    # What is left is counted when the test has ended.


def test_what_the_adapter_cannot_do_is_said(stand_in):
    adapter = LinuxUml(stand_in("exit 1"))
    with pytest.raises(AdapterError, match="chooses the pages to inflate; command the guest instead"):
        adapter.steer("inflate", EMPTY)
    with pytest.raises(AdapterError, match="no command 'suspend'; it has allocate, clear"):
        adapter.guest("suspend")


def test_the_target_makes_a_fresh_adapter_each_time(stand_in):
    uml = target(stand_in("exit 1"))
    assert (uml.name, uml.side, uml.default_profile) == ("linux-uml", Side.DRIVER, "mainline")
    assert uml.make() is not uml.make()
    assert uml.make().description == "Linux 6.1.0 in user mode, driver built in"
