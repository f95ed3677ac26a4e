"""The device and the driver in Perl pass what they can do, and the suite names what is broken in them."""

from __future__ import annotations

import shutil
import subprocess

import pytest
from example_programs import EXAMPLES, Mutation, copy, judge, need

# The device takes buffers whole, and there is no guest with memory around the driver.
LACKS = {
    "device.pl": {
        "the adapter lacks addresses, broken-rings, descriptors",
        "the adapter lacks addresses, descriptors",
        "the adapter lacks broken-rings",
        "the adapter lacks broken-rings, descriptors",
        "the adapter lacks descriptors",
        "the adapter lacks host-statistics",
        "the adapter lacks registers",
        "the adapter lacks window",
    },
    "driver.pl": {
        "the adapter lacks guest-memory",
        "the adapter lacks steer-guest",
        "the adapter lacks steer-guest, guest-memory",
    },
}

MUTATIONS = [
    Mutation(
        "a message of no whole chunks is acted on",
        "device.pl",
        "if $data_len % CHUNK_BYTES || ",
        "if ",
        "SAFE-06",
        cases="data-len-17 or data-len-24",
    ),
    Mutation(
        "unused pages are discarded",
        "device.pl",
        "mark_chunks(\\%hinted, $message);",
        "mark_chunks(\\%discarded, $message);",
        "UNUSED-01",
        cases="available-first-inflate-deflate-second-last",
    ),
    Mutation(
        "the chunk is clipped to memory",
        "device.pl",
        "$first >= $memory_pages || $count > $memory_pages - $first;",
        "$first >= $memory_pages;\n    $count = $memory_pages - $first if $count > $memory_pages - $first;",
        "SAFE-11",
    ),
    Mutation(
        "the target changes in silence",
        "device.pl",
        "if $value != $num_pages && $driver_ok;",
        "if 0;",
        "CFG-07",
        cases="target-changes-are-notified",
    ),
    Mutation(
        "actual is two stores",
        "driver.pl",
        "offset => 4, data",
        "offset => 5, data",
        "CFG-03",
        frozenset({"CFG-04"}),
        cases="actual-follows-the-balloon",
    ),
    Mutation(
        "every message says DONE",
        "driver.pl",
        "my $flag = $exchange->{done} ? DONE : CONT;",
        "my $flag = DONE;",
        "REQ-11",
        cases="many-isolated-unused-pages[2049]",
    ),
    Mutation(
        "a page of the balloon is reported unused",
        "driver.pl",
        "grep { $state{$_} } keys %state;\n    my @runs",
        "();\n    my @runs",
        "UNUSED-02",
        cases="unused-without-the-balloon",
    ),
    Mutation("entries are big-endian", "driver.pl", "pack 'V*', @pages", "pack 'N*', @pages", "PFN-08"),
]


@pytest.fixture(scope="module", autouse=True)
def perl():
    if not shutil.which("perl"):
        need("perl is not installed")
    probe = subprocess.run(["perl", "-MJSON::PP", "-e1"], capture_output=True, check=False)
    if probe.returncode:
        need("perl has no JSON::PP (Debian: perl)")


@pytest.mark.parametrize("profile", ["chunk-transfer", "base"])
@pytest.mark.parametrize("program", ["device.pl", "driver.pl"])
def test_the_program_passes_everything_but_what_it_says_it_cannot_do(tmp_path, program, profile):
    # The largest guests take perl half a minute, and are walked through with chunks alone.
    cases = "" if profile == "chunk-transfer" else "not pages-of-a-large-guest and not walk-by-single-pages"
    seen = judge(tmp_path, "perl", EXAMPLES / "perl" / program, profile=profile, cases=cases)
    assert (seen.code, seen.broken()) == (0, set()), seen.said
    assert set(seen.not_passed().values()) <= {"not exercised"}
    if profile == "chunk-transfer":
        assert seen.lacks() == LACKS[program]


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda one: one.name)
def test_what_is_broken_is_named(tmp_path, mutation):
    directory = copy("perl", tmp_path)
    mutation.apply(directory)
    seen = judge(tmp_path, "perl", directory / mutation.file, cases=mutation.cases or mutation.breaks)
    assert mutation.breaks in seen.broken(), seen.said
    assert seen.broken() <= {mutation.breaks} | mutation.also
