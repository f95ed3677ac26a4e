"""The HTML report: what it says of findings, holes and faults, and that nothing in it can break the page."""

from __future__ import annotations

from datetime import UTC, datetime
from html.parser import HTMLParser

import pytest

from balloon_conformance.report.html import hex_rows, render
from balloon_conformance.report.results import Results
from balloon_conformance.running.outcome import Fault, How, Outcome, Status
from balloon_spec.events import Side
from balloon_spec.judge import Finding
from balloon_spec.profiles import BASE, CHUNK_TRANSFER
from balloon_spec.requirement import catalogue

HEADER = {
    "suite": "1.0",
    "target": "mine",
    "description": "a device <b>of mine</b>",
    "side": "device",
    "profile": {"name": "chunk-transfer"},
    "started": datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
}
TRACE = ('{"trace": "virtio-balloon"}', *(f'{{"event": "used", "buffer": "b{n}"}}' for n in range(1, 30)))


def finding(name: str = "INF-08", *, event: int = 9, data: bytes = b"") -> Finding:
    entry = catalogue()[name]
    return Finding(name, entry.level, entry.subject, event, "it <went> wrong", "page", "0x1", "0x2&", data)


def failed(case: str, *found: Finding, trace: tuple[str, ...] = TRACE) -> Outcome:
    return Outcome(case, Status.FAILED, "it went wrong", Fault.DEVICE, How.VIOLATION, found, trace=trace)


class Page(HTMLParser):
    """What is in a page: its tags in order, each with its attributes, and its text."""

    VOID = frozenset({"meta", "input", "br", "link"})

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []
        self._open: list[str] = []
        self.feed(text)
        assert not self._open, f"left open: {self._open}"

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self._open.append(tag)

    def handle_endtag(self, tag):
        assert self._open.pop() == tag

    def handle_data(self, data):
        if not self._open or self._open[-1] not in {"style", "script"}:
            self.text.append(data)

    @property
    def words(self) -> str:
        return " ".join(" ".join(self.text).split())


def page(*outcomes: Outcome, profile=CHUNK_TRANSFER, faults: tuple[str, ...] = ()) -> Page:
    results = Results(Side.DEVICE, profile, {})
    for outcome in outcomes:
        results.add(outcome)
    results.faults += faults
    return Page(render(results, HEADER, "balloon-conformance run mine"))


def test_every_requirement_that_applies_stands_once_with_its_verdict():
    there = page(failed("one", finding()))
    verdicts = {
        attributes["id"]: attributes["data-verdict"]
        for tag, attributes in there.tags
        if tag == "section" and "data-verdict" in attributes
    }
    ids = [attributes.get("id") for tag, attributes in there.tags if tag == "section"]
    assert len(ids) == len(set(ids)) == len(verdicts)
    known = CHUNK_TRANSFER.by_name.keys()
    # No requirement of the families of chunk-transfer names a feature of another, but for these.
    of_others = {"MQ-01", "MQ-02", "CFG-15"}
    areas = {file.area for family in CHUNK_TRANSFER.families for file in family.areas}
    binding = {one.id for one in catalogue().by_subject(Side.DEVICE) if one.area in areas}
    assert not known & {"FREE_PAGE_HINT", "PAGE_POISON", "PAGE_REPORTING"}
    assert set(verdicts) == binding - of_others
    assert verdicts["INF-08"] == "broken"
    assert verdicts["INF-06"] == "not exercised"


def test_under_the_base_profile_what_needs_chunk_transfer_is_left_out():
    ids = {attributes.get("id") for tag, attributes in page(profile=BASE).tags if tag == "section"}
    assert "INF-08" in ids
    assert "CHUNK-06" not in ids


def test_a_finding_has_its_words_bytes_events_and_the_command_that_repeats_it():
    words = page(failed("one", finding(data=bytes(range(20))))).words
    for part in (
        "it <went> wrong",
        "one , event 9",
        "0x2&",
        "0000 00 01 02 03 04 05 06 07 08 09 0a 0b 0c 0d 0e 0f",
        "0010 10 11 12 13",
        "balloon-conformance run mine -k 'one'",
        "used buffer=b9",
        "used buffer=b3",
        "used buffer=b15",
    ):
        assert part in words, part
    assert "buffer=b2 " not in words
    assert "buffer=b16" not in words


def test_the_event_a_finding_is_about_is_marked_and_no_other():
    tags = page(failed("one", finding(event=3))).tags
    assert [attributes.get("class") for tag, attributes in tags if tag == "li"].count("here") == 1


def test_what_an_implementation_says_of_itself_is_text_and_not_markup():
    there = page(failed("<script>alert(1)</script>", finding()))
    assert "a device <b>of mine</b>" in there.words
    assert "<script>alert(1)</script>" in there.words
    assert [tag for tag, _ in there.tags].count("script") == 1


def test_the_page_needs_nothing_from_elsewhere():
    for _, attributes in page(failed("one", finding())).tags:
        assert "src" not in attributes
        assert (attributes.get("href") or "#").startswith("#")


def test_of_many_cases_that_broke_one_requirement_a_few_are_shown_and_all_are_named():
    there = page(*(failed(f"case-{number}", finding()) for number in range(9)))
    assert [tag for tag, _ in there.tags].count("article") == 4
    assert "Broken by 5 more: case-4 , case-5 , case-6 , case-7 , case-8" in there.words


def test_long_bytes_are_cut_and_the_rest_is_counted():
    words = page(failed("one", finding(data=bytes(1000)))).words
    assert "01f0" in words
    assert "and 488 bytes more" in words
    assert "0200" not in words


def test_a_should_is_advice():
    there = page(Outcome("one", Status.PASSED, advice=(finding("INF-07"),)))
    assert ("section", "advice") in [(tag, attributes.get("data-verdict")) for tag, attributes in there.tags]


def test_cases_that_ended_and_faults_that_are_not_the_implementations_are_told_apart():
    words = page(
        Outcome("dead", Status.FAILED, "it ended", Fault.DEVICE, How.CRASH),
        Outcome("odd", Status.ERROR, "no answer", Fault.ADAPTER),
        faults=("OSError: disk full",),
    ).words
    assert "crash in dead : it ended" in words
    assert "adapter-fault in odd : no answer" in words
    assert "suite-fault: OSError: disk full" in words


@pytest.mark.parametrize(
    ("data", "rows"),
    [
        (b"", []),
        (b"A\x00~\x7f", [("0000", "41 00 7e 7f", "A.~.")]),
        (bytes(17), [("0000", " ".join(["00"] * 16), "." * 16), ("0010", "00", ".")]),
    ],
    ids=["nothing", "text", "two-rows"],
)
def test_bytes_are_laid_out_sixteen_a_row(data, rows):
    assert list(hex_rows(data)) == rows
