"""Which indices tell how a peer numbers its virtqueues, and which tell nothing."""

from __future__ import annotations

import pytest

from balloon_spec.numberings import ALL, maps, numberings, numberings_of_device, told
from balloon_spec.profiles import BASE, CHUNK_TRANSFER
from balloon_spec.queues import Numbering

FIXED, OFFERED, NEGOTIATED = Numbering
REQUESTS, STATISTICS = CHUNK_TRANSFER.mask(["HOST_REQ_VQ"]), CHUNK_TRANSFER.mask(["STATS_VQ"])
BOTH = REQUESTS | STATISTICS
DENSE = frozenset({OFFERED, NEGOTIATED})


@pytest.mark.parametrize(
    ("offered", "accepted", "indices", "explained"),
    [
        # The host request queue is behind the statistics queue, which was not offered, or not accepted.
        (REQUESTS, REQUESTS, {3}, {FIXED}),
        (REQUESTS, REQUESTS, {2}, DENSE),
        (REQUESTS, REQUESTS, {0, 1, 2}, DENSE),
        (BOTH, REQUESTS, {3}, {FIXED, OFFERED}),
        (BOTH, REQUESTS, {2}, {NEGOTIATED}),
        # The first two queues always exist, and say nothing.
        (REQUESTS, REQUESTS, {0, 1}, ALL),
        # No queue has this index, however they are numbered, and no numbering gives both of these.
        (REQUESTS, REQUESTS, {4}, set()),
        (REQUESTS, REQUESTS, {2, 3}, set()),
        # All numberings are the same here: even an index that no queue has tells nothing.
        (BOTH, BOTH, {3}, ALL),
        (BOTH, STATISTICS, {2}, ALL),
        (BOTH, 0, {5}, ALL),
        # A balloon feature of which the profile knows nothing may bring a queue; one of the transport does not.
        (REQUESTS | 1 << 9, REQUESTS, {2}, ALL),
        (REQUESTS | 1 << 9, REQUESTS | 1 << 9, {4}, ALL),
        (REQUESTS | 1 << 35, REQUESTS, {2}, DENSE),
    ],
)
def test_what_a_driver_uses_is_explained_by_the_numberings_that_have_it(
    offered, accepted, indices, explained
):
    assert numberings(CHUNK_TRANSFER, offered, accepted, indices) == explained
    # It is a matter of the features and not of the numbering that somebody stated.
    dense = CHUNK_TRANSFER.with_numbering(NEGOTIATED)
    assert numberings(dense, offered, accepted, indices) == explained


@pytest.mark.parametrize(
    ("offered", "accepted", "absent", "explained"),
    [
        (REQUESTS, REQUESTS, {3}, DENSE),
        (REQUESTS, REQUESTS, {2}, {FIXED}),
        (BOTH, REQUESTS, {3}, {NEGOTIATED}),
        (BOTH, REQUESTS, set(), ALL),
        (REQUESTS, REQUESTS, {2, 3}, set()),
        (BOTH, BOTH, {3}, ALL),
    ],
)
def test_a_device_has_every_queue_of_its_features(offered, accepted, absent, explained):
    assert numberings_of_device(CHUNK_TRANSFER, offered, accepted, absent) == explained


def test_no_legal_features_of_the_profiles_there_are_tell_numberings_apart():
    for profile in (BASE, CHUNK_TRANSFER):
        names = [one.name for one in profile.device_features]
        masks = [profile.mask(name for at, name in enumerate(names) if chosen >> at & 1)
                 for chosen in range(1 << len(names))]  # fmt: skip
        legal = [
            (offered, accepted)
            for offered in masks if profile.may_offer(offered)
            for accepted in masks if profile.may_accept(offered, accepted)
        ]  # fmt: skip
        assert len(legal) > len(names)
        assert not any(maps(profile, *sets) for sets in legal)
    assert maps(CHUNK_TRANSFER, REQUESTS, REQUESTS)


@pytest.mark.parametrize(
    ("used", "seen", "words"),
    [
        (FIXED, ALL, ""),
        (OFFERED, DENSE, "the virtqueue indices that were seen are dense-offered or dense-negotiated"),
        (
            FIXED,
            frozenset({NEGOTIATED}),
            "dense-negotiated, and not fixed: give --numbering dense-negotiated if",
        ),
        (FIXED, frozenset(), "no numbering explains every virtqueue index that was seen"),
    ],
)
def test_it_is_said_in_a_sentence_with_the_remedy(used, seen, words):
    said = told(used, seen)
    assert words in said
    assert bool(words) == bool(said)
    assert "--numbering" not in said or used not in seen
