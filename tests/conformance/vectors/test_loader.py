"""What the loader takes, and what it refuses: every refusal names the place and the remedy in one line."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from balloon_conformance.iut.contract import Capability
from balloon_conformance.vectors import manifest, schema
from balloon_conformance.vectors.loader import VectorError, load, load_all, load_text
from balloon_conformance.vectors.model import FeatureSets, Kind, Match, Reaction, needs
from balloon_conformance.vectors.steps import (
    ActualStep,
    BufferStep,
    ConfigurationReadStep,
    ConfigurationStep,
    ConfigurationWriteStep,
    DriverOkStep,
    EffectStep,
    GuestStep,
    OperatorStep,
    ReactionStep,
    ResetStep,
    SilentStep,
    UsedStep,
)
from balloon_spec.events import GuestAction, OperatorAction, Side
from balloon_spec.families.base import INFLATE
from balloon_spec.families.host_requests import HOST_REQUEST
from balloon_spec.pages import PageSet
from balloon_spec.requirement import catalogue
from balloon_spec.segments import from_lengths

EXCHANGE = """\
vector: one
title: One page inflates
profile: chunk-transfer
sides: [driver, device]
requirements: [INF-01, INF-07]
features: {offered: [VERSION_1, STATS_VQ, CHUNK_TRANSFER, HOST_REQ_VQ], accepted: [VERSION_1, STATS_VQ, HOST_REQ_VQ]}
memory: {pages: 0x4000}
steps:
  - driver: {ok: true}
  - driver:
      queue: inflate
      as: m1
      match: equivalent
      cut: [2, 6]
      notify: false
      readable: |
        00 10 00 00  # page 0x1000
        34 12*2 00
  - device: {used: m1}
  - driver: {queue: host-request, as: r1, writable: 16}
  - device: {used: r1, written: "00*16"}
  - shows: [INF-07]
    effect: {discarded: ["0x1000+2"], kept: ["0x1002", "16+2"]}
  - operator: {target: 2}
  - device: {configuration: {num_pages: 2}}
  - guest: {inflate: ["0x1000+2"]}
  - driver: {actual: 2}
  - driver: {write: {offset: 4, data: "03 00 00 00"}}
  - driver: {read: {offset: 4, length: 1}, data: "03"}
  - driver: {silent: true}
  - operator: {unused_pages: 0xffffffffffffffff}
  - operator: {statistics: true}
  - reset: {}
  - reset: {offered: [VERSION_1], accepted: [VERSION_1]}
provenance: {written: by hand}
"""

MALFORMED = """\
vector: two
title: A message is too short
profile: chunk-transfer
kind: malformed
sides: [device]
requirements: [SAFE-02]
breaks: [HDR-01]
features: {offered: [VERSION_1, STATS_VQ, CHUNK_TRANSFER], accepted: [VERSION_1, STATS_VQ, CHUNK_TRANSFER]}
memory: {pages: 0x4000}
steps:
  - driver: {queue: inflate, as: m1, readable: "00"}
  - device: {reaction: m1, allowed: [returned, silent]}
  - if: returned
    driver: {queue: inflate, as: m2, readable: "00*8"}
  - if: returned
    device: {used: m2}
  - reset: {}
provenance: {written: by hand}
"""


def refusal(text, name="one.yaml"):
    with pytest.raises(VectorError) as caught:
        load_text(text, name)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def edited(text, old, new):
    assert text.count(old) == 1, old
    return text.replace(old, new)


def test_every_step_becomes_its_own_type():
    vector = load_text(EXCHANGE, "area/one.yaml")
    assert (vector.id, vector.area, vector.kind, vector.breaks) == ("one", "area", Kind.EXCHANGE, ())
    assert vector.features == FeatureSets(offered=1 << 32 | 0b11010, accepted=1 << 32 | 0b10010)
    assert vector.sides == {Side.DRIVER, Side.DEVICE}
    assert vector.provenance == {"written": "by hand"}
    assert list(vector.steps) == [
        DriverOkStep(line=9),
        BufferStep(
            line=10,
            queue=INFLATE,
            name="m1",
            readable=bytes.fromhex("00100000 34121200"),
            match=Match.EQUIVALENT,
            segments=from_lengths((2, 6)),
            notify=False,
        ),
        UsedStep(line=19, name="m1"),
        BufferStep(line=20, queue=HOST_REQUEST, name="r1", writable_bytes=16),
        UsedStep(line=21, name="r1", written=bytes(16), length_bytes=16),
        EffectStep(
            line=22,
            shows=("INF-07",),
            discarded=PageSet([(0x1000, 2)]),
            kept=PageSet([(0x1002, 1), (16, 2)]),
        ),
        OperatorStep(line=24, action=OperatorAction.TARGET, value=2),
        ConfigurationStep(line=25, num_pages=2),
        GuestStep(line=26, action=GuestAction.INFLATE, pages=PageSet([(0x1000, 2)])),
        ActualStep(line=27, pages=2),
        ConfigurationWriteStep(line=28, offset=4, data=b"\3\0\0\0"),
        ConfigurationReadStep(line=29, offset=4, length_bytes=1, data=b"\3"),
        SilentStep(line=30, side=Side.DRIVER),
        OperatorStep(line=31, action=OperatorAction.UNUSED_PAGES, value=2**64 - 1),
        OperatorStep(line=32, action=OperatorAction.STATISTICS),
        ResetStep(line=33, features=vector.features),
        ResetStep(line=34, features=FeatureSets(1 << 32, 1 << 32)),
    ]
    assert vector.negotiations == (vector.features, vector.features, FeatureSets(1 << 32, 1 << 32))


def test_malformed_vectors_have_reactions_and_conditions():
    vector = load_text(MALFORMED, "two.yaml")
    assert vector.breaks == ("HDR-01",)
    assert vector.steps[1:4] == (
        ReactionStep(line=12, name="m1", allowed=frozenset({Reaction.RETURNED, Reaction.SILENT})),
        BufferStep(line=13, condition="returned", queue=INFLATE, name="m2", readable=bytes(8)),
        UsedStep(line=15, condition="returned", name="m2"),
    )


def test_needs_follow_the_side():
    vector = load_text(EXCHANGE, "one.yaml")
    assert needs(vector, Side.DEVICE) == {
        Capability.OPERATOR_TARGET,
        Capability.OPERATOR_UNUSED_PAGES,
        Capability.OPERATOR_STATISTICS,
        Capability.DESCRIPTORS,
    }
    assert needs(vector, Side.DRIVER) == {Capability.STEER_PAGES}
    assert needs(load_text(MALFORMED, "two.yaml"), Side.DEVICE) == frozenset()
    with pytest.raises(ValueError, match="two does not judge a driver; play it against a device"):
        needs(load_text(MALFORMED, "two.yaml"), Side.DRIVER)


def test_sets_that_are_not_legal_need_raw_features():
    refused = edited(
        MALFORMED,
        "  - reset: {}",
        "  - reset: {offered: [STATS_VQ, CHUNK_TRANSFER], accepted: [CHUNK_TRANSFER], features_ok: false}",
    )
    vector = load_text(refused, "two.yaml")
    assert vector.negotiations[1] == FeatureSets(0b1010, 0b1000, features_ok=False)
    assert needs(vector, Side.DEVICE) == {Capability.RAW_FEATURES}
    offered = """\
vector: three
title: An offer that is not legal
profile: chunk-transfer
kind: malformed
sides: [driver]
requirements: [NEG-03]
breaks: [NEG-01]
features: {offered: [CHUNK_TRANSFER], accepted: []}
memory: {pages: 1}
steps: [{driver: {ok: true}}]
provenance: {written: by hand}
"""
    assert needs(load_text(offered, "three.yaml"), Side.DRIVER) == {Capability.RAW_FEATURES}


# (text before, text after, what the error says after the file's name)
SCHEMA_FAULTS = [
    ("vector: one", "vector: One", "1: vector: 'One' is not well formed; write the vector's id, which is also the file's name without .yaml: lower-case words joined by '-'"),
    ("title: One page inflates", "title: One page inflates.", "2: title: 'One page inflates.' is not well formed; write one sentence that says what the vector shows, without a full stop"),
    ("title: One page inflates", "title:", "2: title: nothing is not text; write one sentence that says what the vector shows, without a full stop"),
    ("sides: [driver, device]", f"sides: {'x' * 70}", f"4: sides: '{'x' * 59}... is not a list; write the sides the vector can judge"),
    ("profile: chunk-transfer", "profile: main", "3: profile: 'main' is not known; write base, chunk-transfer or mainline"),
    ("profile: chunk-transfer\n", "", "1: profile: this field is missing; add it to vector, title, profile, sides, requirements, features, memory, steps and provenance"),
    ("sides: [driver, device]", "sides: []", "4: sides: there is nothing here; write the sides the vector can judge, or remove the field"),
    ("sides: [driver, device]", "sides: [driver, driver]", "4: sides: an entry stands twice; remove one of the two"),
    ("[INF-01, INF-07]\n", "[INF-1]\n", "5: requirements[0]: 'INF-1' is not well formed; write a requirement's id, as in CHUNK-03"),
    ("memory: {pages: 0x4000}", "memory: {pages: 0}", "7: memory.pages: 0 is out of range; write a number of 4 KiB pages; pages 0 up to this one exist, at least 1"),
    ("memory: {pages: 0x4000}", "memory: {pages: 16.0}", "7: memory.pages: 16.0 is not a whole number; write a number of 4 KiB pages; pages 0 up to this one exist"),
    ("memory: {pages: 0x4000}", "memory: {bytes: 1}", "7: memory.pages: this field is missing; add it to pages"),
    ("driver: {ok: true}", "driver: {ok: false}", "9: steps[0].driver.ok: false is not true; write true, or remove the field"),
    ("driver: {ok: true}", "driver: {ok: true, actual: 1}", "9: steps[0].driver: actual and ok stand together; write exactly one of queue, ring, actual, write, read, ok, silent, hints and poison_val"),
    ("driver: {ok: true}", "driver: {}", "9: steps[0].driver: nothing says what happens; write exactly one of queue, ring, actual, write, read, ok, silent, hints and poison_val"),
    ("driver: {ok: true}", "driver: true", "9: steps[0].driver: true is not a mapping; write what the driver does: exactly one of queue, ring, actual, write, read, ok, silent, hints and poison_val, with what belongs to it"),
    ("  - driver: {ok: true}", "  - host: {ok: true}", "9: steps[0].host: unknown field; a field here is if, shows, operator, guest, driver, device, effect, reset or copy"),
    ("      as: m1\n", "", "11: steps[1].driver.queue: queue stands without as; add as, or remove queue"),
    ("      cut: [2, 6]\n", "      cut: [2, six]\n", "14: steps[1].driver.cut[1]: 'six' is not a whole number; write a length in bytes that fits 32 bits"),
    ("      match: equivalent", "      match: same", "13: steps[1].driver.match: 'same' is not known; write exact, equivalent or any"),
    ("used: m1}", "used: m1, length: 4294967296}", "19: steps[2].device.length: 4294967296 is out of range; write a length in bytes that fits 32 bits, at most 4294967295"),
    ("used: m1}", "used: m1, note: x}", "19: steps[2].device.note: unknown field; a field here is used, written, length, configuration, reaction, allowed, silent or free_page_hint_cmd_id"),
    ("used: m1}", "silent: true, length: 1}", "19: steps[2].device.length: length stands without used; add used, or remove length"),
    ('["0x1002", "16+2"]', '["0x1002", "16-2"]', "23: steps[5].effect.kept[1]: '16-2' is not well formed; write a run of pages: its first page frame number, and after '+' how many, as in \"0x1000+16\""),
    ('["0x1002", "16+2"]', "[1]", "23: steps[5].effect.kept[0]: 1 is not text; write a run of pages: its first page frame number, and after '+' how many, as in \"0x1000+16\""),
    ('["0x1002", "16+2"]', f'["{"1" * 41}"]', f"23: steps[5].effect.kept[0]: '{'1' * 41}' is too long; write at most 40 characters"),
    ('{discarded: ["0x1000+2"], kept: ["0x1002", "16+2"]}', "{}", "23: steps[5].effect: there is nothing here; write what became of guest memory since the last effect: discarded, kept, or both, or remove the field"),
    ('inflate: ["0x1000+2"]}', "inflate: []}", "26: steps[8].guest.inflate: there is nothing here; write at least one run of pages, or remove the field"),
    ("actual: 2}", "actual: -1}", "27: steps[9].driver.actual: -1 is out of range; write a number of 4 KiB pages that fits 32 bits, at least 0"),
    ("reset: {offered: [VERSION_1], accepted: [VERSION_1]}", "reset: {offered: []}", "34: steps[16].reset.offered: offered stands without accepted; add accepted, or remove offered"),
    ("provenance: {written: by hand}", 'provenance: {written: ""}', "35: provenance.written: there is nothing here; write how the bytes were written, or remove the field"),
    ("provenance: {written: by hand}", "provenance: {by: 1}", "35: provenance.by: unknown field; a field here is written, generated or verified"),
]  # fmt: skip

MEANING_FAULTS = [
    ("vector: one", "vector: other", "1: vector: other is not the name of the file; write one, or rename the file"),
    ("[INF-01, INF-07]\n", "[INF-01, INF-99]\n", "5: requirements[1]: there is no requirement INF-99; INF has INF-01 to {last}"),
    ("[INF-01, INF-07]\n", "[XYZ-01]\n", "5: requirements[0]: there is no requirement XYZ-01; look it up in the catalogue"),
    ("[INF-01, INF-07]\n", "[INF-01]\n", "5: requirements: none binds the device, which the vector judges; add one, or take device from sides"),
    ("shows: [INF-07]", "shows: [INF-99]", "22: steps[5].shows[0]: there is no requirement INF-99; INF has INF-01 to {last}"),
    ("memory:", "breaks: [INF-01]\nmemory:", "7: breaks: both sides of an exchange keep the protocol; remove it, or write kind: malformed"),
    ("memory:", "kind: malformed\nmemory:", "1: breaks: this field is missing; name what the malformed vector breaks"),
    ("memory:", "kind: malformed\nbreaks: [INF-01]\nmemory:", "4: sides: a malformed vector judges both sides; name the one that does not break the protocol"),
    ("[VERSION_1, STATS_VQ, CHUNK_TRANSFER, HOST_REQ_VQ]", "[VERSION_1, STATS]", "6: features.offered[1]: profile chunk-transfer has no feature STATS; it has MUST_TELL_HOST, STATS_VQ, DEFLATE_ON_OOM, CHUNK_TRANSFER, HOST_REQ_VQ, INDIRECT_DESC, EVENT_IDX, VERSION_1, IN_ORDER"),
    ("[VERSION_1, STATS_VQ, CHUNK_TRANSFER, HOST_REQ_VQ]", "[CHUNK_TRANSFER]", "6: features.offered: CHUNK_TRANSFER is offered without STATS_VQ; add STATS_VQ; only a malformed vector for a driver may offer this"),
    ("accepted: [VERSION_1, STATS_VQ, HOST_REQ_VQ]", "accepted: [HOST_REQ_VQ]", "6: features.accepted: HOST_REQ_VQ is accepted without STATS_VQ; mend it, or write features_ok: false: the device must refuse"),
    ("accepted: [VERSION_1, STATS_VQ, HOST_REQ_VQ]", "accepted: [IN_ORDER]", "6: features.accepted: IN_ORDER is accepted and was not offered; mend it, or write features_ok: false: the device must refuse"),
    ("accepted: [VERSION_1, STATS_VQ, HOST_REQ_VQ]", "accepted: [HOST_REQ_VQ], features_ok: false", "6: features.features_ok: only a driver that breaks the protocol is refused; write kind: malformed with sides: [device]"),
    ("accepted: [VERSION_1, STATS_VQ, HOST_REQ_VQ]", "accepted: [], features_ok: false", "6: features.features_ok: the accepted features are legal; remove it: the device keeps them"),
    ("accepted: [VERSION_1, STATS_VQ, HOST_REQ_VQ]", "accepted: [VERSION_1]", "20: steps[3].driver.queue: the host-request queue does not exist for the accepted features; accept its feature, or use one of inflate, deflate"),
    ("00 10 00 00  #", "00 1 00 00  #", "17: steps[1].driver.readable: '1' has an odd number of digits; write every byte with two digits"),
    ("34 12*2 00", "34 12*2 0g", "18: steps[1].driver.readable: '0g' is not a hex pair; write two digits of 0 to 9 and a to f"),
    ("34 12*2 00", "34 12*0 00", "18: steps[1].driver.readable: '0' is not a number of repetitions; write '*' and a count from 1"),
    ("34 12*2 00", "3412 00", "18: steps[1].driver.readable: '3412' holds several pairs; set them apart, as in 34 12"),
    ('"00*16"', '"0"', "21: steps[4].device.written: '0' has an odd number of digits; write every byte with two digits"),
    ("cut: [2, 6]", "cut: [2, 7]", "14: steps[1].driver.cut: the descriptors hold 9 bytes, readable has 8; make the sum equal"),
    ("cut: [2, 6]", "cut: [2, 0, 6]", "14: steps[1].driver.cut: a descriptor has no bytes; give it one, or remove it"),
    ("queue: inflate\n", "queue: statistics\n", "13: steps[1].driver.match: a statistics buffer names no pages; write exact or any"),
    ("as: r1, writable: 16}", "as: r1}", "20: steps[3].driver: buffer r1 has no bytes; give it readable bytes or a writable length"),
    ("used: m1}", "used: m2}", "19: steps[2].device.used: m2 was never made available; name a buffer that a driver step has as 'as'"),
    ('used: r1, written: "00*16"', "used: m1", "21: steps[4].device.used: m1 was returned on line 19; make it available again first"),
    ("  - device: {used: m1}\n  - driver: {queue: host-request, as: r1", "  - driver: {queue: host-request, as: m1", "19: steps[2].driver.as: m1 is in flight since line 10; choose another name, or return it first"),
    ('"00*16"', '"00*17"', "21: steps[4].device.written: 17 bytes do not fit the 16 writable ones; shorten it, or raise writable on line 20"),
    ("used: m1}", "used: m1, length: 1}", "19: steps[2].device.length: 1 is above the 0 writable bytes of m1; lower it, or make the vector malformed"),
    ("used: m1}", "reaction: m1, allowed: [silent]}", "19: steps[2].device.reaction: only a malformed buffer of the driver leaves the device a choice; write used, or kind: malformed with sides: [device]"),
    ('["0x1002", "16+2"]', '["0x1002", "0x4000"]', "23: steps[5].effect.kept[1]: 0x4000 leaves guest memory, which is 0x0+16384; name pages that exist, or change memory"),
    ("memory: {pages: 0x4000}", 'memory: {pages: 0x4000, holes: ["0x3fff"]}', "7: memory.holes[0]: 0x3fff reaches the last page of memory, 0x3fff, or leaves it; name pages below that one, or change memory.pages"),
    ("memory: {pages: 0x4000}", 'memory: {pages: 0x4000, holes: ["0x10", "0x20+0"]}', "7: memory.holes[1]: 0x20+0 is a run of no pages; write a count from 1, or remove the run"),
    ("memory: {pages: 0x4000}", 'memory: {pages: 0x4000, holes: ["0x20000000000000"]}', "7: memory.holes[0]: run 0x20000000000000+1 leaves the page frame numbers 0 to 0x20000000000000; write a run below the last page"),
    ("memory: {pages: 0x4000}", 'memory: {pages: 0x4000, holes: ["0xfff+2"]}', "23: steps[5].effect.discarded[0]: 0x1000+2 leaves guest memory, which is 0x0+4095, 0x1001+12287; name pages that exist, or change memory"),
    ('["0x1002", "16+2"]', '["0x1002", "1+0"]', "23: steps[5].effect.kept[1]: 1+0 is a run of no pages; write a count from 1, or remove the run"),
    ('["0x1002", "16+2"]', '["0x1001"]', "23: steps[5].effect.kept: 0x1001 is discarded and kept; name each page in one of the two"),
    ('["0x1002", "16+2"]', '["99999999999999999999"]', "23: steps[5].effect.kept[0]: run 0x56bc75e2d630fffff+1 leaves the page frame numbers 0 to 0x20000000000000; write a run within guest memory"),
    ('{offset: 4, data: "03 00 00 00"}', '{offset: 4, data: " "}', "28: steps[10].driver.write.data: there are no bytes; write at least one hex pair"),
    ('length: 1}, data: "03"', 'length: 2}, data: "03"', "29: steps[11].driver.data: 1 bytes answer a read of 2; make the lengths equal"),
    ("driver: {silent: true}", "driver: {ok: true}", "30: steps[12].driver.ok: DRIVER_OK was set on line 9; remove one of the two; a reset sets it by itself"),
    ("  - reset: {}\n", "  - if: returned\n    reset: {}\n", "33: steps[15].if: no reaction stands before this step; remove the condition"),
]  # fmt: skip

MALFORMED_FAULTS = [
    ("breaks: [HDR-01]", "breaks: [SAFE-01]", "7: breaks[0]: SAFE-01 binds the device, and here stands what binds the driver; remove it, or choose one that binds the driver"),
    ("requirements: [SAFE-02]", "requirements: [SAFE-02, HDR-01]", "6: requirements[1]: HDR-01 binds the driver, and here stands what binds the device; remove it, or choose one that binds the device"),
    ("[returned, silent]", "[silent]", "13: steps[2].if: the reaction before this step cannot be returned; add returned to what the reaction allows, or remove the condition"),
    ("  - if: returned\n    device: {used: m2}", "  - device: {used: m2}", "15: steps[3].device.used: m2 is in flight only if the buffer before it was returned (line 13); write 'if: returned' at this step too"),
    ("    device: {used: m2}", "    device: {used: m1}", "16: steps[3].device.used: m1 was reacted to on line 12; make it available again first"),
    ("  - if: returned\n    device: {used: m2}\n  - reset: {}", "  - reset: {}\n  - device: {used: m2}", "16: steps[4].device.used: m2 was dropped by the reset on line 15; make it available again first"),
    ("  - reset: {}", '  - reset: {offered: [STATS_VQ, CHUNK_TRANSFER], accepted: [CHUNK_TRANSFER], features_ok: false}\n  - driver: {queue: inflate, as: m3, readable: "00"}', "18: steps[5].driver.queue: the device refused the features, so there are no queues; reset the device first"),
    ("offered: [VERSION_1, STATS_VQ, CHUNK_TRANSFER]", "offered: [VERSION_1, CHUNK_TRANSFER]", "8: features.offered: CHUNK_TRANSFER is offered without STATS_VQ; add STATS_VQ; only a malformed vector for a driver may offer this"),
]  # fmt: skip


@pytest.mark.parametrize(("old", "new", "says"), SCHEMA_FAULTS)
def test_what_the_schema_refuses_is_said_in_a_line(old, new, says):
    assert refusal(edited(EXCHANGE, old, new)) == f"one.yaml:{says}"


@pytest.mark.parametrize(("old", "new", "says"), MEANING_FAULTS)
def test_what_no_schema_can_say_is_refused_with_its_place(old, new, says):
    # Requirements are added at the end of their area.
    last = max(name for name in catalogue() if name.startswith("INF-"))
    assert refusal(edited(EXCHANGE, old, new)) == f"one.yaml:{says.replace('{last}', last)}"


@pytest.mark.parametrize(("old", "new", "says"), MALFORMED_FAULTS)
def test_what_a_malformed_vector_may_not_be(old, new, says):
    assert refusal(edited(MALFORMED, old, new), "two.yaml") == f"two.yaml:{says}"


def test_yaml_that_is_not_strict_is_refused():
    assert refusal(edited(EXCHANGE, "title: One", "vector: one\ntitle: One")) == (
        "one.yaml:2: key 'vector' stands here and on line 1; remove one of the two"
    )


def test_a_document_that_is_no_mapping_is_refused():
    assert refusal("[]") == "one.yaml:1: vector: a list is not a mapping; begin it with vector:"


@given(st.integers(0, len(EXCHANGE) - 1))
def test_a_vector_cut_short_is_refused_in_one_line(length):
    # The last line may lose its line break and the closing brace is all that ends it.
    cut = EXCHANGE[:length]
    if length == len(EXCHANGE) - 1:
        assert load_text(cut, "one.yaml").id == "one"
    else:
        assert re.match(r"one\.yaml:\d+: ", refusal(cut))


def test_the_name_of_the_file_matters_only_where_there_is_a_file():
    assert load_text(EXCHANGE, "<standard input>").id == "one"


def test_a_file_that_cannot_be_read_is_refused(tmp_path):
    missing = tmp_path / "one.yaml"
    with pytest.raises(VectorError) as caught:
        load(missing)
    assert str(caught.value) == f"{missing}:1: file: No such file or directory; name a file that can be read"


def test_a_file_that_is_not_utf_8_is_refused(tmp_path):
    path = tmp_path / "one.yaml"
    path.write_bytes(EXCHANGE.encode().replace(b"title: One", b"title: \xff"))
    with pytest.raises(VectorError) as caught:
        load(path)
    assert str(caught.value) == f"{path}:2: file: this is not UTF-8; save it as UTF-8"


def test_ids_are_unique_over_files(tmp_path):
    for area in ("a", "b"):
        (tmp_path / area).mkdir()
        (tmp_path / area / "one.yaml").write_text(EXCHANGE)
    with pytest.raises(VectorError) as caught:
        load_all(tmp_path)
    first, second = (tmp_path / area / "one.yaml" for area in ("a", "b"))
    assert str(caught.value) == f"{second}:1: vector: one is also the id of {first}; rename one of the two"


def test_a_directory_without_vectors_is_refused(tmp_path):
    with pytest.raises(VectorError) as caught:
        load_all(tmp_path)
    assert str(caught.value) == (
        f"{tmp_path}:1: directory: there is no vector below it; name a directory of *.yaml files"
    )


def test_of_the_suites_own_only_what_its_manifest_does_not_vouch_for_is_held_against_the_schema(
    tmp_path, monkeypatch
):
    (tmp_path / "one.yaml").write_text(EXCHANGE)
    (tmp_path / "two.yaml").write_text(EXCHANGE.replace("vector: one", "vector: two"))
    manifest.write(tmp_path)
    looked_at = []
    monkeypatch.setattr(schema, "directory", lambda: tmp_path)
    monkeypatch.setattr(schema, "first_fault", lambda document: looked_at.append(document.name))
    (tmp_path / "two.yaml").write_text(EXCHANGE.replace("vector: one", "vector: two") + "\n")
    assert [vector.id for vector in load_all()] == ["one", "two"]
    assert looked_at == [str(tmp_path / "two.yaml")]
    # Named by somebody, it is not the suite's own: its manifest proves nothing.
    load_all(tmp_path)
    assert len(looked_at) == 3
