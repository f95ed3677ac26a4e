"""What is known of the notification of a return, by when the rings were looked at and notifications taken."""

from __future__ import annotations

import pytest

from balloon_conformance.iut.notifications import Notifications
from balloon_spec.events import BufferAltered, Notified, Side, Used

ALTERED = BufferAltered(0, "x", b"", Side.DEVICE)


def back(name, notified=False, queue=0):
    return Used(queue, name, notified=notified)


def late(queue=0):
    return Notified(Side.DEVICE, queue)


@pytest.mark.parametrize(
    ("before", "taken", "after", "events"),
    [
        ([], [], [], []),
        # A notification taken behind the look at the ring came behind the return.
        ([back("a")], [0], [], [back("a", notified=True)]),
        ([back("a"), back("b")], [0], [], [back("a", notified=True), back("b", notified=True)]),
        # One of another queue says nothing.
        ([back("a")], [1], [], [back("a")]),
        ([back("a")], [], [back("b")], [back("a"), back("b")]),
        # What is found behind it may have come with it or later.
        ([], [0], [back("a")], [back("a", notified=None)]),
        ([back("a")], [0], [back("b")], [back("a", notified=True), back("b", notified=None)]),
        # Where none is due nothing is said.
        ([back("a", notified=None)], [0], [], [back("a", notified=None)]),
        ([ALTERED, back("a")], [0], [ALTERED], [ALTERED, back("a", notified=True), ALTERED]),
        # One that nobody waits for is no event.
        ([], [0, 1], [], []),
    ],
)
def test_the_first_look(before, taken, after, events):
    assert Notifications().join(before, taken, after) == events


def test_a_notification_that_comes_later_is_told_once_and_for_its_queue():
    notifications = Notifications()
    assert notifications.join([back("a"), back("s", queue=2)], [], []) == [back("a"), back("s", queue=2)]
    assert notifications.join([], [], []) == []
    assert notifications.join([], [0], []) == [late()]
    assert notifications.join([], [0], []) == []
    assert notifications.join([], [2], []) == [late(2)]


def test_a_return_that_is_heard_of_speaks_for_those_before_it():
    notifications = Notifications()
    notifications.join([back("a")], [], [])
    assert notifications.join([back("b")], [0], []) == [back("b", notified=True)]
    assert notifications.join([], [0], []) == []


def test_a_notification_of_what_is_not_due_is_told_to_those_that_wait():
    notifications = Notifications()
    notifications.join([back("a")], [], [])
    assert notifications.join([back("b", notified=None)], [0], []) == [back("b", notified=None), late()]


def test_where_all_queues_share_one_notification_it_is_known_of_one_that_waits_alone():
    assert Notifications().join_shared([back("a", queue=2)], [], came=True) == [
        back("a", notified=True, queue=2)
    ]
    both = [back("a"), back("s", queue=2)]
    assert Notifications().join_shared(both, [], came=True) == [
        back("a", notified=None),
        back("s", notified=None, queue=2),
    ]
    assert Notifications().join_shared(both, [], came=False) == both
    assert Notifications().join_shared([], [back("a")], came=True) == [back("a", notified=None)]


def test_where_all_queues_share_one_notification_a_late_one_is_told():
    notifications = Notifications()
    notifications.join_shared([back("a")], [], came=False)
    assert notifications.join_shared([], [], came=True) == [late()]
    assert notifications.join_shared([], [], came=True) == []
