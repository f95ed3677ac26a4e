"""What is exported for C, Rust and Go says what the schemas say and compiles; the committed header is up to date."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest
from click.testing import CliRunner
from example_programs import need
from places import ROOT
from run_command import run_command
from skeleton_programs import build, need_language

from balloon_conformance.cli.export import command
from balloon_conformance.skeletons import structures as generator
from balloon_conformance.skeletons.language import languages
from balloon_conformance.skeletons.languages.c.header import c_header
from balloon_spec.families.statistics import statistics
from balloon_spec.profiles import BASE, CHUNK_TRANSFER, MAINLINE
from balloon_spec.wire.layout import read_layout

COMMITTED = ROOT / "examples" / "c" / "virtio_balloon_chunk.h"
WARNINGS = ["-Wall", "-Wextra", "-Wpedantic", "-Werror"]

# Bytes laid out by hand from the specification, read and written through the accessors.
PROGRAM = r"""
#include <assert.h>
#include <string.h>
#include "virtio_balloon_chunk.h"

int main(void)
{
    static const uint8_t message[] = {
        0, 1, 0x34, 0x12, 0x10, 0, 0, 0,
        0x01, 0x50, 0x34, 0x12, 0, 0, 0, 0x80, 0xff, 0x3f, 0, 0, 0x01, 0, 0, 0,
    };
    static const uint8_t request[] = {0x09, 0x01, 0, 0, 0, 0, 0xcd, 0xab, 8, 7, 6, 5, 4, 3, 2, 1};
    static const uint8_t config[] = {0x13, 0, 0, 0, 0x78, 0x56, 0x34, 0x12};
    static const uint8_t stat[] = {4, 0, 1, 2, 3, 4, 5, 6, 7, 0x88};
    uint8_t built[sizeof message], asked[sizeof request];
    const struct virtio_balloon_response_header *header = (const struct virtio_balloon_response_header *)message;
    const struct virtio_balloon_chunk *chunk = (const struct virtio_balloon_chunk *)(message + 8);
    const struct virtio_balloon_host_request *it = (const struct virtio_balloon_host_request *)request;

    assert(virtio_balloon_response_header_cmd(header) == VIRTIO_BALLOON_CMD_GET_UNUSED_PAGES);
    assert(virtio_balloon_response_header_flag(header) == VIRTIO_BALLOON_FLAG_DONE);
    assert(virtio_balloon_response_header_id(header) == 0x1234);
    assert(virtio_balloon_response_header_data_len(header) == 16);
    assert(virtio_balloon_chunk_base(chunk) == UINT64_C(0x8000000012345001));
    assert(virtio_balloon_chunk_pfn(chunk) == UINT64_C(0x8000000012345));
    assert(virtio_balloon_chunk_base_reserved(chunk) == 1);
    assert(virtio_balloon_chunk_pages(chunk) == UINT64_C(0x100003));
    assert(virtio_balloon_chunk_size_reserved(chunk) == 0xfff);
    assert(virtio_balloon_host_request_cmd(it) == 0x109);
    assert(virtio_balloon_host_request_reserved(it, 0) == 0 && virtio_balloon_host_request_reserved(it, 2) == 0xabcd);
    assert(virtio_balloon_host_request_param(it) == UINT64_C(0x0102030405060708));
    assert(virtio_balloon_config_num_pages((const struct virtio_balloon_config *)config) == 0x13);
    assert(virtio_balloon_config_actual((const struct virtio_balloon_config *)config) == 0x12345678);
    assert(virtio_balloon_stat_tag((const struct virtio_balloon_stat *)stat) == VIRTIO_BALLOON_S_MEMFREE);
    assert(virtio_balloon_stat_value((const struct virtio_balloon_stat *)stat) == UINT64_C(0x8807060504030201));

    memset(built, 0xff, sizeof built);
    virtio_balloon_response_header_set_cmd((struct virtio_balloon_response_header *)built, 0);
    virtio_balloon_response_header_set_flag((struct virtio_balloon_response_header *)built, 1);
    virtio_balloon_response_header_set_id((struct virtio_balloon_response_header *)built, 0x1234);
    virtio_balloon_response_header_set_data_len((struct virtio_balloon_response_header *)built, 16);
    virtio_balloon_chunk_set_pfn((struct virtio_balloon_chunk *)(built + 8), UINT64_C(0x8000000012345));
    virtio_balloon_chunk_set_base_reserved((struct virtio_balloon_chunk *)(built + 8), 1);
    virtio_balloon_chunk_set_size((struct virtio_balloon_chunk *)(built + 8), 0);
    virtio_balloon_chunk_set_size_reserved((struct virtio_balloon_chunk *)(built + 8), 0xfff);
    virtio_balloon_chunk_set_pages((struct virtio_balloon_chunk *)(built + 8), 0x100003);
    assert(!memcmp(built, message, sizeof message));
    memset(asked, 0, sizeof asked);
    virtio_balloon_host_request_set_cmd((struct virtio_balloon_host_request *)asked, 0x109);
    virtio_balloon_host_request_set_reserved((struct virtio_balloon_host_request *)asked, 2, 0xabcd);
    virtio_balloon_host_request_set_param((struct virtio_balloon_host_request *)asked, UINT64_C(0x0102030405060708));
    assert(!memcmp(asked, request, sizeof request));
    return 0;
}
"""


def compile_and_run(directory: Path, compiler: str, *arguments: str) -> None:
    if not shutil.which(compiler):
        need(f"{compiler} is not installed")
    (directory / "virtio_balloon_chunk.h").write_text(c_header(CHUNK_TRANSFER))
    (directory / "program").write_text(PROGRAM)
    words = [compiler, *arguments, *WARNINGS, "-o", "test", "program"]
    done = subprocess.run(words, cwd=directory, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    subprocess.run([directory / "test"], timeout=60, check=True)


def test_accessors_read_and_write_the_bytes_of_the_specification_in_c(tmp_path):
    compile_and_run(tmp_path, "gcc", "-std=c11", "-x", "c")


def test_accessors_read_and_write_the_bytes_of_the_specification_in_cpp(tmp_path):
    compile_and_run(tmp_path, "g++", "-std=c++11", "-x", "c++")


# The same bytes, read at the offsets that Rust and Go are given.
READERS = {
    "rust": (
        "balloon.rs",
        "program.rs",
        """
mod balloon;
use balloon::*;

fn read(bytes: &[u8], at: usize, bits: u32) -> u64 {
    (0..bits as usize / 8).rev().fold(0, |number, byte| number << 8 | u64::from(bytes[at + byte]))
}

fn main() {
    let message = [0, 1, 0x34, 0x12, 0x10, 0, 0, 0, 0x01, 0x50, 0x34, 0x12, 0, 0, 0, 0x80, 0xff, 0x3f, 0, 0, 0x01, 0, 0, 0];
    let stat = [4, 0, 1, 2, 3, 4, 5, 6, 7, 0x88];
    assert_eq!(u64::from(message[VIRTIO_BALLOON_RESPONSE_HEADER_CMD_AT]), VIRTIO_BALLOON_CMD_GET_UNUSED_PAGES);
    assert_eq!(u64::from(message[VIRTIO_BALLOON_RESPONSE_HEADER_FLAG_AT]), VIRTIO_BALLOON_FLAG_DONE);
    assert_eq!(read(&message, VIRTIO_BALLOON_RESPONSE_HEADER_ID_AT, 16), 0x1234);
    assert_eq!(read(&message, VIRTIO_BALLOON_RESPONSE_HEADER_DATA_LEN_AT, 32) as usize, VIRTIO_BALLOON_CHUNK_BYTES);
    let chunk = &message[VIRTIO_BALLOON_RESPONSE_HEADER_BYTES..];
    assert_eq!(chunk.len(), VIRTIO_BALLOON_CHUNK_BYTES);
    assert_eq!(read(chunk, VIRTIO_BALLOON_CHUNK_BASE_AT, 64) >> VIRTIO_BALLOON_CHUNK_PFN_SHIFT, 0x8000000012345);
    assert_eq!(read(chunk, VIRTIO_BALLOON_CHUNK_SIZE_AT, 64) >> VIRTIO_BALLOON_CHUNK_PAGES_SHIFT, 0x100003);
    assert_eq!(stat.len(), VIRTIO_BALLOON_STAT_BYTES);
    assert_eq!(read(&stat, VIRTIO_BALLOON_STAT_TAG_AT, 16), VIRTIO_BALLOON_S_MEMFREE);
    assert_eq!(read(&stat, VIRTIO_BALLOON_STAT_VALUE_AT, 64), 0x8807060504030201);
    assert_eq!((VIRTIO_BALLOON_CONFIG_NUM_PAGES_AT, VIRTIO_BALLOON_CONFIG_ACTUAL_AT, VIRTIO_BALLOON_CONFIG_BYTES), (0, 4, 8));
}
""",
    ),
    "go": (
        "balloon.go",
        "program.go",
        """package main

import "encoding/binary"

func same(seen, expected uint64) {
	if seen != expected {
		panic([2]uint64{seen, expected})
	}
}

func main() {
	message := []byte{0, 1, 0x34, 0x12, 0x10, 0, 0, 0, 0x01, 0x50, 0x34, 0x12, 0, 0, 0, 0x80, 0xff, 0x3f, 0, 0, 0x01, 0, 0, 0}
	stat := []byte{4, 0, 1, 2, 3, 4, 5, 6, 7, 0x88}
	le := binary.LittleEndian
	same(uint64(message[VIRTIO_BALLOON_RESPONSE_HEADER_CMD_AT]), VIRTIO_BALLOON_CMD_GET_UNUSED_PAGES)
	same(uint64(message[VIRTIO_BALLOON_RESPONSE_HEADER_FLAG_AT]), VIRTIO_BALLOON_FLAG_DONE)
	same(uint64(le.Uint16(message[VIRTIO_BALLOON_RESPONSE_HEADER_ID_AT:])), 0x1234)
	same(uint64(le.Uint32(message[VIRTIO_BALLOON_RESPONSE_HEADER_DATA_LEN_AT:])), VIRTIO_BALLOON_CHUNK_BYTES)
	chunk := message[VIRTIO_BALLOON_RESPONSE_HEADER_BYTES:]
	same(uint64(len(chunk)), VIRTIO_BALLOON_CHUNK_BYTES)
	same(le.Uint64(chunk[VIRTIO_BALLOON_CHUNK_BASE_AT:])>>VIRTIO_BALLOON_CHUNK_PFN_SHIFT, 0x8000000012345)
	same(le.Uint64(chunk[VIRTIO_BALLOON_CHUNK_SIZE_AT:])>>VIRTIO_BALLOON_CHUNK_PAGES_SHIFT, 0x100003)
	same(uint64(len(stat)), VIRTIO_BALLOON_STAT_BYTES)
	same(uint64(le.Uint16(stat[VIRTIO_BALLOON_STAT_TAG_AT:])), VIRTIO_BALLOON_S_MEMFREE)
	same(le.Uint64(stat[VIRTIO_BALLOON_STAT_VALUE_AT:]), 0x8807060504030201)
	same(VIRTIO_BALLOON_CONFIG_NUM_PAGES_AT, 0)
	same(VIRTIO_BALLOON_CONFIG_ACTUAL_AT, 4)
	same(VIRTIO_BALLOON_CONFIG_BYTES, 8)
}
""",
    ),
}
BUILDS = {
    "rust": "rustc --edition 2021 -D warnings -o program program.rs",
    "go": "go build -o program program.go balloon.go",
}


@pytest.mark.parametrize("language", sorted(READERS))
def test_offsets_find_the_bytes_of_the_specification(tmp_path, language):
    need_language(language)
    constants, program, text = READERS[language]
    (tmp_path / constants).write_text(languages()[language].export.write(CHUNK_TRANSFER))
    (tmp_path / program).write_text(text)
    build(BUILDS[language], tmp_path)
    subprocess.run([tmp_path / "program"], timeout=60, check=True)


def test_go_is_formatted(tmp_path):
    need_language("go")
    for profile in (BASE, CHUNK_TRANSFER, MAINLINE):
        (tmp_path / "balloon.go").write_text(languages()["go"].export.write(profile))
        done = subprocess.run(
            ["gofmt", "-l", "balloon.go"], cwd=tmp_path, capture_output=True, timeout=60, check=True
        )
        assert done.stdout == b""


@pytest.mark.parametrize("name", ["rust-module", "go-file"])
def test_every_language_has_the_constants_of_the_header(name):
    header = dict(re.findall(r"^#define (VIRTIO\w+) +(\d+)", c_header(CHUNK_TRANSFER), re.MULTILINE))
    others = dict(re.findall(r"(VIRTIO\w+)(?:: \w+)? *= (\d+)", CliRunner().invoke(command, [name]).output))
    assert len(header) > 30
    assert header.items() <= others.items()


def test_the_committed_header_is_what_the_command_writes(tmp_path):
    ran = run_command(tmp_path, "export", "c-header")
    assert (ran.code, ran.err) == (0, "")
    assert ran.out == COMMITTED.read_text(), "run balloon-conformance export c-header --output " + str(
        COMMITTED
    )


def test_bits_can_be_moved_and_the_base_profile_has_no_chunk_bits():
    moved = CliRunner().invoke(command, ["c-header", "--bit", "CHUNK_TRANSFER=50", "--bit", "HOST_REQ_VQ=51"])
    lines = [line.split()[:3] for line in moved.output.splitlines()]
    assert ["#define", "VIRTIO_BALLOON_F_CHUNK_TRANSFER", "50"] in lines
    assert ["#define", "VIRTIO_BALLOON_F_HOST_REQ_VQ", "51"] in lines
    assert "F_CHUNK_TRANSFER" not in c_header(BASE)
    assert c_header(BASE) == c_header(BASE)


def test_the_header_is_written_to_a_file(tmp_path):
    to = tmp_path / "out.h"
    done = CliRunner().invoke(command, ["c-header", "--output", str(to)])
    assert (done.exit_code, done.output) == (0, "")
    assert to.read_text() == c_header(CHUNK_TRANSFER)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--output", "{}/none/out.h"], "cannot be written: No such file or directory"),
        (["--bit", "CHUNK_TRANSFER"], "--bit CHUNK_TRANSFER: write FEATURE=NUMBER"),
        (["--bit", "CHUNK_TRANSFER=4"], "give one of them another number"),
        (["--profile", "main"], "no profile 'main'"),
    ],
)
def test_bad_input_is_told_in_one_line(tmp_path, words, said):
    ran = run_command(tmp_path, "export", "c-header", *[word.format(tmp_path) for word in words])
    assert ran.code == 2
    assert said in ran.err
    assert ran.err.count("\n") == 1


def test_a_word_that_is_big_endian_is_refused():
    words = read_layout(statistics.SCHEMAS["big"]).element
    with pytest.raises(ValueError, match=r"stat\.tag: only little-endian words are written"):
        generator._structure("stat", "", words)
