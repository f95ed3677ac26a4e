from dataclasses import replace
from itertools import combinations

import pytest

from balloon_spec.events import Side
from balloon_spec.families.base import DEFLATE, INFLATE
from balloon_spec.families.family import ConfigurationWord, Family
from balloon_spec.families.host_requests import HOST_REQUEST
from balloon_spec.families.statistics import STATISTICS
from balloon_spec.feature import Feature
from balloon_spec.profiles import BASE, CHUNK_TRANSFER, PROFILES, Profile, profile
from balloon_spec.queues import Numbering, Queue

BITS = {"MUST_TELL_HOST": 0, "STATS_VQ": 1, "DEFLATE_ON_OOM": 2, "CHUNK_TRANSFER": 3, "HOST_REQ_VQ": 4}


def subsets():
    return [set(chosen) for size in range(6) for chosen in combinations(BITS, size)]


def mask(names):
    return sum(1 << BITS[name] for name in names)


def test_the_bits_are_those_of_the_posted_series():
    assert {feature.name: feature.bit for feature in CHUNK_TRANSFER.device_features} == BITS
    assert {feature.name: feature.bit for feature in BASE.device_features} == {
        name: bit for name, bit in BITS.items() if bit < 3
    }
    assert CHUNK_TRANSFER.mask(["VERSION_1"]) == 1 << 32
    assert CHUNK_TRANSFER.mask(["INDIRECT_DESC", "EVENT_IDX"]) == 3 << 28


@pytest.mark.parametrize("names", subsets(), ids=lambda names: "+".join(sorted(names)) or "none")
def test_chunk_transfer_and_host_requests_stand_on_the_statistics_queue(names):
    legal = "STATS_VQ" in names or not names & {"CHUNK_TRANSFER", "HOST_REQ_VQ"}
    assert CHUNK_TRANSFER.may_offer(mask(names)) is legal
    assert CHUNK_TRANSFER.may_accept(mask(BITS), mask(names)) is legal
    assert CHUNK_TRANSFER.names(mask(names)) == names
    assert bool(CHUNK_TRANSFER.missing_requirements(mask(names))) is not legal


def test_what_was_not_offered_is_not_accepted():
    assert not CHUNK_TRANSFER.may_accept(0b010, 0b110)
    assert CHUNK_TRANSFER.may_accept(0b110, 0b010)


def test_a_profile_gives_bits_no_meaning_it_does_not_state():
    assert BASE.names(0b11111) == {"MUST_TELL_HOST", "STATS_VQ", "DEFLATE_ON_OOM"}
    assert BASE.unknown_bits(0b11111 | 1 << 63) == (3, 4, 63)
    with pytest.raises(ValueError, match="profile base has no feature CHUNK_TRANSFER; it has MUST_TELL_HOST"):
        BASE.mask(["CHUNK_TRANSFER"])


def test_bit_numbers_can_be_moved():
    moved = profile("chunk-transfer", {"CHUNK_TRANSFER": 41, "HOST_REQ_VQ": 42})
    assert moved.mask(["CHUNK_TRANSFER", "HOST_REQ_VQ"]) == 3 << 41
    assert not moved.may_offer(1 << 41)
    assert moved.unknown_bits(0b11000) == (3, 4)
    assert moved != CHUNK_TRANSFER
    assert (moved.names(1 << 41), CHUNK_TRANSFER.names(1 << 41)) == ({"CHUNK_TRANSFER"}, set())
    with pytest.raises(ValueError, match="both have bit 1; give one of them"):
        profile("chunk-transfer", {"CHUNK_TRANSFER": 1})
    with pytest.raises(ValueError, match="has no feature SPEED"):
        profile("chunk-transfer", {"SPEED": 9})


def test_a_third_profile_needs_no_change_elsewhere():
    hinting = Family("hinting", features=(Feature("FREE_PAGE_HINT", 3),))
    assert Profile("mainline", (*BASE.families, hinting)).names(0b1000) == {"FREE_PAGE_HINT"}
    broken = Family("broken", features=(Feature("X", 3, frozenset({"Y"})),))
    with pytest.raises(ValueError, match="X requires Y, which it lacks"):
        Profile("broken", (broken,))


def test_two_queues_are_not_one_and_words_do_not_overlap():
    other = Family("other", queues=(Queue("other", 1),))
    with pytest.raises(ValueError, match="deflate at place 1 and other at 1 are one queue"):
        Profile("broken", (*BASE.families, other))
    wide = Family("wide", words=(ConfigurationWord("wide", 6, Side.DEVICE, "a number"),))
    with pytest.raises(ValueError, match="wide at byte 6 of the configuration space overlaps actual, which"):
        Profile("broken", (*BASE.families, wide))


def test_an_unknown_profile_is_named_with_the_known():
    assert set(PROFILES) == {"base", "chunk-transfer", "mainline"}
    with pytest.raises(ValueError, match="no profile 'main'; choose one of base, chunk-transfer, mainline"):
        profile("main")


def test_the_host_request_queue_is_index_3_whatever_else_there_is():
    assert CHUNK_TRANSFER.queue_map(0, mask({"STATS_VQ", "HOST_REQ_VQ"})) == {
        0: INFLATE,
        1: DEFLATE,
        2: STATISTICS,
        3: HOST_REQUEST,
    }
    assert CHUNK_TRANSFER.queue_map(0, mask({"HOST_REQ_VQ"})) == {0: INFLATE, 1: DEFLATE, 3: HOST_REQUEST}


@pytest.mark.parametrize(
    ("numbering", "offered", "accepted", "index"),
    [
        (Numbering.FIXED, {"STATS_VQ", "HOST_REQ_VQ"}, {"HOST_REQ_VQ"}, 3),
        (Numbering.DENSE_OFFERED, {"STATS_VQ", "HOST_REQ_VQ"}, {"HOST_REQ_VQ"}, 3),
        (Numbering.DENSE_OFFERED, {"HOST_REQ_VQ"}, {"HOST_REQ_VQ"}, 2),
        (Numbering.DENSE_NEGOTIATED, {"STATS_VQ", "HOST_REQ_VQ"}, {"HOST_REQ_VQ"}, 2),
        (Numbering.DENSE_NEGOTIATED, {"STATS_VQ", "HOST_REQ_VQ"}, {"STATS_VQ", "HOST_REQ_VQ"}, 3),
    ],
)
def test_where_a_queue_is_missing_the_numbering_decides(numbering, offered, accepted, index):
    numbered = replace(CHUNK_TRANSFER, numbering=numbering)
    queues = numbered.queue_map(mask(offered), mask(accepted))
    assert [number for number, queue in queues.items() if queue is HOST_REQUEST] == [index]


@pytest.mark.parametrize(
    ("names", "count"), [((), 2), (("STATS_VQ",), 3), (("STATS_VQ", "HOST_REQ_VQ"), 4), (("HOST_REQ_VQ",), 4)]
)
def test_as_many_queues_as_the_posted_driver_asks_for(names, count):
    assert CHUNK_TRANSFER.queue_count(0, mask(names)) == count


def test_queues_follow_from_the_profile_and_not_from_the_bits():
    assert list(BASE.queue_map(0b11111, 0b11111)) == [0, 1, 2]


def test_the_configuration_space_ends_with_its_last_word():
    poison = Family(
        "poison",
        features=(Feature("PAGE_POISON", 4),),
        words=(ConfigurationWord("poison_val", 12, Side.DRIVER, "a number", feature="PAGE_POISON"),),
    )
    profile = Profile("poisoned", (*BASE.families, poison))
    assert (profile.configuration_bytes(0), profile.configuration_bytes(1 << 4)) == (8, 16)
    assert [word.name for word in profile.configuration_words(1 << 4)] == [
        "num_pages",
        "actual",
        "poison_val",
    ]
