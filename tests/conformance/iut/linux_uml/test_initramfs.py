"""The guest's file system, read back by a reader that shares no code with what wrote it."""

from __future__ import annotations

import gzip
import lzma
import stat
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from balloon_conformance.iut.contract import AdapterError
from balloon_conformance.iut.initramfs import Entry, archive, device, directory, file, link
from balloon_conformance.iut.linux_uml import parts
from balloon_conformance.iut.linux_uml.guest_files import APPLETS, guest_files
from balloon_conformance.iut.linux_uml.parts import unpacked


@dataclass
class Read:
    inode: int
    mode: int
    links: int
    major: int
    minor: int
    contents: bytes


def read(data):
    """Read a newc archive as the kernel does: by its numbers alone."""
    at, found = 0, {}
    while True:
        assert data[at : at + 6] == b"070701"
        numbers = [int(data[at + 6 + 8 * i : at + 14 + 8 * i], 16) for i in range(13)]
        name_bytes = numbers[11]
        name = data[at + 110 : at + 110 + name_bytes]
        assert name[-1:] == b"\0"
        start = (at + 110 + name_bytes + 3) // 4 * 4
        assert not any(data[at + 110 + name_bytes : start])
        end = start + numbers[6]
        contents = data[start:end]
        at = (end + 3) // 4 * 4
        assert not any(data[end:at])
        if name == b"TRAILER!!!\0":
            assert at == len(data)
            return found
        found[name[:-1].decode()] = Read(
            numbers[0], numbers[1], numbers[4], numbers[9], numbers[10], contents
        )


def test_one_small_file_to_the_byte():
    assert archive([file("a", b"hello", 0o600)]) == (
        b"070701"
        b"00000001" b"00008180" b"00000000" b"00000000" b"00000001" b"00000000" b"00000005"
        b"00000000" b"00000000" b"00000000" b"00000000" b"00000002" b"00000000"
        b"a\0" b"hello\0\0\0"
        b"070701"
        b"00000000" b"00000000" b"00000000" b"00000000" b"00000001" b"00000000" b"00000000"
        b"00000000" b"00000000" b"00000000" b"00000000" b"0000000b" b"00000000"
        b"TRAILER!!!\0" b"\0\0\0"
    )  # fmt: skip


def test_every_kind_of_entry_keeps_its_type_and_numbers():
    found = read(archive([directory("dev"), device("dev/console", 5, 1), link("sh", "busybox")]))
    assert stat.S_ISDIR(found["dev"].mode)
    assert found["dev"].links == 2
    console = found["dev/console"]
    assert (stat.S_ISCHR(console.mode), console.major, console.minor) == (True, 5, 1)
    assert (stat.S_ISLNK(found["sh"].mode), found["sh"].contents) == (True, b"busybox")


@given(
    st.dictionaries(
        st.text("abcdefgh/._-", min_size=1, max_size=9).filter(lambda name: not name.startswith("/")),
        st.binary(max_size=20),
        max_size=6,
    )
)
def test_whatever_goes_in_comes_out(files):
    found = read(archive([file(name, contents) for name, contents in files.items()]))
    assert {name: entry.contents for name, entry in found.items()} == files
    assert len({entry.inode for entry in found.values()}) == len(files)


@pytest.mark.parametrize("name", ["", "/init", "a\0b", "TRAILER!!!"])
def test_a_name_the_archive_cannot_hold_is_refused(name):
    with pytest.raises(ValueError, match="cannot be a name"):
        archive([Entry(name, stat.S_IFREG)])


def test_the_same_name_twice_is_refused():
    with pytest.raises(ValueError, match="'a' is in the archive twice"):
        archive([file("a", b""), file("a", b"")])


def test_the_guest_has_its_program_its_devices_and_what_the_program_calls():
    found = read(archive(guest_files(b"BUSYBOX", b"MODULE")))
    assert found["bin/busybox"].contents == b"BUSYBOX"
    assert found["balloon.ko"].contents == b"MODULE"
    assert found["init"].contents.startswith(b"#!/bin/sh\n")
    assert found["init"].mode & 0o111
    assert {f"bin/{applet}" for applet in (*APPLETS, "sh")} <= found.keys()
    assert {"dev/console", "dev/null", "dev/zero", "dev/ttyS0"} <= found.keys()
    for name in found:
        parent = name.rpartition("/")[0]
        assert not parent or list(found).index(parent) < list(found).index(name)


def test_a_driver_that_is_built_in_needs_no_module():
    assert "balloon.ko" not in read(archive(guest_files(b"", None)))


_MODULE = b"\x7fELF and so on"


@pytest.mark.parametrize(
    ("suffix", "pack"), [("", bytes), (".xz", lzma.compress), (".gz", gzip.compress)], ids=["ko", "xz", "gz"]
)
def test_a_packed_module_is_unpacked(tmp_path, suffix, pack):
    path = tmp_path / f"virtio_balloon.ko{suffix}"
    path.write_bytes(pack(_MODULE))
    assert unpacked(path) == _MODULE


def test_zst_is_left_to_its_program(tmp_path, monkeypatch):
    program = tmp_path / "zstd"
    program.write_text('#!/bin/sh\n[ "$1" = -dcq ] && exec cat "$3"\n')
    program.chmod(0o755)
    path = tmp_path / "virtio_balloon.ko.zst"
    path.write_bytes(_MODULE)
    monkeypatch.setattr(parts.shutil, "which", lambda _name: str(program))
    assert unpacked(path) == _MODULE
    program.write_text("#!/bin/sh\necho 'not in zstd format' >&2; exit 1\n")
    with pytest.raises(AdapterError, match="zstd says not in zstd format"):
        unpacked(path)
    monkeypatch.setattr(parts.shutil, "which", lambda _name: None)
    with pytest.raises(AdapterError, match="install Debian's package zstd"):
        unpacked(path)


@pytest.mark.parametrize(
    ("name", "contents", "says"),
    [
        ("x.ko", b"text", "is no kernel module; name a virtio_balloon.ko with --uml-module"),
        ("x.ko.xz", b"text", "cannot be unpacked"),
        ("x.ko.gz", gzip.compress(_MODULE, mtime=0)[:-9], "cannot be unpacked"),
        ("x.ko.gz", b"text", "cannot be read: Not a gzipped file"),
    ],
)
def test_a_file_that_is_no_module_is_named(tmp_path, name, contents, says):
    (tmp_path / name).write_bytes(contents)
    with pytest.raises(AdapterError, match=says):
        unpacked(tmp_path / name)
