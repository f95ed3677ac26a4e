"""The judge: shows every event to the rules that see its kind, and keeps count."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from balloon_spec import events as ev
from balloon_spec.judge.buffers_in_flight import Buffers
from balloon_spec.judge.decision import Decision, Finding
from balloon_spec.judge.exchange import Exchange
from balloon_spec.judge.in_flight import InFlight
from balloon_spec.judge.interpretation import interpret
from balloon_spec.judge.ledger import LedgerT
from balloon_spec.judge.rule import Rule, Scene
from balloon_spec.judge.session import Session
from balloon_spec.pages import PageSet
from balloon_spec.profile import Profile
from balloon_spec.requirement import Catalogue, catalogue

__all__ = ["Judge", "Weighed"]


@dataclass(frozen=True, slots=True)
class Weighed:
    """An event with what each rule decides about it; of the requirements, those that bind."""

    event: ev.Event
    buffer: InFlight | None
    decisions: tuple[tuple[Rule, Decision], ...]

    @property
    def broken(self) -> tuple[Decision, ...]:
        """What the event breaks."""
        return tuple(decision for _, decision in self.decisions if not decision.is_kept)

    @property
    def faults(self) -> frozenset[str]:
        """The requirements that the bytes of its buffer break, whatever came before."""
        return self.buffer.content.faults if self.buffer is not None else frozenset()


class Judge:
    """Judges one exchange, event by event, both sides of it.

    ``exercised`` counts for each requirement how often a rule decided it, kept or broken. What a judge
    holds is bounded by the buffers in flight and the page sets, not by how many events it has seen.
    """

    def __init__(
        self, profile: Profile, *, rules: Sequence[Rule] | None = None, entries: Catalogue | None = None
    ) -> None:
        """Judge under ``profile``; other ``rules`` or ``entries`` than the package's are for its tests."""
        self.exercised: Counter[str] = Counter()
        self.events = 0
        self._entries = catalogue() if entries is None else entries
        self._exchange = Exchange(profile, profile.ledgers)
        self._excusing_areas = frozenset(
            one.area for family in profile.families for one in family.areas if one.excuses_devices
        )
        self._binding: dict[str, bool] = {}
        """Whether requirements bind under the features that are negotiated."""
        self._by_kind: dict[type, list[tuple[Rule, frozenset[str]]]] = {}
        """The rules that see events of a kind, each with what it decides."""
        for one in profile.rules if rules is None else rules:
            self._by_kind.setdefault(one.sees, []).append((one, one.decides))

    def steers(self, *, steered: bool) -> None:
        """Say whether the guest is told which pages to give up; it then gives up no others."""
        self._exchange.steered = steered

    def __getitem__(self, kind: type[LedgerT]) -> LedgerT:
        """Return a ledger, to be read and not changed; an empty one if no family of the profile has it."""
        return self._exchange[kind]

    @property
    def memory(self) -> PageSet | None:
        """The guest pages that exist, None as long as nobody said."""
        return self._exchange[Session].memory

    @property
    def gave_up(self) -> bool:
        """Whether the device asked for a reset on account of malformed input, as it may (SAFE-10)."""
        return self._exchange[Session].needs_reset and self._exchange[Buffers].is_misled

    @property
    def driver_ok(self) -> bool:
        """Whether DRIVER_OK was set since the last reset."""
        return self._exchange[Session].driver_ok

    def awaits(self, side: ev.Side) -> bool:
        """Tell whether ``side`` still owes something: if it stayed quiet now, a requirement would be broken.

        Whoever feeds the judge asks this before it reports :class:`~balloon_spec.events.Quiet`, and gives the
        side its whole deadline first.
        """
        quiet = ev.Quiet(side)
        scene = Scene(self._exchange)
        return any(
            not decision.is_kept and self._applies(decision.requirement)
            for one, _ in self._rules_for(quiet)
            for decision in one.decide(quiet, scene)
        )

    def accepts(self, event: ev.Event) -> bool:
        """Tell whether nothing would be found broken if ``event`` came now; it is not taken in."""
        return not self._weigh(event).broken

    def has(self, feature: str) -> bool:
        """Tell whether the feature was negotiated."""
        return self._exchange[Session].has(feature)

    @property
    def features(self) -> frozenset[str]:
        """The names of the features that were negotiated."""
        return self._exchange[Session].features

    def took(self, features: int) -> bool:
        """Tell whether the device accepted this set before a reset."""
        return any(accepted == features for _, accepted in self._exchange[Session].accepted_before)

    def is_in_flight(self, queue: int, buffer: str) -> bool:
        """Tell whether the buffer was made available and not returned."""
        return (queue, buffer) in self._exchange[Buffers].in_flight

    def in_flight(self, queue: int) -> int:
        """Return how many buffers are in flight on the queue."""
        return sum(index == queue for index, _ in self._exchange[Buffers].in_flight)

    def feed(self, event: ev.Event, at_seconds: float | None = None) -> list[Finding]:
        """Judge one event and return what it breaks; ``at_seconds`` is its time on any one clock."""
        return self.take(self.weigh(event, at_seconds))

    def weigh(self, event: ev.Event, at_seconds: float | None = None) -> Weighed:
        """Judge an event that may come now; :meth:`take` takes it in, before any other, or nobody does."""
        self._exchange.now_seconds, self._exchange.event = at_seconds, self.events + 1
        return self._weigh(event)

    def take(self, weighed: Weighed) -> list[Finding]:
        """Take an event in that was weighed, and return what it breaks."""
        self.events += 1
        exchange = self._exchange
        self.exercised.update(decision.requirement for _, decision in weighed.decisions)
        findings = [
            self._finding(one, decision) for one, decision in weighed.decisions if not decision.is_kept
        ]
        exchange.take(weighed.event, weighed.buffer)
        if isinstance(weighed.event, ev.Negotiated | ev.Reset):
            self._binding.clear()
        if any(self._excuses_the_device(finding) for finding in findings):
            exchange[Buffers].provoked = True
        return findings

    def _weigh(self, event: ev.Event) -> Weighed:
        buffer = self._buffer_of(event)
        scene = Scene(self._exchange, buffer)
        decisions = []
        for one, decides in self._rules_for(event):
            for decision in one.decide(event, scene):
                if decision.requirement not in decides:
                    raise AssertionError(
                        f"rule {one.name} decided {decision.requirement}, which it does not state"
                    )
                decisions.append((one, decision))
        return Weighed(event, buffer, tuple(pair for pair in decisions if self._applies(pair[1].requirement)))

    def _buffer_of(self, event: ev.Event) -> InFlight | None:
        if isinstance(event, ev.Available):
            return interpret(self._exchange, event)
        if isinstance(event, ev.Used):
            return self._exchange[Buffers].in_flight.get((event.queue, event.buffer))
        return None

    def feed_all(self, events: Iterable[ev.Event]) -> list[Finding]:
        """Judge events in turn and return what they break."""
        return [finding for event in events for finding in self.feed(event)]

    def _applies(self, requirement: str) -> bool:
        """Tell whether a requirement binds under the negotiated features; before negotiation all do."""
        binds = self._binding.get(requirement)
        if binds is None:
            session = self._exchange[Session]
            binds = session.accepted is None or self._entries[requirement].when.holds(session.features)
            self._binding[requirement] = binds
        return binds

    def _excuses_the_device(self, finding: Finding) -> bool:
        """Tell whether a device may give up at what a driver did: its family's declaration says so."""
        if not finding.level.binding or finding.subject != ev.Side.DRIVER:
            return False
        return self._entries[finding.requirement].area in self._excusing_areas

    def _rules_for(self, event: ev.Event) -> Sequence[tuple[Rule, frozenset[str]]]:
        if self._exchange[Session].is_blind and not isinstance(event, ev.Negotiated | ev.Reset):
            return ()
        return self._by_kind.get(type(event), ())

    def _finding(self, one: Rule, decision: Decision) -> Finding:
        entry = self._entries[decision.requirement]
        return Finding(
            decision.requirement,
            entry.level,
            entry.subject,
            self.events,
            decision.words,
            decision.field,
            decision.expected,
            decision.seen,
            decision.data,
            one.name,
        )
