"""The device and the driver in C pass everything, and the suite names what is broken in them."""

from __future__ import annotations

import json
import shutil
import subprocess

import pytest
from example_programs import Mutation, build, copy, judge, need

KEEPS_NOTHING = "what the guest keeps was not found in its memory"
"""The guest that the program models writes no data of its own."""


@pytest.fixture(scope="module")
def sources(tmp_path_factory):
    """The sources in a directory of their own, built plainly and with sanitisers."""
    if not (shutil.which("gcc") and shutil.which("make")):
        need("gcc and make are not installed")
    probe = subprocess.run(
        ["gcc", "-E", "-x", "c", "-"],
        input="#include <jansson.h>\n",
        capture_output=True,
        text=True,
        check=False,
    )
    if probe.returncode:
        need("jansson is not installed (Debian: libjansson-dev)")
    directory = copy("c", tmp_path_factory.mktemp("examples"))
    build(directory, "all", "sanitize")
    return directory


# The sanitised build does what the other does, and is watched: each profile needs one of the two.
@pytest.mark.parametrize(("program", "profile"), [("device-sanitized", "chunk-transfer"), ("device", "base")])
def test_the_device_passes_every_case_there_is_for_the_profile(sources, tmp_path, program, profile):
    seen = judge(tmp_path, sources / program, profile=profile)
    assert (seen.code, seen.broken()) == (0, set()), seen.said
    if profile == "chunk-transfer":
        assert seen.lacks() == {f"the adapter lacks {one}" for one in ("broken-rings", "registers", "window")}
        assert set(seen.not_passed().values()) == {"not exercised"}
    assert len([status for status in seen.cases.values() if status == "passed"]) > 50


def test_the_driver_passes_every_case_steered_or_left_free(sources, tmp_path):
    program = "driver-sanitized"
    steered = judge(tmp_path, sources / program)
    assert (steered.code, steered.broken()) == (0, set()), steered.said
    assert steered.lacks() == {"the adapter lacks steer-guest"}
    free = judge(tmp_path, sources / program, "--free")
    assert (free.code, free.broken()) == (0, set()), free.said
    assert free.lacks() == {"the adapter lacks steer-pages", KEEPS_NOTHING}
    # Every other case passes in one of the two at least: none is left out for want of a capability.
    assert set(steered.not_passed()) & set(free.not_passed()) == {"a-request-while-the-guest-keeps-data"}
    base = judge(tmp_path, sources / "driver", profile="base")
    assert (base.code, base.broken()) == (0, set()), base.said


# The driver's pages take minutes under the sanitizers; its other profiles are run with them above.
@pytest.mark.parametrize("program", ["device-sanitized", "driver"])
def test_both_keep_the_profile_mainline(sources, tmp_path, program):
    seen = judge(tmp_path, sources / program, profile="mainline")
    assert (seen.code, seen.broken()) == (0, set()), seen.said
    assert set(seen.not_passed().values()) <= {"not exercised"}
    assert seen.exercised() > 0.9


@pytest.mark.parametrize("program", ["device-sanitized", "driver-sanitized"])
def test_what_is_refused_is_text_wherever_a_name_was_cut(sources, program):
    name = "a" * 39 + "é" * 40
    line = json.dumps({"seq": 1, "command": name}, ensure_ascii=False)
    done = subprocess.run(
        [sources / program], input=f"{line}\n".encode(), capture_output=True, timeout=60, check=False
    )
    answer = json.loads(done.stdout)
    assert (done.returncode, answer["seq"], answer["error"]) == (0, 1, "unknown-command"), done.stderr
    assert "a" * 39 in answer["text"]


MUTATIONS = [
    Mutation(
        "unused pages are discarded",
        "device.c",
        "    case VIRTIO_BALLOON_FLAG_CONT:\n        mark_chunks(message, PAGE_HINTED);",
        "    case VIRTIO_BALLOON_FLAG_CONT:\n        mark_chunks(message, PAGE_DISCARDED);",
        "UNUSED-01",
        cases="available-first-inflate-deflate-second-last",
    ),
    Mutation(
        "the buffer's length is trusted instead of data_len",
        "device.c",
        "at < data_len; at += sizeof chunk",
        "at < message->length - sizeof header; at += sizeof chunk",
        "SAFE-07",
    ),
    Mutation(
        "a deflated page is discarded",
        "device.c",
        "static void serve_deflate(struct exchange *x, struct buffer *buffer)\n{\n",
        "static void serve_deflate(struct exchange *x, struct buffer *buffer)\n{\n"
        "    mark_chunks(buffer, PAGE_DISCARDED);\n",
        "DEF-08",
        also=frozenset({"DEF-07"}),
        cases="deflate-twice",
    ),
    Mutation(
        "the used length is that of what was read",
        "device.c",
        '"length", (json_int_t)length,',
        '"length", (json_int_t)(length ? length : buffer->length),',
        "BUF-03",
        also=frozenset({"BUF-07"}),
        cases="inflate-two-runs or pfn-deflate-one-page",
    ),
    Mutation(
        "the request is cut short",
        "device.c",
        "use(x, buffer, &request, sizeof request);",
        "use(x, buffer, &request, 8);",
        "REQ-03",
    ),
    Mutation(
        "chunks are accepted without statistics",
        "device.c",
        "(has(device.bit.stats) || !(has(device.bit.chunks) || has(device.bit.requests)))",
        "true",
        "NEG-06",
    ),
    Mutation(
        "every second entry of an array is left out",
        "device.c",
        "at += sizeof entry)\n        mark(",
        "at += 2 * sizeof entry)\n        mark(",
        "PFN-05",
        also=frozenset({"INF-07", "QUEUE-05", "RESET-01"}),
        cases="pfn-alternate-pages or pfn-array-of-256-entries",
    ),
    Mutation(
        "buffers come back before DRIVER_OK",
        "device.c",
        "while (device.driver_ok && (buffer",
        "while ((buffer",
        "QUEUE-10",
    ),
    Mutation(
        "the driver may write num_pages",
        "device.c",
        "(to >= offsetof(struct virtio_balloon_config, actual) && to <",
        "(to <",
        "CFG-09",
        cases="num-pages-is-not-the-drivers",
    ),
    Mutation(
        "reserved bits are taken for pages",
        "device.c",
        "mark(virtio_balloon_chunk_pfn(&chunk), virtio_balloon_chunk_pages(&chunk), flag);",
        "if (!virtio_balloon_chunk_base_reserved(&chunk))\n"
        "            mark(virtio_balloon_chunk_pfn(&chunk), virtio_balloon_chunk_pages(&chunk), flag);",
        "CHUNK-06",
        also=frozenset({"INF-07"}),
        cases="reserved-bit-0-of-base or every-reserved-bit",
    ),
    Mutation(
        "data_len counts the header",
        "driver.c",
        "virtio_balloon_response_header_set_data_len(header, data_len);",
        "virtio_balloon_response_header_set_data_len(header, data_len + 8);",
        "HDR-02",
        also=frozenset({"HDR-03", "INF-03", "INF-10"}),
    ),
    Mutation(
        "reserved bits are left dirty",
        "driver.c",
        "virtio_balloon_chunk_set_size(&chunks[at], pages->list[at].count << VIRTIO_BALLOON_PFN_SHIFT);",
        "virtio_balloon_chunk_set_size(&chunks[at], pages->list[at].count << VIRTIO_BALLOON_PFN_SHIFT | 1);",
        "CHUNK-03",
        cases="inflate-one-page",
    ),
    Mutation(
        "chunks are accepted without statistics, by the driver",
        "driver.c",
        "    if (!has(driver.bit.stats)) {\n",
        "    if (false) {\n",
        "NEG-03",
        also=frozenset({"NEG-04"}),
    ),
    Mutation(
        "the id is the upper half of the param",
        "driver.c",
        "(uint16_t)virtio_balloon_host_request_param(request);",
        "(uint16_t)(virtio_balloon_host_request_param(request) >> 16);",
        "REQ-08",
        also=frozenset({"REQ-11", "REQ-17"}),
        cases="request-id-0x100 or request-answered-by-one-done",
    ),
    Mutation(
        "the device is notified before DRIVER_OK",
        "driver.c",
        '"notify", json_boolean(driver.running)',
        '"notify", json_true()',
        "QUEUE-09",
    ),
    Mutation(
        "statistics are sent once",
        "driver.c",
        "        send_statistics(x); /* STATS-03 */",
        "        ; /* nothing */",
        "STATS-03",
        cases="returned-answer-deflate-statistics",
    ),
    Mutation(
        "the request buffer is kept after an unknown command",
        "driver.c",
        "virtio_balloon_host_request_cmd(request) != VIRTIO_BALLOON_CMD_GET_UNUSED_PAGES) {\n"
        "        post_request_buffer(x);\n",
        "virtio_balloon_host_request_cmd(request) != VIRTIO_BALLOON_CMD_GET_UNUSED_PAGES) {\n"
        "        (void)x;\n",
        "REQ-14",
        also=frozenset({"REQ-15"}),
    ),
    Mutation(
        "unused pages wait for the balloon",
        "driver.c",
        "while (driver.exchange && !driver.done_sent) {",
        "while (driver.exchange && !driver.done_sent && !driver.counts[PAGE_INFLATING]) {",
        "CONC-02",
        cases="request-while-inflate-unanswered",
    ),
    Mutation(
        "pages count before their buffer is back",
        "driver.c",
        "(driver.counts[PAGE_BALLOON] + driver.counts[PAGE_DEFLATING])",
        "(driver.counts[PAGE_BALLOON] + driver.counts[PAGE_DEFLATING] + driver.counts[PAGE_INFLATING])",
        "INF-05",
        also=frozenset({"CFG-04", "CONC-05"}),
        arguments="--free",
        cases="a-target-that-moves-while-a-buffer-is-held",
    ),
    Mutation(
        "hints count under any id",
        "device.c",
        "if (device.asking && id == device.current_id) {",
        "if (device.asking && id) {",
        "HINT-17",
        profile="mainline",
    ),
    Mutation(
        "a report of poisoned pages gives zeros back",
        "device.c",
        "bool zeros = !has(device.bit.poison) || !virtio_balloon_load_le32(device.config + POISON_OFFSET);",
        "bool zeros = true;",
        "REPORT-12",
        profile="mainline",
        cases="poisoned-report-of-ones",
    ),
    Mutation(
        "a round is not ended",
        "driver.c",
        "        send_command(x, HINTS_STOP);\n",
        "",
        "HINT-06",
        profile="mainline",
        cases="driver-has-nothing-to-hint",
    ),
    Mutation(
        "reported pages are not filled",
        "driver.c",
        "        poison(&pages);\n        set_states(&pages, PAGE_REPORTED);",
        "        set_states(&pages, PAGE_REPORTED);",
        "REPORT-03",
        profile="mainline",
    ),
]


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda one: one.name)
def test_what_is_broken_is_named(sources, tmp_path, mutation):
    directory = copy("c", tmp_path)
    mutation.apply(directory)
    program = mutation.file.removesuffix(".c")
    build(directory, program)
    seen = judge(
        tmp_path,
        directory / program,
        *mutation.arguments.split(),
        profile=mutation.profile,
        cases=mutation.cases or mutation.breaks,
    )
    assert mutation.breaks in seen.broken(), seen.said
    assert seen.broken() <= {mutation.breaks} | mutation.also
    assert seen.code == 1
