"""The posted driver does what is known of it: the numbers of the patches' model and of the running kernel."""

import struct
from itertools import islice

import pytest

from balloon_conformance.mutants.posted import (
    PostedDriver,
    buffer,
    compaction,
    machines,
    requests,
    start,
    unused,
    windows,
)
from balloon_conformance.reference.driver import Driver
from balloon_conformance.reference.driver_state import Accepted, DriverOptions, Offer
from balloon_spec.events import (
    Available,
    ConfigurationChanged,
    ConfigurationWritten,
    Guest,
    GuestAction,
    Reset,
    Used,
)
from balloon_spec.pages import PageSet
from balloon_spec.profiles import CHUNK_TRANSFER

ALL = 0x1_0000_001F
GIB = 1 << 18
INFLATE, DEFLATE, STATISTICS, REQUESTS = range(4)


class Bench:
    """One driver, served by hand: what it makes available is returned, one buffer after another."""

    def __init__(self, kind, memory_pages=0x10000, offered=ALL):
        self.driver = kind(DriverOptions(CHUNK_TRANSFER, PageSet([(0, memory_pages)])))
        self.target = 0
        self.actual = None
        self.waiting = []
        self.said = []
        self.take(Offer(offered, bytes(8)))
        self.first = [one for one in self.said if isinstance(one, Available)]

    def take(self, given):
        for output in self.driver.receive(given):
            self.said.append(output)
            if isinstance(output, ConfigurationWritten):
                self.actual = int.from_bytes(output.data, "little")
            elif isinstance(output, Available) and output.readable and output.queue != STATISTICS:
                self.waiting.append(output)

    def messages(self):
        """Yield what is made available, and return each before the next is looked for."""
        while self.waiting:
            one = self.waiting.pop(0)
            yield one.queue, one.readable
            self.take(Used(one.queue, one.buffer))

    def aim(self, pages, *, inflate=None, deflate=None):
        self.target = pages
        self.take(ConfigurationChanged(struct.pack("<II", pages, 0)))
        if inflate is not None:
            self.take(Guest(GuestAction.INFLATE, inflate))
        if deflate is not None:
            self.take(Guest(GuestAction.DEFLATE, deflate))

    def inflate(self, pages):
        """Have the guest give pages up, and return the messages of it."""
        self.aim(self.target + pages.pages, inflate=pages)
        return list(self.messages())

    def ask(self, param=7, cmd=0):
        """Write a request into the request buffer that was made available last."""
        buffers = [one for one in self.said if isinstance(one, Available) and one.queue == REQUESTS]
        name = next(one.buffer for one in reversed(buffers) if not one.readable)
        self.take(Used(REQUESTS, name, 16, struct.pack("<HHHHQ", cmd, 0, 0, 0, param)))


def header(data):
    return struct.unpack("<BBHI", data[:8])


def chunks(data):
    return list(struct.iter_unpack("<QQ", data[8:]))


def page(pfn, count=1):
    return pfn << 12, count << 12


def isolated(count, first=0x1000):
    return PageSet((first + 2 * number, 1) for number in range(count))


# -- the buffer -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [buffer.PostedLosesAChunkAtEachFlush, PostedDriver])
def test_d1_of_5000_isolated_pages_two_are_lost_and_one_is_sent_three_times(kind):
    bench = Bench(kind)
    sent = [chunks(data) for _, data in bench.inflate(isolated(5000))]
    assert [len(message) for message in sent] == [2048, 2048, 904]
    assert [message[0] for message in sent] == [page(0x1000)] * 3
    named = [one for message in sent for one in message]
    assert (len(named), len(set(named))) == (5000, 4998)
    assert {page(0x1000 + 2 * 2048), page(0x1000 + 2 * 4096)}.isdisjoint(named)
    assert bench.actual == 5000


@pytest.mark.parametrize("kind", [buffer.PostedSendsStaleHeaders, PostedDriver])
def test_d4_a_message_has_the_heap_in_its_header_and_after_a_request_the_answer(kind):
    bench = Bench(kind)
    [(_, data)] = bench.inflate(PageSet([(0x1001, 2)]))
    assert any(data[:4])
    assert data[4:8] == bytes.fromhex("10 00 00 00")
    bench.ask(0x11234)
    [(queue, answer)] = bench.messages()
    assert (queue, answer) == (REQUESTS, bytes.fromhex("00 01 34 12 00 00 00 00"))
    bench.aim(0, deflate=PageSet([(0x1001, 2)]))
    [(queue, data)] = bench.messages()
    assert (queue, data[:8]) == (DEFLATE, bytes.fromhex("00 01 34 12 10 00 00 00"))


# -- windows ----------------------------------------------------------------------------------------------


@pytest.mark.untraced
@pytest.mark.parametrize("kind", [windows.PostedSkipsSinglePages, PostedDriver])
def test_d2_of_6400_single_pages_100_are_silent(kind):
    bench = Bench(kind)
    silent = [pfn for pfn in range(0x1000, 0x1000 + 6400) if not bench.inflate(PageSet([(pfn, 1)]))]
    assert silent == list(range(0x1000, 0x1000 + 6400, 64))
    assert len(silent) == 100
    assert bench.actual == 6400


def test_d2_a_single_page_leaves_the_balloon_in_silence():
    bench = Bench(windows.PostedSkipsSinglePages)
    bench.inflate(PageSet([(0x1040, 2)]))
    bench.aim(1, deflate=PageSet([(0x1040, 1)]))
    assert not list(bench.messages())
    assert bench.actual == 1


@pytest.mark.parametrize("kind", [windows.PostedReportsTheBalloonAgain, PostedDriver])
def test_d5_two_pages_at_the_ends_are_named_with_the_ten_between_them(kind):
    bench = Bench(kind)
    between = PageSet((0x1010 + 8 * number, 1) for number in range(10))
    bench.inflate(between)
    [(_, data)] = bench.inflate(PageSet([(0x1001, 1), (0x10F1, 1)]))
    expected = [page(0x1001), *(page(0x1010 + 8 * number) for number in range(10)), page(0x10F1)]
    assert chunks(data) == expected
    assert bench.actual == 12


@pytest.mark.parametrize("kind", [windows.PostedDiesOfScatteredPages, PostedDriver])
def test_g1_after_the_first_message_of_a_wide_burst_there_is_silence(kind):
    bench = Bench(kind, memory_pages=4 * GIB)
    wide = PageSet((0x1001 + number * 256, 1) for number in range(2049))
    assert [len(chunks(data)) for _, data in bench.inflate(wide)] == [2048]
    assert bench.actual is None
    assert not bench.driver.receive(ConfigurationChanged(bytes(8)))


def test_g1_neither_many_runs_nor_a_wide_range_is_enough():
    bench = Bench(windows.PostedDiesOfScatteredPages, memory_pages=4 * GIB)
    assert len(bench.inflate(isolated(2049))) == 2
    assert len(bench.inflate(PageSet([(1, 1), (2 * GIB, 1)]))) == 1
    assert bench.actual == 2051


@pytest.mark.parametrize("kind", [windows.PostedDiesOfAWideSpan, PostedDriver])
def test_g2_pages_more_than_32_gib_apart_are_the_end(kind):
    bench = Bench(kind, memory_pages=34 * GIB)
    assert len(bench.inflate(PageSet([(1, 1), (32 * GIB, 1)]))) == 1
    assert not bench.inflate(PageSet([(2, 1), (32 * GIB + 64, 1)]))
    assert bench.actual == 2
    bench.ask()
    assert not bench.waiting


@pytest.mark.parametrize("kind", [windows.PostedForgetsPagesForWantOfMemory, PostedDriver])
def test_g3_want_of_memory_wipes_what_an_inflation_has_left(kind):
    bench = Bench(kind)
    bench.inflate(PageSet([(0x801, 8)]))
    bench.aim(8 + 5000, inflate=isolated(5000))
    bench.take(Guest(GuestAction.DEFLATE, PageSet([(0x801, 8)])))
    sent = [(queue, len(chunks(data))) for queue, data in bench.messages()]
    assert sent == [(INFLATE, 2048), (DEFLATE, 1)]
    written = [
        int.from_bytes(one.data, "little") for one in bench.said if isinstance(one, ConfigurationWritten)
    ]
    assert written == [8, 5008, 5000]


def test_g4_a_page_wanted_back_on_its_way_is_counted_and_not_named():
    bench = Bench(windows.PostedMissesIsolatedPages)
    bench.aim(3000, inflate=isolated(3000))
    bench.take(Guest(GuestAction.DEFLATE, PageSet([(0x1000 + 2 * 2999, 1)])))
    sent = [(queue, chunks(data)) for queue, data in bench.messages()]
    assert [(queue, len(named)) for queue, named in sent] == [(INFLATE, 2048), (INFLATE, 951), (DEFLATE, 1)]
    assert page(0x1000 + 2 * 2999) not in sent[1][1]
    assert sent[2][1] == [page(0x1000 + 2 * 2999)]


def test_a_guest_that_oopsed_lives_again_when_it_is_started_again():
    bench = Bench(windows.PostedLocksItselfOut)
    bench.aim(0x10001, inflate=PageSet([(0x1001, 4)]))
    bench.take(Reset())
    bench.take(Offer(ALL, bytes(8)))
    bench.target = 0
    assert len(bench.inflate(PageSet([(0x1001, 4)]))) == 1


@pytest.mark.parametrize("kind", [windows.PostedLocksItselfOut, PostedDriver])
def test_g6_a_guest_asked_for_more_than_it_has_does_nothing_more(kind):
    bench = Bench(kind)
    bench.aim(0x10001, inflate=PageSet([(0x1001, 4)]))
    bench.aim(4)
    bench.ask()
    assert not bench.waiting


# -- compaction -------------------------------------------------------------------------------------------


def moved(kind):
    """A driver with 16 pages in the balloon, one of which moved from 0x1008 to 0x2001."""
    bench = Bench(kind)
    bench.inflate(PageSet([(0x1001, 16)]))
    bench.aim(16, inflate=PageSet([(0x2001, 1)]), deflate=PageSet([(0x1008, 1)]))
    assert not bench.waiting
    assert bench.said[-1] == Guest(GuestAction.USE, PageSet([(0x1008, 1)]))
    return bench


@pytest.mark.parametrize("kind", [compaction.PostedKeepsMovedPagesToItself, PostedDriver])
def test_d3_the_next_message_carries_the_new_page_and_the_old_one_before_its_own(kind):
    bench = moved(kind)
    [(queue, data)] = bench.inflate(PageSet([(0x3001, 2)]))
    assert (queue, header(data)[3]) == (INFLATE, 48)
    assert chunks(data) == [page(0x2001), page(0x1008), page(0x3001, 2)]
    [(_, data)] = bench.inflate(PageSet([(0x4001, 2)]))
    assert chunks(data) == [page(0x4001, 2)]


def test_d3_a_deflate_message_takes_them_to_the_wrong_queue_too():
    bench = moved(compaction.PostedKeepsMovedPagesToItself)
    bench.aim(15, deflate=PageSet([(0x1001, 1)]))
    [(queue, data)] = bench.messages()
    assert (queue, chunks(data)) == (DEFLATE, [page(0x2001), page(0x1008), page(0x1001)])


def test_d3_a_request_overwrites_them():
    bench = moved(compaction.PostedKeepsMovedPagesToItself)
    bench.ask()
    list(bench.messages())
    [(_, data)] = bench.inflate(PageSet([(0x3001, 2)]))
    assert chunks(data) == [page(0x3001, 2)]


# -- unused pages -----------------------------------------------------------------------------------------


def answers(kind, pages, memory_pages=0x10000, most=6):
    """Up to ``most`` messages of the answer of a guest that does not use ``pages``: flag and chunks."""
    bench = Bench(kind, memory_pages)
    bench.take(Guest(GuestAction.UNUSED, pages))
    bench.ask()
    return [(header(data)[1], header(data)[3], chunks(data)) for _, data in islice(bench.messages(), most)]


def test_d8_2048_blocks_fill_one_message():
    [(flag, _, named)] = answers(unused.PostedAnswersWithoutEnd, isolated(2048))
    assert (flag, len(named)) == (1, 2048)


@pytest.mark.untraced
def test_d8_2049_blocks_are_answered_with_one_message_for_ever():
    sent = answers(unused.PostedAnswersWithoutEnd, isolated(2049), most=50)
    assert len(sent) == 50
    assert all(one == sent[0] for one in sent)
    assert (sent[0][0], len(set(sent[0][2]))) == (0, 2048)


def test_d8_a_buffer_that_held_other_blocks_ends_with_1548_named_twice():
    large = PageSet((0x10000 + 2048 * number, 1024) for number in range(500))
    sent = answers(unused.PostedAnswersWithoutEnd, large | isolated(2000), memory_pages=8 * GIB)
    assert [(flag, len(named)) for flag, _, named in sent] == [(0, 2048), (1, 2000)]
    assert len(set(sent[0][2]) & set(sent[1][2])) == 1548


def test_d6_a_larger_buffer_is_sent_from_where_the_smaller_one_was():
    bench = Bench(unused.PostedAnswersWithFreedMemory)
    bench.take(Guest(GuestAction.UNUSED, isolated(4097)))
    bench.ask(9)
    sent = [data for _, data in bench.messages()]
    assert [header(data) for data in sent] == [(0, 0, 9, 65536), (0, 1, 9, 16)]
    [(_, inflated)] = bench.inflate(PageSet([(0x801, 1)]))
    assert header(inflated) == (0, 0, 0, 16)
    for data in (*sent, inflated):
        for base, size in chunks(data):
            assert base >> 12 >= 0x10000
            assert (base | size) & 0xFFF


def test_d6_4096_blocks_need_no_larger_buffer():
    sent = answers(unused.PostedAnswersWithFreedMemory, isolated(4096))
    assert [named[0] for _, _, named in sent] == [page(0x1000), page(0x1000 + 2 * 2048)]


@pytest.mark.untraced
def test_d6_and_d8_together_answer_without_end_from_freed_memory():
    # As on the kernel: 11450 isolated free pages, CONT messages with a data_len of 131072.
    sent = answers(PostedDriver, isolated(11450), most=20)
    assert [(flag, data_len) for flag, data_len, _ in sent] == [(0, 131072)] * 20


def test_blocks_are_those_of_a_buddy_allocator():
    orders = unused.free_blocks(PageSet([(0x3FF, 2), (0x800, 0x800)]))
    assert [[(run.first, run.count) for run in blocks] for blocks in orders] == [
        [(0x800, 0x400), (0xC00, 0x400)],
        *[[]] * 9,
        [(0x3FF, 1), (0x400, 1)],
    ]
    assert unused.free_blocks(PageSet([(0, 0x800)]))[0][0].count == 0x400


def test_blocks_taken_by_the_balloon_meanwhile_are_left_out():
    bench = Bench(unused.PostedAnswersWithoutEnd)
    bench.take(Guest(GuestAction.UNUSED, isolated(2048) | PageSet([(0x800, 2)])))
    bench.ask()
    # Both pages of the block at 0x800 went in the first message; the rescan comes after the inflation.
    [message] = bench.waiting
    bench.waiting.clear()
    bench.inflate(PageSet([(0x1000, 1)]))
    bench.take(Used(REQUESTS, message.buffer))
    [(flag, data)] = [(header(data)[1], data) for _, data in bench.messages()]
    assert flag == 1
    assert page(0x1000) not in chunks(data)


# -- requests and the start -------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [requests.PostedHangsOfARequest, PostedDriver])
def test_d7_a_request_beside_an_inflation_is_the_end(kind):
    bench = Bench(kind)
    bench.aim(4, inflate=PageSet([(0x1001, 4)]))
    bench.ask()
    assert [queue for queue, _ in bench.messages()] == [INFLATE]
    assert bench.actual is None


def test_d15_a_request_waits_for_the_whole_inflation():
    bench = Bench(requests.PostedHasOneLock)
    bench.aim(4, inflate=PageSet([(0x1001, 4)]))
    bench.ask(0x22)
    assert [queue for queue, _ in bench.messages()] == [INFLATE, REQUESTS]
    assert bench.actual == 4


def test_d15_a_reset_forgets_the_request_that_waited():
    bench = Bench(requests.PostedHasOneLock)
    bench.aim(4, inflate=PageSet([(0x1001, 4)]))
    bench.ask()
    bench.take(Reset())
    bench.take(Offer(ALL, struct.pack("<II", 4, 0)))
    bench.waiting.clear()
    assert [queue for queue, _ in bench.inflate(PageSet([(0x1001, 4)]))] == [INFLATE]


def test_d15_an_inflation_waits_for_the_answer():
    bench = Bench(requests.PostedHasOneLock)
    bench.ask()
    bench.aim(4, inflate=PageSet([(0x1001, 4)]))
    assert [queue for queue, _ in bench.messages()] == [REQUESTS, INFLATE]


@pytest.mark.parametrize("kind", [requests.PostedLosesTheRequestBuffer, PostedDriver])
def test_d11_after_an_unknown_command_the_request_buffer_stays_away(kind):
    bench = Bench(kind)
    before = len(bench.said)
    bench.ask(9, cmd=9)
    assert not [one for one in bench.said[before:] if isinstance(one, Available)]


@pytest.mark.parametrize("kind", [start.PostedGivesFeaturesUpTooLate, PostedDriver])
def test_d12_without_statistics_features_are_accepted_and_given_up(kind):
    bench = Bench(kind, offered=0x1_0000_001D)
    assert next(one for one in bench.said if isinstance(one, Accepted)).features == 0x1_0000_001D
    assert not bench.first
    [(queue, data)] = bench.inflate(PageSet([(0x1001, 2)]))
    assert (queue, data) == (INFLATE, struct.pack("<II", 0x1001, 0x1002))


@pytest.mark.parametrize("kind", [Driver, machines.PostedCutsAddresses, PostedDriver])
def test_d13_ids_of_16_bits_come_back_whole_and_longer_ones_cut(kind):
    bench = Bench(kind)
    for param, expected in ((0x1234, 0x1234), (0x11234, 0x1234)):
        bench.ask(param)
        [(_, data)] = bench.messages()
        assert header(data) == (0, 1, expected, 0)


@pytest.mark.parametrize("kind", [start.PostedNotifiesEarly, PostedDriver])
def test_d14_both_first_buffers_are_announced_before_driver_ok(kind):
    assert [(one.queue, one.notified) for one in Bench(kind).first] == [(STATISTICS, True), (REQUESTS, True)]


# -- other machines ---------------------------------------------------------------------------------------


def test_d9_eight_pages_of_64_kib_are_eight_chunks_of_4_kib():
    bench = Bench(machines.PostedTakesLargePagesForSmallOnes)
    [(_, data)] = bench.inflate(PageSet([(0x1000, 8 * 16)]))
    assert chunks(data) == [page(0x1000 + 16 * number) for number in range(8)]
    assert bench.actual == 128


def test_d9_unused_pages_are_a_sixteenth_of_what_they_are():
    [(_, _, named)] = answers(machines.PostedTakesLargePagesForSmallOnes, PageSet([(0x2000, 64)]))
    assert named == [page(0x200, 4)]


def test_d10_a_page_above_4_gib_is_named_below_it():
    bench = Bench(machines.PostedCutsAddresses, memory_pages=8 * GIB)
    [(_, data)] = bench.inflate(PageSet([(4 * GIB + 0x1001, 2)]))
    assert chunks(data) == [page(0x1001, 2)]
