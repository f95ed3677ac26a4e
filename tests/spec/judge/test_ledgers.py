"""A family brings a ledger and rules that read it, and nothing else changes."""

from __future__ import annotations

from dataclasses import dataclass

from judge_script import start

from balloon_spec import events as ev
from balloon_spec.families.family import Family
from balloon_spec.judge import Judge
from balloon_spec.judge.decision import broken, kept
from balloon_spec.judge.exchange import Exchange
from balloon_spec.judge.ledger import Ledger
from balloon_spec.judge.rule import rule
from balloon_spec.judge.session import Session
from balloon_spec.profile import Profile
from balloon_spec.profiles import CHUNK_TRANSFER


@dataclass(slots=True, eq=False)
class Wishes(Ledger):
    """How often the operator wished for something since the reset, and in all sessions before."""

    count: int = 0
    before: int = 0

    def take(self, event, buffer):
        del buffer
        self.count += isinstance(event, ev.Operator)

    def after_reset(self):
        return type(self)(self.exchange, before=self.before + self.count)


@rule(ev.Operator, "CFG-07")
def one_wish_is_enough(_event, scene):
    wishes = scene[Wishes]
    yield (
        broken("CFG-07", f"wish {wishes.count + 1}, {wishes.before} before")
        if wishes.count
        else kept("CFG-07")
    )


MODEST = Family("modest", rules=(one_wish_is_enough,), ledgers=(Wishes,))
PROFILE = Profile("modest", (*CHUNK_TRANSFER.families, MODEST))
WISH = ev.Operator(ev.OperatorAction.TARGET, 5)


def test_a_rule_of_a_family_sees_its_ledger_as_it_was_before_the_event():
    judge = Judge(PROFILE)
    judge.feed_all(start())
    assert [judge.feed(WISH), [one.words for one in judge.feed(WISH)]] == [[], ["wish 2, 0 before"]]


def test_a_ledger_says_itself_what_a_reset_leaves():
    judge = Judge(PROFILE)
    judge.feed_all([*start(), WISH, WISH, ev.Reset(), *start()])
    assert judge.feed(WISH) == []
    assert [one.words for one in judge.feed(WISH)] == ["wish 2, 2 before"]


def test_what_a_ledger_does_not_leave_is_gone_after_a_reset():
    exchange = Exchange(PROFILE, PROFILE.ledgers)
    exchange.take(ev.DriverOk(), None)
    assert exchange[Session].driver_ok
    exchange.take(ev.Reset(), None)
    assert (exchange[Session].driver_ok, exchange[Session].resets) == (False, 1)


def test_a_ledger_that_no_family_brings_is_empty():
    exchange = Exchange(CHUNK_TRANSFER, CHUNK_TRANSFER.ledgers)
    exchange.take(WISH, None)
    assert exchange[Wishes].count == 0


def test_the_session_takes_an_event_in_after_all_others():
    assert PROFILE.ledgers[0] is Wishes
    assert PROFILE.ledgers[-1] is Session
