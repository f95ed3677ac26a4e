"""What is said of ``poison_val``: once, of drivers that negotiated it, and in words that fit."""

import pytest
from judge_script import DEVICE_QUIET, INFLATE, VERSION, actual, array, start, used

from balloon_spec import events as ev
from balloon_spec.judge import Judge
from balloon_spec.profiles import MAINLINE

POISON = 1 << 4
COUNTED = [ev.Available(INFLATE, "m", array(0x10), notified=True), used(INFLATE, "m"), actual(1)]
WRITTEN = ev.ConfigurationWritten(12, b"\1\2\3\4")


def judged(features, *events, driver_ok=True):
    judge = Judge(MAINLINE)
    findings = judge.feed_all([*start(features, driver_ok=driver_ok, posts=False), *events])
    return findings, judge.exercised["POISON-02"]


def test_a_driver_that_forgot_it_is_blamed_once():
    findings, _ = judged(VERSION | POISON, *COUNTED, DEVICE_QUIET)
    assert [one.requirement for one in findings] == ["POISON-02"]


@pytest.mark.parametrize("driver_ok", [True, False])
def test_a_driver_without_the_feature_need_not_write_it(driver_ok):
    assert judged(VERSION, *COUNTED, driver_ok=driver_ok) == ([], 0)


def test_a_driver_that_wrote_it_in_time_is_counted_once():
    assert judged(VERSION | POISON, WRITTEN, ev.DriverOk(), *COUNTED, driver_ok=False) == ([], 1)


@pytest.mark.parametrize(
    ("offset", "seen", "words"),
    [
        (12, b"\4\3\2\1", "poison_val is big-endian"),
        # In the other byte order these two bytes would be 04 and 03.
        (12, b"\2\1", "poison_val does not read back as it was written"),
        (12, b"\1\2\3\5", "poison_val does not read back as it was written"),
        (12, b"\0\0\0\0", "poison_val does not read back as it was written"),
    ],
)
def test_a_value_in_the_other_byte_order_is_told_from_another_value(offset, seen, words):
    read = ev.ConfigurationRead(offset, seen)
    findings, _ = judged(VERSION | POISON, WRITTEN, ev.DriverOk(), read, driver_ok=False)
    assert [(one.requirement, one.words) for one in findings] == [("POISON-06", words)]
