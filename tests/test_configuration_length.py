"""The configuration space is as long as its last word with the negotiated features, wherever it is carried."""

from __future__ import annotations

import pytest
from invented_family import FAMILY, invented

from balloon_conformance.iut.reference.adapter import ReferenceDevice, ReferenceDriver
from balloon_conformance.running.session import DeviceSession, DriverSession
from balloon_conformance.vhost_user.configuration_writes import driver_writes
from balloon_spec import events as ev
from balloon_spec.judge import Judge
from balloon_spec.profiles import BASE

BASE_SPACE = bytes.fromhex("0300000001000000")


@pytest.fixture
def profile():
    with invented() as (fixed, _):
        yield fixed


@pytest.mark.parametrize(("names", "length_bytes"), [(("VERSION_1",), 8), (("VERSION_1", "ECHO"), 24)])
def test_a_session_with_a_device_reads_the_words_of_the_negotiated_features(profile, names, length_bytes):
    with DeviceSession(ReferenceDevice(), profile) as session:
        assert session.negotiate(profile.mask({*names, "MUST_TELL_HOST"}))
        session.driver_ok()
        assert session.read_whole_configuration() == bytes(length_bytes)
        session.operate(ev.OperatorAction.TARGET, 5)
        session.settle()
        whole = b"\5".ljust(length_bytes, b"\0")
        seen = [entry.event for entry in session.trace]
        assert ev.ConfigurationChanged(whole) in seen
        assert (0, whole) in [(one.offset, one.data) for one in seen if isinstance(one, ev.ConfigurationRead)]
        assert session.findings == session.slips == []


@pytest.mark.parametrize("further", ["", "07000000"])
def test_exchanged_words_are_known_in_a_space_of_any_length(profile, further):
    judge = Judge(profile)
    mask = profile.mask(["VERSION_1", "MUST_TELL_HOST", "ECHO"])
    exchanged = bytes.fromhex("0000000005000000" + further)
    found = judge.feed_all(
        [
            ev.Negotiated(mask, mask),
            ev.DriverOk(),
            ev.Operator(ev.OperatorAction.TARGET, 5),
            ev.ConfigurationChanged(exchanged),
        ]
    )
    assert [(one.requirement, one.expected) for one in found] == [("CFG-01", "offset 0")]


class Spying(ReferenceDriver):
    def start(self, setup):
        self.shown = []
        super().start(setup)

    def negotiate(self, offered, configuration):
        self.shown.append(configuration)
        return super().negotiate(offered, configuration)

    def change_configuration(self, configuration):
        self.shown.append(configuration)
        super().change_configuration(configuration)


@pytest.mark.parametrize(("names", "length_bytes"), [(("VERSION_1",), 8), (("VERSION_1", "ECHO"), 24)])
def test_a_driver_is_shown_the_words_of_the_offered_features(profile, names, length_bytes):
    driver = Spying()
    with DriverSession(driver, profile) as session:
        session.negotiate(profile.mask(names), bytes(8))
        session.change_configuration(BASE_SPACE)
        assert driver.shown == [bytes(length_bytes), BASE_SPACE.ljust(length_bytes, b"\0")]
        assert ev.ConfigurationChanged(driver.shown[-1]) in [entry.event for entry in session.trace]


def test_what_a_driver_wrote_to_its_word_stays_until_the_reset(profile):
    driver = Spying()
    with DriverSession(driver, profile) as session:
        offered = profile.mask(["VERSION_1", "ECHO"])
        session.negotiate(offered, bytes(8))
        session.collect()
        session.record(ev.ConfigurationWritten(20, b"\1\2\3\4"))
        # A word that is not the driver's is left as it is; a part of one that is may be stored.
        session.record(ev.ConfigurationWritten(16, b"\7\7\7\7"))
        session.record(ev.ConfigurationWritten(21, b"\7\7\7"))
        session.change_configuration(BASE_SPACE)
        assert driver.shown[-1] == BASE_SPACE + bytes(12) + b"\1\7\7\7"
        session.reset()
        session.negotiate(offered, bytes(8))
        assert driver.shown[-1] == bytes(24)


BASE_WORDS = BASE.words
ECHOES = (*BASE_WORDS, FAMILY.words[0])
MARKED = (*BASE_WORDS, *FAMILY.words)
"""The words of the invented family too: one of the device's, and one that the driver writes."""
GAP = "00000000 00000000 "
"""What is between the base words and those of the invented family."""
SPACE = bytes.fromhex(f"03000000 01000000 {GAP}09000000 05000000")


@pytest.mark.parametrize(
    ("words", "offset", "written", "found"),
    [
        (BASE_WORDS, 4, "02000000", [(4, "02000000")]),
        (BASE_WORDS, 0, "0200", [(0, "0200")]),
        (BASE_WORDS, 0, "03000000 02000000", [(4, "02000000")]),
        (BASE_WORDS, 0, "03000000 01000000", [(4, "01000000")]),
        (BASE_WORDS, 0, "04000000 02000000", [(0, "04000000"), (4, "02000000")]),
        # A front-end may have a longer space than the device.
        (BASE_WORDS, 0, "03000000 02000000 ffffffff", [(4, "02000000")]),
        (ECHOES, 0, f"03000000 02000000 {GAP}09000000", [(4, "02000000")]),
        (ECHOES, 0, f"03000000 01000000 {GAP}0a000000", [(4, "01000000"), (16, "0a000000")]),
        # And a shorter one.
        (ECHOES, 0, "03000000 02000000", [(4, "02000000")]),
        (MARKED, 0, f"03000000 02000000 {GAP}09000000 05000000", [(4, "02000000")]),
        (MARKED, 0, f"03000000 01000000 {GAP}09000000 06000000", [(20, "06000000")]),
        (MARKED, 0, f"03000000 01000000 {GAP}09000000 05000000", [(4, "01000000"), (20, "05000000")]),
        (MARKED, 20, "06000000", [(20, "06000000")]),
    ],
)
def test_the_writes_of_a_driver_are_told_from_what_its_front_end_sends_along(words, offset, written, found):
    writes = list(driver_writes(offset, bytes.fromhex(written), words, SPACE, {SPACE}))
    assert writes == [(at, bytes.fromhex(data)) for at, data in found]


def test_a_value_that_the_device_showed_earlier_is_no_write():
    earlier = replace_at(SPACE, 0, b"\2\0\0\0")
    again = replace_at(SPACE, 0, b"\2\0\0\0")[:8]
    assert list(driver_writes(0, again, BASE_WORDS, SPACE, {SPACE})) == [(0, again[:4]), (4, again[4:])]
    assert list(driver_writes(0, again, BASE_WORDS, SPACE, {SPACE, earlier})) == [(4, again[4:])]


def replace_at(space, offset, data):
    return space[:offset] + data + space[offset + len(data) :]
