"""``decode``: any buffer explained, field by field."""

import pytest
from click.testing import CliRunner

from balloon_conformance.cli import main

# cmd 0, flag 0, id 0, data_len 16; page 0x1000, one page.
MESSAGE = "00 00 00 00 10 00 00 00  00 00 00 01 00 00 00 00  00 10 00 00 00 00 00 00"


BROKEN = "taken for a response-message, with mistakes; it also fits pfn-array"


def decode(*arguments: str, given: bytes | None = None):
    return CliRunner().invoke(main, ["decode", *arguments], input=given)


def test_each_field_has_its_offset_bytes_and_meaning():
    done = decode("response-message", *MESSAGE.split())
    lines = [line.split() for line in done.stdout.splitlines()]
    assert done.exit_code == 0
    assert [
        "0x0004",
        "10",
        "00",
        "00",
        "00",
        "data_len",
        "0x10",
        "16",
        "bytes",
        "of",
        "response",
        "data:",
        "1",
        "chunk",
    ] in lines
    assert any(line[0] == "0x0008" and line[-1] == "0x1000000" for line in lines)


@pytest.mark.parametrize(
    ("words", "mistake", "right"),
    [
        (
            ("response-message", "00000000 18000000 0000000100000000 0010000000000000"),
            "data_len is 24, and 16 bytes follow the header",
            "10 00 00 00",
        ),
        (
            ("response-message", "00000000 00000010 0000000001000000 0000000000001000"),
            "read as big-endian",
            "00 00 00 00 10 00 00 00 00 00 00 01 00 00 00 00",
        ),
        (
            ("response-message", "00000000 10000000 0000000100000000 0300000000000000"),
            "it looks like 3 pages",
            "00 00 00 01 00 00 00 00 00 30 00 00 00 00 00 00",
        ),
        (
            ("response-message", "00000000 10000000 3412000000000000 0010000000000000"),
            "it looks like page frame number 0x1234",
            "00 40 23 01 00 00 00 00 00 10 00 00 00 00 00 00",
        ),
        (
            (
                "response-message",
                "--memory-pages",
                "6144",
                "00000000 10000000 0000000100000000 0000000100000000",
            ),
            "looks like the length in bytes",
            "00 00 00 01 00 00 00 00 00 10 00 00 00 00 00 00",
        ),
        (
            ("response-message", "--queue", "inflate", "00100000 01100000 02100000 03100000"),
            "CHUNK_TRANSFER",
            "00 00 00 00 10 00 00 00 00 00 00 01 00 00 00 00",
        ),
    ],
)
def test_a_classic_mistake_gets_a_hint_with_what_would_have_been_right(words, mistake, right):
    done = decode(*words)
    (hint,) = [line for line in done.stdout.splitlines() if line.startswith("hint: ")]
    assert mistake in hint
    assert right in hint


def test_a_sound_buffer_gets_no_hint():
    assert "hint" not in decode("response-message", *MESSAGE.split()).stdout


def test_the_middle_of_a_long_array_is_left_out_unless_all_is_asked_for():
    words = "".join(f"{0x1000 + 2 * index:08x}" for index in range(64))
    array = bytes.fromhex(words)
    little = b"".join(array[at : at + 4][::-1] for at in range(0, len(array), 4)).hex()
    assert "57 of pfns left out, 228 bytes" in decode("pfn-array", little).stdout
    assert len(decode("pfn-array", "--all", little).stdout.splitlines()) == 64


def test_a_problem_stands_below_its_field_and_in_the_exit_code():
    done = decode("response-message", MESSAGE.replace("10 00 00 00  00", "20 00 00 00  00", 1))
    lines = done.stdout.splitlines()
    at = next(number for number, line in enumerate(lines) if "data_len" in line)
    assert "^ 16 bytes of response data follow" in lines[at + 1]
    assert done.exit_code == 1


@pytest.mark.parametrize(
    ("arguments", "first"),
    [
        (("auto", MESSAGE), "taken for a response-message; it also fits pfn-array"),
        (("auto", "--queue", "inflate", "00010000 01010000"), "taken for a pfn-array"),
        (("auto", "--queue", "statistics", "0400 0000000100000000"), "taken for a statistics"),
        (
            ("auto", "--queue", "statistics", "0010" + "00" * 6 + "04" + "00" * 7),
            "taken for a statistics; it fits nothing",
        ),
        (("auto", "--queue", "host-request", "00" * 8 + "07" + "00" * 7), "taken for a host-request"),
        (("auto", "01"), "taken for a command-id; it fits nothing"),
        # Any words of four bytes are an array: what is a message but for a classic mistake is none.
        (("auto", "--queue", "inflate", MESSAGE.replace("10 00 00 00  00", "18 00 00 00  00", 1)), BROKEN),
        (("auto", MESSAGE.replace("10 00 00 00  00", "00 00 00 10  00", 1)), BROKEN),
        (("auto", "--queue", "deflate", "00000000 10000000 0000000100000000 1000000000000000"), BROKEN),
        (("auto", "--queue", "inflate", "10000000 0000000100000000 0010000000000000"), BROKEN),
        # And what would name page 0 twice.
        (("auto", "--queue", "inflate", "00000000 30000000 0000000100000000 0010000000000000"), BROKEN),
        (("auto", "--queue", "inflate", "0010000000000000 0110000000000000"), "taken for a pfn-array"),
        (("auto", "--queue", "inflate", "--big-endian", "00000000" * 4), "taken for a pfn-array"),
    ],
)
def test_auto_takes_the_first_structure_that_fits(arguments, first):
    assert decode(*arguments).stdout.splitlines()[0] == first


def test_the_byte_order_of_a_legacy_guest_can_be_stated():
    assert "0x1000" in decode("pfn-array", "--big-endian", "00000001").stdout
    assert "0x1000000000" in decode("pfn-array", "00000001").stdout


def test_numbers_may_be_hexadecimal_and_what_is_known_is_held_against_the_buffer():
    assert (
        "^ it is not among the 0x1000 pages of guest memory"
        in decode("pfn-array", "--memory-pages", "0x1000", "01100000").stdout
    )
    assert "^ the request has id 0x77" in decode("response-header", "--id", "119", "0001780000000000").stdout
    # What a field means depends on its queue.
    assert "no meaning on this queue" in decode("response-header", "--queue", "inflate", "00" * 8).stdout
    assert "no meaning on this queue" not in decode("response-header", "00" * 8).stdout


def test_a_file_may_hold_commented_hex_or_the_bytes_themselves(tmp_path):
    text, raw = tmp_path / "b.hex", tmp_path / "b.bin"
    text.write_text("# a page\n00 01 00 00  # 0x100\n")
    raw.write_bytes(bytes.fromhex("00010000"))
    shown = decode("pfn-array", f"@{text}").stdout
    assert "0x100000" in shown
    assert decode("pfn-array", "--raw", f"@{raw}").stdout == shown
    assert decode("pfn-array", "-", given=text.read_bytes()).stdout == shown
    assert decode("pfn-array", "--raw", "-", given=raw.read_bytes()).stdout == shown


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("nonsense", "00"), "no structure 'nonsense'; use auto or one of pfn-array, "),
        (("chunk",), "there is no buffer; give its bytes as hex pairs"),
        (("chunk", "0"), "HEX: 1 hex digits do not make pairs"),
        (("chunk", "0x10"), "HEX: 'x' is not a hex digit"),
        (("chunk", "--raw", "00"), "--raw is for a file or standard input"),
        (("chunk", "-", "00"), "'00' stands after -; give one source"),
        (("chunk", "@/nowhere/at/all"), "/nowhere/at/all: No such file or directory; name a file"),
        (("chunk", "--queue", "no-such", "00"), "Invalid value for '--queue'"),
        (("auto", ""), "there are no bytes to tell a structure by; give some, or name the structure"),
        (("chunk", "--id", "twelve", "00"), "'twelve' is not a number; write it as 4660 or 0x1234"),
        (("chunk", "--memory-pages", "0", "00"), "0 is not in the range 0x1 to 0x10000000000000"),
    ],
)
def test_bad_input_gets_one_line(arguments, words):
    done = decode(*arguments)
    assert (done.exit_code, done.stderr.count("\n")) == (2, 1)
    assert done.stderr.startswith("balloon-conformance: ")
    assert words in done.stderr


@pytest.mark.parametrize(
    ("space", "meanings"),
    [
        (
            "01 00 00 80  04 03 02 01",
            [
                "hints are wanted, in the round 0x80000001",
                "the driver fills free pages with 04 03 02 01, again and again",
            ],
        ),
        ("00 00 00 00", ["STOP: no hints are wanted"]),
        ("01 00 00 00  00 00 00 00", ["DONE: hinted pages are the guest's again"]),
    ],
)
def test_the_configuration_space_has_the_words_of_further_features(space, meanings):
    done = decode("configuration", "10 00 00 00  05 00 00 00", space)
    assert done.exit_code == 0
    assert "the balloon holds 5 pages" in done.stdout
    assert [words for words in meanings if words not in done.stdout] == []
