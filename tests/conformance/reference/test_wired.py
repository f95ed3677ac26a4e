"""The reference driver and the reference device, wired together, agree whatever happens."""

from __future__ import annotations

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from wires import MEMORY, NAMES, PAGES, WISHES, Wires

from balloon_spec.events import GuestAction, Operator, OperatorAction
from balloon_spec.pages import PageSet

some_pages = st.lists(st.tuples(st.integers(0, PAGES), st.integers(1, 6)), max_size=6).map(
    lambda runs: PageSet(runs) & MEMORY
)


class Wired(Wires, RuleBasedStateMachine):
    """Two machines and whatever may happen to them."""

    @initialize(
        names=st.sets(st.sampled_from(NAMES)),
        capacity_bytes=st.sampled_from([16, 32, 4096]),
        array_pages=st.sampled_from([1, 3, 256]),
        in_flight=st.sampled_from([None, 1, 2]),
        own=st.one_of(st.none(), some_pages),
        early=st.integers(0, PAGES),
    )
    def start(self, *, names, capacity_bytes, array_pages, in_flight, own, early) -> None:
        self.connect(
            names=names,
            capacity_bytes=capacity_bytes,
            array_pages=array_pages,
            in_flight=in_flight,
            own=own,
            early=early,
        )

    @rule(pages=st.integers(0, PAGES + 8))
    def target(self, pages: int) -> None:
        self.aim(pages)

    @rule(action=st.sampled_from(WISHES), pages=some_pages)
    def guest(self, action: GuestAction, pages: PageSet) -> None:
        self.wish(action, pages)

    @rule()
    def unused_pages(self) -> None:
        self.ask()

    @rule()
    def refresh_statistics(self) -> None:
        self.to_device(Operator(OperatorAction.STATISTICS))

    @precondition(lambda self: any(self.available.values()))
    @rule(data=st.data())
    def device_takes(self, data) -> None:
        self.take(data.draw(st.sampled_from([queue for queue, waiting in self.available.items() if waiting])))

    @precondition(lambda self: self.used)
    @rule(data=st.data())
    def driver_takes(self, data) -> None:
        self.give_back(data.draw(st.integers(0, len(self.used) - 1)))

    @rule(late=st.booleans())
    def reset(self, late: bool) -> None:
        self.begin_anew(late=late)

    @invariant()
    def the_sides_never_contradict_each_other(self) -> None:
        self.check()

    def teardown(self) -> None:
        if hasattr(self, "driver"):
            self.come_to_rest()


Wired.TestCase.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
TestWired = pytest.mark.untraced(Wired.TestCase)
