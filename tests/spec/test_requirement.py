"""The catalogue of requirements, its loader, and feature expressions."""

from __future__ import annotations

import itertools
import pickle
import re
from dataclasses import FrozenInstanceError

import pytest
from hypothesis import given
from hypothesis import strategies as st

from balloon_spec.events import Side
from balloon_spec.feature_expression import known_features
from balloon_spec.requirement import (
    Choice,
    FeatureExpression,
    Level,
    RequirementError,
    catalogue,
    load,
)

READING_ORDER = (
    "negotiation", "queues", "queue_numbers",
    "header", "chunk",
    "inflate", "deflate", "pfn_array", "statistics", "page_poison", "page_reporting",
    "configuration", "host_request", "unused_pages", "concurrent_kinds", "free_page_hint",
    "buffers", "safety", "reset",
)  # fmt: skip

# --- the catalogue itself ---------------------------------------------------------------------------------


def test_the_catalogue_loads_in_reading_order():
    areas = catalogue().areas
    assert tuple(area.name for area in areas) == READING_ORDER
    assert list(catalogue()) == [requirement_id for area in areas for requirement_id in area.ids]
    assert catalogue() is catalogue()


def test_the_catalogue_has_what_it_had():
    # Ids are never given up: this may grow, and a number that shrinks is a requirement lost.
    assert {area.prefix: len(area.ids) for area in catalogue().areas} == {
        "NEG": 12,
        "QUEUE": 14,
        "MQ": 3,
        "HDR": 8,
        "CHUNK": 13,
        "INF": 13,
        "DEF": 13,
        "PFN": 10,
        "STATS": 13,
        "CFG": 16,
        "REQ": 28,
        "UNUSED": 10,
        "CONC": 8,
        "BUF": 8,
        "SAFE": 13,
        "RESET": 12,
        "POISON": 8,
        "HINT": 32,
        "REPORT": 18,
    }


def test_one_requirement_is_read_whole():
    requirement = catalogue()["CHUNK-03"]
    assert requirement.area == "chunk"
    assert requirement.level is Level.MUST
    assert requirement.subject is Side.DRIVER
    assert str(requirement.when) == "CHUNK_TRANSFER or HOST_REQ_VQ"
    assert requirement.text == "A driver MUST set bits 11 to 0 of `base` and of `size` to zero."
    assert requirement.why.startswith("The bits are kept for future flags")
    assert requirement.source.patch == ("<1489648127-37282-3-git-send-email-wei.w.wang@intel.com>",)
    assert requirement.source.review == ()
    assert isinstance(requirement.source.choice, Choice)
    assert requirement.not_observable is None


@pytest.mark.parametrize(
    "requirement_id",
    [
        *("HDR-04", "HDR-05"),  # cmd, flag and id of inflate and deflate messages
        *("CHUNK-03", "CHUNK-06", "CHUNK-07"),  # reserved bits
        *("HDR-02", "SAFE-07"),  # data_len against the length of the buffer
        "SAFE-06",  # data_len that is no multiple of 16
        *("CHUNK-08", "SAFE-11"),  # a chunk outside memory
        "CHUNK-10",  # chunks that overlap
        "NEG-09",  # HOST_REQ_VQ without CHUNK_TRANSFER
        *("NEG-01", "NEG-02", "NEG-03", "NEG-04"),  # either without STATS_VQ
        "REQ-14",  # an unknown command
        *("REQ-07", "REQ-08"),  # the width of an id
        "REQ-20",  # a wish that comes while a request is open
        "REQ-24",  # reserved words of a request
        "REQ-25",  # a flag that is neither CONT nor DONE
        "REQ-27",  # a DONE one chunk of which is passed over
        "REQ-28",  # which requests are for unused pages
        *("REQ-03", "REQ-26"),  # a request buffer that is not of 16 bytes
        "QUEUE-04",  # the queues that are looked at when DRIVER_OK is set
        "CFG-13",  # a notification before DRIVER_OK
        "CFG-14",  # a target beyond guest memory
        *("RESET-10", "RESET-11", "RESET-12"),  # what a reset leaves
        "UNUSED-08",  # blocks of a single page
        *("DEF-04", "DEF-07"),  # deflation of a page that was never inflated
        *("CHUNK-01", "CHUNK-02"),  # the unit of pages
        "CONC-08",  # several messages in flight
        "CONC-01",  # whether inflate and deflate are one kind
        *("UNUSED-07", "UNUSED-09"),  # tracking before the request, and what it is for
        "DEF-09",  # num_pages at or above the size of the balloon
        *("INF-12", "INF-13", "DEF-12"),  # where a driver comes to rest
        "DEF-13",  # advice that pulls both ways
        *("NEG-11", "NEG-12"),  # bits that mean nothing, and the legacy interface
        "STATS-04",  # the size of a statistics buffer
        "STATS-11",  # whether the first buffer has values
        "PFN-10",  # the byte order of arrays without VERSION_1
        "STATS-13",  # the first statistics buffer of a legacy guest
        "CFG-06",  # what is written before DRIVER_OK
        "STATS-12",  # when a device reads a buffer
        "HDR-08",  # the size of a message
        *("HINT-03", "HINT-06", "HINT-17", "HINT-21"),  # the rounds of hints
    ],
)
def test_a_question_the_sources_leave_open_is_settled_in_the_open(requirement_id):
    choice = catalogue()[requirement_id].source.choice
    assert choice is not None
    assert choice.reading != choice.not_taken


def test_only_what_nothing_outside_can_decide_is_not_observable():
    assert [r.id for r in catalogue().values() if r.not_observable] == [
        "CHUNK-07",
        "POISON-01",
        "POISON-04",
        "POISON-05",
        "REPORT-02",
        "REPORT-06",
        "REPORT-07",
        "UNUSED-07",
        "UNUSED-09",
        *("HINT-07", "HINT-08", "HINT-09", "HINT-18", "HINT-24"),
        "BUF-08",
    ]


def test_every_message_id_is_of_the_series_or_its_discussion():
    series = {f"<1489648127-37282-{n}-git-send-email-wei.w.wang@intel.com>" for n in range(1, 6)}
    thread = "<286AC319A985734F985F78AFA26841F7391E{}@shsmsx102.ccr.corp.intel.com>"
    discussion = {
        "<20170316142842.69770813b98df70277431b1e@linux-foundation.org>",
        "<20170317023556-mutt-send-email-mst@kernel.org>",
        "<58CB8865.5030707@intel.com>",
        "<58EF5C0D.60603@intel.com>",
        "<20170405065313-mutt-send-email-mst@kernel.org>",
        *(thread.format(end) for end in ("1962", "19B9", "1AFC")),
        "<20170308054813-mutt-send-email-mst@kernel.org>",
        "<20170308060131-mutt-send-email-mst@kernel.org>",
        "<cover.1720173841.git.mst@redhat.com>",
    }
    for requirement in catalogue().values():
        assert set(requirement.source.patch) <= series, requirement.id
        assert set(requirement.source.review) <= discussion, requirement.id


def test_every_field_in_code_is_one_of_the_protocol():
    fields = {"base", "size", "cmd", "flag", "id", "data_len", "param", "num_pages", "actual", "tag", "val"}
    fields |= {"poison_val", "free_page_hint_cmd_id"}
    for requirement in catalogue().values():
        assert set(re.findall(r"`([^`]*)`", requirement.text)) <= fields, requirement.id


def test_each_sentence_stands_once():
    texts = [requirement.text for requirement in catalogue().values()]
    assert len(set(texts)) == len(texts)


def test_subjects_and_areas_divide_the_catalogue():
    requirements = catalogue()
    by_subject = [requirements.by_subject(subject) for subject in Side]
    assert sum(map(len, by_subject)) == len(requirements)
    assert {r.subject for r in by_subject[0]} == {Side.DRIVER}
    assert tuple(r.id for r in requirements.by_area("reset")) == requirements.areas[-1].ids
    assert requirements.by_area("nowhere") == ()


def test_requirements_are_frozen_hashable_and_picklable():
    requirement = catalogue()["NEG-01"]
    with pytest.raises(FrozenInstanceError):
        requirement.level = Level.MAY
    copy = pickle.loads(pickle.dumps(requirement))
    assert copy == requirement
    assert hash(copy) == hash(requirement)
    assert copy.when.holds(frozenset())


def test_levels_know_whether_they_forbid_and_whether_they_bind():
    assert [level for level in Level if level.negative] == [Level.MUST_NOT, Level.SHOULD_NOT]
    assert [level for level in Level if level.binding] == [Level.MUST, Level.MUST_NOT]


# --- what the loader refuses ------------------------------------------------------------------------------

GOOD = """\
area: sample
prefix: SAMPLE
title: Samples
requirements:
  - id: SAMPLE-01
    level: MUST
    subject: driver
    when: CHUNK_TRANSFER
    text: >-
      A driver MUST set `cmd` to zero, as
      MUST_TELL_HOST has it in 1.2 of it.
    why: It is so. It always was.
    source:
      patch: "<a@b>"
  - id: SAMPLE-03
    level: SHOULD NOT
    subject: device
    when: always
    text: A device SHOULD NOT stop.
    why: It is so.
    source:
      review: ["<a@b>", "<c@d>"]
      virtio: VIRTIO 1.2, 5.5.6.1
      choice: {reading: this, not_taken: that}
    not_observable: Nobody looks.
"""


def write(directory, text, name="sample.yaml"):
    (directory / name).write_text(text, encoding="utf-8")
    return directory


def refusal(directory) -> str:
    with pytest.raises(RequirementError) as caught:
        load(directory)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_good_file_is_read(tmp_path):
    first, third = load(write(tmp_path, GOOD)).values()
    assert first.text == "A driver MUST set `cmd` to zero, as MUST_TELL_HOST has it in 1.2 of it."
    assert first.source.choice is None
    assert third.id == "SAMPLE-03"
    assert third.level is Level.SHOULD_NOT
    assert third.source.review == ("<a@b>", "<c@d>")
    assert third.source.virtio == ("VIRTIO 1.2, 5.5.6.1",)
    assert third.source.choice == Choice("this", "that")
    assert third.not_observable == "Nobody looks."
    assert third.no_vector is None


def test_what_a_requirement_is_about_is_a_feature_expression(tmp_path):
    _, third = load(write(tmp_path, GOOD + "    about: CHUNK_TRANSFER\n")).values()
    assert str(third.about) == "CHUNK_TRANSFER"
    assert catalogue()["CHUNK-01"].about is None
    assert "CHUNKS" in refusal(write(tmp_path, GOOD + "    about: CHUNKS\n"))


def test_the_reason_why_no_vector_shows_a_requirement_is_read(tmp_path):
    _, third = load(write(tmp_path, GOOD.replace("not_observable:", "no_vector:"))).values()
    assert (third.no_vector, third.not_observable) == ("Nobody looks.", None)


def test_what_cannot_be_observed_needs_no_second_reason(tmp_path):
    message = refusal(write(tmp_path, GOOD + "    no_vector: Nobody writes.\n"))
    assert message.endswith("requirements[1].no_vector: not_observable says it already; remove no_vector")


KNOWN = ", ".join(known_features())
FIELDS = "id, level, subject, when, text, why, source, not_observable, no_vector, about"


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            "id: SAMPLE-03",
            "id: SAMPLE-01",
            "15: requirements[1].id: SAMPLE-01 stands on line 5 already; give it the next free number",
        ),
        (
            "id: SAMPLE-01",
            "id: SAMPLE-04",
            "15: requirements[1].id: SAMPLE-03 stands after SAMPLE-04; keep the numbers ascending, and use none again",
        ),
        (
            "id: SAMPLE-03",
            "id: SAMPLE-001",
            "15: requirements[1].id: 'SAMPLE-001' is not an id of this file; write SAMPLE- and a number, as in SAMPLE-01",
        ),
        (
            "id: SAMPLE-03",
            "id: OTHER-03",
            "15: requirements[1].id: 'OTHER-03' is not an id of this file; write SAMPLE- and a number, as in SAMPLE-01",
        ),
        (
            "id: SAMPLE-01",
            "id: SAMPLE-1",
            "5: requirements[0].id: 'SAMPLE-1' is not an id of this file; write SAMPLE- and a number, as in SAMPLE-01",
        ),
        (
            "id: SAMPLE-01",
            "id: SAMPLE-00",
            "5: requirements[0].id: 'SAMPLE-00' is not an id of this file; write SAMPLE- and a number, as in SAMPLE-01",
        ),
        (
            "    why: It is so. It",
            "    because: It",
            f"12: requirements[0].because: unknown field; use {FIELDS}",
        ),
        (
            "title: Samples",
            "titel: Samples",
            "3: titel: unknown field; use area, prefix, title, requirements",
        ),
        ("title: Samples\n", "", "1: title: the field is missing; add it"),
        ("    when: always\n", "", "15: requirements[1].when: the field is missing; add it"),
        (
            "level: MUST\n",
            "level: must\n",
            "6: requirements[0].level: unknown level 'must'; write one of MUST, MUST NOT, SHOULD, SHOULD NOT, MAY",
        ),
        (
            "subject: device",
            "subject: guest",
            "17: requirements[1].subject: unknown subject 'guest'; write one of driver, device",
        ),
        (
            "subject: device",
            "subject: 7",
            "17: requirements[1].subject: this is not text; write it, in quotes if it looks like a number",
        ),
        (
            "A device SHOULD NOT stop.",
            "A device should not stop.",
            "19: requirements[1].text: the level words are none; write SHOULD NOT once, and no other",
        ),
        (
            "A device SHOULD NOT stop.",
            "A device SHOULD NOT stop and MUST go on.",
            "19: requirements[1].text: the level words are SHOULD NOT and MUST; write SHOULD NOT once, and no other",
        ),
        (
            "A device SHOULD NOT stop.",
            "A device MUST NOT stop.",
            "19: requirements[1].text: the level words are MUST NOT; write SHOULD NOT once, and no other",
        ),
        (
            "A device SHOULD NOT stop.",
            "A device SHOULD stop.",
            "19: requirements[1].text: the level words are SHOULD; write SHOULD NOT once, and no other",
        ),
        (
            "A device SHOULD NOT stop.",
            "A device SHALL NOT stop.",
            "19: requirements[1].text: the level words are SHALL NOT; write SHOULD NOT once, and no other",
        ),
        (
            "A device SHOULD NOT stop.",
            "A device SHOULD NOT stop. It goes on.",
            "19: requirements[1].text: 2 sentences stand here; keep one; the reasons belong in why",
        ),
        (
            "A device SHOULD NOT stop.",
            "A device SHOULD NOT stop",
            "19: requirements[1].text: the sentence does not end; end it with a full stop",
        ),
        (
            "A device SHOULD NOT stop.",
            "A device SHOULD NOT stop `num_pages.",
            "19: requirements[1].text: a ` has no partner; close the code span",
        ),
        (
            "A device SHOULD NOT stop.",
            "A driver SHOULD NOT stop.",
            "19: requirements[1].text: the sentence does not begin with 'A device'; begin it so, or mend subject",
        ),
        (
            "A device SHOULD NOT stop.",
            "",
            "19: requirements[1].text: this is not text; write it, in quotes if it looks like a number",
        ),
        (
            "when: CHUNK_TRANSFER",
            "when: CHUNKS",
            f"8: requirements[0].when: there is no feature CHUNKS; use {KNOWN}",
        ),
        (
            "when: CHUNK_TRANSFER",
            "when: CHUNK_TRANSFER &",
            (
                "8: requirements[0].when: 'CHUNK_TRANSFER &' is not a feature expression; "
                "join feature names with and, or, not, or write always"
            ),
        ),
        (
            "{reading: this, not_taken: that}",
            "{reading: this}",
            "24: requirements[1].source.choice.not_taken: the field is missing; add it",
        ),
        (
            "{reading: this, not_taken: that}",
            "{reading: this, not_taken: ' '}",
            "24: requirements[1].source.choice.not_taken: this is not text; write it, in quotes if it looks like a number",
        ),
        (
            "{reading: this, not_taken: that}",
            "this",
            "24: requirements[1].source.choice: this is not a mapping; write the fields reading, not_taken",
        ),
        (
            'patch: "<a@b>"',
            "{}",
            "13: requirements[0].source: there is no source; give one of patch, review, virtio, choice",
        ),
        (
            'patch: "<a@b>"',
            "mail: x",
            "14: requirements[0].source.mail: unknown field; use patch, review, virtio, choice",
        ),
        (
            'patch: "<a@b>"',
            "patch: a@b",
            (
                "14: requirements[0].source.patch: 'a@b' is not a message-id in angle brackets; "
                "write a message-id in angle brackets"
            ),
        ),
        (
            '["<a@b>", "<c@d>"]',
            '["<a@b>", "<c@d"]',
            (
                "22: requirements[1].source.review[1]: '<c@d' is not a message-id in angle brackets; "
                "write a message-id in angle brackets"
            ),
        ),
        (
            '["<a@b>", "<c@d>"]',
            "[]",
            "22: requirements[1].source.review: the list is empty; write a message-id in angle brackets, or remove the field",
        ),
        (
            "VIRTIO 1.2, 5.5.6.1",
            "section 5.5",
            (
                "23: requirements[1].source.virtio: 'section 5.5' is not a section, as in 'VIRTIO 1.2, 5.5.6.1'; "
                "write a section, as in 'VIRTIO 1.2, 5.5.6.1'"
            ),
        ),
        (
            "area: sample",
            "area: other",
            "1: area: 'other' is not the file's name; write sample, or rename the file",
        ),
        (
            "prefix: SAMPLE",
            "prefix: sample",
            "2: prefix: 'sample' is not a word of capital letters; write one, as in CHUNK",
        ),
        (
            "title: Samples",
            "title: &t Samples",
            "3: anchor &t; remove it: anchors are not allowed",
        ),
        (
            "    why: It is so.\n",
            "    why: It is so.\n    level: MAY\n",
            "21: key 'level' stands here and on line 16; remove one of the two",
        ),
    ],
)
def test_what_is_not_in_order_is_refused_where_it_stands(tmp_path, old, new, message):
    assert GOOD.count(old) == 1
    assert refusal(write(tmp_path, GOOD.replace(old, new))) == f"sample.yaml:{message}"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("- a\n", "1: document: this is not a mapping; write the fields area, prefix, title, requirements"),
        (
            GOOD.split("  - id", maxsplit=1)[0],
            "4: requirements: this is not a list of requirements; write at least one",
        ),
        (
            GOOD.split("  - id", maxsplit=1)[0] + "  []\n",
            "4: requirements: this is not a list of requirements; write at least one",
        ),
        (
            GOOD.split("  - id", maxsplit=1)[0] + "  - text\n",
            f"5: requirements[0]: this is not a mapping; write the fields {FIELDS}",
        ),
    ],
)
def test_a_file_of_another_shape_is_refused(tmp_path, text, message):
    assert refusal(write(tmp_path, text)) == f"sample.yaml:{message}"


@pytest.mark.parametrize("end", range(0, len(GOOD), 7))
def test_a_file_cut_short_is_refused_or_ends_with_a_whole_sentence(tmp_path, end):
    whole = [requirement.text for requirement in load(write(tmp_path, GOOD)).values()]
    write(tmp_path, GOOD[:end])
    if end <= GOOD.index('<a@b>"'):
        assert re.match(r"sample\.yaml:\d+: .+; .+\Z", refusal(tmp_path))
        return
    try:
        texts = [requirement.text for requirement in load(tmp_path).values()]
    except RequirementError:
        assert re.match(r"sample\.yaml:\d+: .+; .+\Z", refusal(tmp_path))
    else:
        assert texts == whole[: len(texts)]


def test_two_files_with_one_prefix_are_refused(tmp_path):
    write(tmp_path, GOOD)
    write(tmp_path, GOOD.replace("area: sample", "area: second"), "second.yaml")
    assert refusal(tmp_path) == "second.yaml:2: prefix: SAMPLE belongs to sample.yaml; choose another"


def test_the_files_of_a_directory_are_read_by_name(tmp_path):
    for name in ("another", "reset", "chunk"):
        text = GOOD.replace("area: sample", f"area: {name}").replace("SAMPLE", name.upper())
        write(tmp_path, text, f"{name}.yaml")
    assert [area.name for area in load(tmp_path).areas] == ["another", "chunk", "reset"]


def test_a_directory_without_requirements_is_refused(tmp_path):
    write(tmp_path, "unrelated", "README.md")
    assert refusal(tmp_path) == f"{tmp_path}: there is no requirement file; name a directory of *.yaml files"
    missing = tmp_path / "missing"
    assert refusal(missing) == f"{missing}: No such file or directory; name a directory of requirement files"


def test_a_file_that_is_not_utf_8_or_not_a_file_is_refused(tmp_path):
    (tmp_path / "sample.yaml").write_bytes(b"area: sample\ntitle: \xff\n")
    assert refusal(tmp_path) == "sample.yaml:2: byte 0xff is not UTF-8; save the file as UTF-8"
    (tmp_path / "sample.yaml").unlink()
    (tmp_path / "sample.yaml").mkdir()
    assert refusal(tmp_path) == "sample.yaml:1: Is a directory; make it a readable file"


# --- feature expressions ----------------------------------------------------------------------------------


def refused(text: str) -> str | None:
    try:
        FeatureExpression(text)
    except ValueError as error:
        return str(error)
    return None


@pytest.mark.parametrize(
    ("text", "names", "holds"),
    [
        ("always", "", True),
        ("CHUNK_TRANSFER", "", False),
        ("CHUNK_TRANSFER", "CHUNK_TRANSFER", True),
        ("not CHUNK_TRANSFER", "", True),
        ("CHUNK_TRANSFER or HOST_REQ_VQ", "HOST_REQ_VQ", True),
        ("VERSION_1 and not CHUNK_TRANSFER", "VERSION_1", True),
        ("VERSION_1 and not CHUNK_TRANSFER", "VERSION_1 CHUNK_TRANSFER", False),
        ("not STATS_VQ or VERSION_1 and HOST_REQ_VQ", "STATS_VQ VERSION_1", False),
        ("(not STATS_VQ or VERSION_1) and HOST_REQ_VQ", "HOST_REQ_VQ", True),
    ],
)
def test_an_expression_holds_for_the_right_sets(text, names, holds):
    assert FeatureExpression(text).holds(frozenset(names.split())) is holds


def test_an_expression_is_its_text():
    expression = FeatureExpression("VERSION_1 and not CHUNK_TRANSFER")
    assert str(expression) == "VERSION_1 and not CHUNK_TRANSFER"
    assert expression.names == {"VERSION_1", "CHUNK_TRANSFER"}
    assert FeatureExpression("always").names == frozenset()
    same = FeatureExpression("VERSION_1 and not CHUNK_TRANSFER")
    assert {expression: 1}[same] == 1


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "CHUNK_TRANSFER and",
        "CHUNK_TRANSFER HOST_REQ_VQ",
        "CHUNK_TRANSFER (HOST_REQ_VQ)",
        "CHUNK_TRANSFER()",
        "(CHUNK_TRANSFER",
        "CHUNK_TRANSFER | HOST_REQ_VQ",
        "CHUNK_TRANSFER == 1",
        "True",
        "1or STATS_VQ",
        "STATS_VQ.bit",
        "lambda",
        "STATS_VQ if VERSION_1 else HOST_REQ_VQ",
        "STATS_VQ is VERSION_1",
        "__import__('os')",
        "STATS_VQ\x00",
        "()",
        "(" * 99 + "STATS_VQ" + ")" * 92,
    ],
)
def test_what_is_not_an_expression_is_refused(text):
    with pytest.raises(ValueError, match="is not a feature expression; join feature names with and, or, not"):
        FeatureExpression(text)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("PAGE_POISONS", f"there is no feature PAGE_POISONS; use {KNOWN}"),
        ("always or STATS_VQ", "always stands alone; remove the rest, or name the feature"),
        ("not always", "always stands alone; remove the rest, or name the feature"),
        ("not " * 60 + "STATS_VQ", "the expression has 248 characters; keep it below 200"),
    ],
)
def test_names_that_mean_nothing_are_refused(text, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        FeatureExpression(text)


NAMES = ("STATS_VQ", "CHUNK_TRANSFER", "HOST_REQ_VQ", "VERSION_1")
# (text, predicate) pairs built side by side: the predicate never sees the text.
ATOMS = st.sampled_from(NAMES).map(lambda name: (name, lambda names: name in names))
EXPRESSIONS = st.recursive(
    ATOMS,
    lambda inner: st.one_of(
        inner.map(lambda a: (f"(not {a[0]})", lambda names: not a[1](names))),
        st.tuples(inner, inner).map(
            lambda p: (f"({p[0][0]} and {p[1][0]})", lambda n: p[0][1](n) and p[1][1](n))
        ),
        st.tuples(inner, inner).map(
            lambda p: (f"({p[0][0]} or {p[1][0]})", lambda n: p[0][1](n) or p[1][1](n))
        ),
    ),
    max_leaves=6,
)


@given(EXPRESSIONS.filter(lambda pair: len(pair[0]) <= 200))
def test_an_expression_agrees_with_its_parts_on_every_set(pair):
    text, predicate = pair
    expression = FeatureExpression(text)
    for count in range(len(NAMES) + 1):
        for names in map(frozenset, itertools.combinations(NAMES, count)):
            assert expression.holds(names) is predicate(names)
    assert expression.names == {name for name in NAMES if name in text}


@given(st.text(max_size=40))
def test_any_text_is_an_expression_or_refused_in_one_line(text):
    message = refused(text)
    assert message is None or re.match(r".+; .+\Z", message)


@given(st.lists(st.sampled_from([*NAMES, "and", "or", "not", "(", ")", "always"]), max_size=9))
def test_words_in_any_order_are_read_as_python_reads_them_or_refused(words):
    text = " ".join(words)
    if refused(text) is not None:
        return
    expression = FeatureExpression(text)
    for names in (frozenset(), frozenset({"STATS_VQ"}), frozenset(NAMES)):
        # A second reading of the same grammar, by Python itself.
        scope = {name: name in names for name in NAMES} | {"always": True}
        assert expression.holds(names) is eval(text.strip(), {"__builtins__": {}}, scope)
