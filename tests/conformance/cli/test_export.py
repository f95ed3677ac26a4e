"""The C header says what the schemas say, compiles as C and as C++, and the committed copy is up to date."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from click.testing import CliRunner
from example_programs import need
from places import ROOT
from run_command import run_command

from balloon_conformance.cli.export import command
from balloon_conformance.skeletons import c_header as generator
from balloon_conformance.skeletons.c_header import c_header
from balloon_spec.families.statistics import statistics
from balloon_spec.profiles import BASE, CHUNK_TRANSFER
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
    with pytest.raises(ValueError, match=r"stat\.tag: the header has accessors for little-endian words only"):
        generator._structure("stat", "", words)
