"""The judge: events in, findings out, as they come.

This is its theory of operation.

A :class:`~balloon_spec.judge.judge.Judge` is fed the events of one exchange between a driver and a device,
one after the other, live or from a trace. It judges both sides, and each event is judged before the next one
is known.

What is in this package is common to all families and names none of them. Rules, ledgers, the reading of
bytes and all else that is known of the protocol stand in the rooms of the families
(``balloon_spec.families``), and each declares them (:class:`~balloon_spec.families.family.Family`).

**From an event to a finding**

1. **The buffer.** If the event makes a buffer available, :mod:`~balloon_spec.judge.interpretation` says what
   it is in the light of what was negotiated. It is of one of the shapes that families declare
   (:mod:`~balloon_spec.judge.shape`), and its bytes are read in one place, as its shape says: which pages it
   names, and everything that is wrong with it. If the event returns a buffer, it is the one that was read
   when it was made available.
2. **The rules.** The event is shown to every rule that sees events of its kind
   (:mod:`~balloon_spec.judge.rule`), together with the exchange as it was *before* the event: that is a
   :class:`~balloon_spec.judge.rule.Scene`. A rule yields decisions: a requirement was kept, or it was broken,
   with the field, what was expected there and what was seen. A rule yields nothing if the requirement was not
   put to the test. Rules know nothing of one another and change nothing.
3. **The requirements that bind.** A decision counts if its requirement binds under the negotiated features.
   Each counts as exercised; a broken one becomes a :class:`~balloon_spec.judge.decision.Finding`.
4. **The ledgers.** Only then every ledger takes the event in. ``Judge.weigh`` does the first three steps and
   ``Judge.take`` this one, so a caller may ask what an event would break and let it be.

What did not happen is judged by an event as well: :class:`~balloon_spec.events.Quiet` says that a side was
given its time. Whatever it owed by then, it failed to do. ``Judge.awaits`` says whether a side owes
anything, so that nobody waits in vain.

**How blame is decided**

*Whose fault.* Each requirement binds one side, so a finding is against its subject. A driver that breaks a
MUST may be the cause of what the device does next. So a malformed buffer is kept in mind: a device may then
ask for a reset (SAFE-10), and if it ends or stops to answer, that breaks SAFE-02 or SAFE-12 and not SAFE-13.
What else excuses a device is declared by the families (``excuses_devices`` of
:class:`~balloon_spec.families.family.AreaFile`).

*Which requirement.* One lapse can break many requirements, and to name all of them helps nobody. A buffer
that is unusual in some way puts the device on *trial*. The families declare their trials, with the ways in
which each shows and its place in the order in which blame is tried; :mod:`~balloon_spec.judge.trials` makes
one table of them. If a buffer is not returned,
or its pages are not discarded, the first of its trials that shows in this way is blamed; if it has none, the
plain requirement is. If other pages are changed, the first requirement is blamed that forbids to touch them.
What a plain requirement says in general, a family may say in particular for its own buffers: it is asked
before the plain one is blamed.

*Kept is earned.* A rule says that a requirement was kept only if it could have been broken at that event. A
buffer that is returned keeps just what that buffer put to the test.

*Permission to do nothing.* A device may have its reasons not to discard memory, or to do it late. So pages
that are still there say no more than INF-07, unless the same device discarded others under the same
circumstances: :mod:`balloon_spec.families.base.given_back` compares them, within a trace and between traces.

*What follows from another finding.* Some of it shows only later. At the end of an exchange
:mod:`balloon_spec.families.base.consequences` drops what a change of a buffer in flight explains.

**How families come together**

No rule names a family beside its own and those on which that builds. If it has to know something of the
others, it asks all of them: the ledgers that derive from :class:`~balloon_spec.judge.companion.Companion`
answer whether the driver waits for something, whether the device has a reason to keep memory, which pages it
must leave alone. Where a rule decides for other families, its ``further`` names what these declare.

**What is remembered, and for how long**

All memory is in *ledgers* (:mod:`~balloon_spec.judge.ledger`). A family declares those it needs, the
:class:`~balloon_spec.judge.exchange.Exchange` holds one of each, and a rule asks for one by its class:

===============  ==========================================================  =========================
ledger           what it remembers                                           what a reset leaves
===============  ==========================================================  =========================
Session          features, queues, memory, and how far the session has come  memory, what was accepted
BetweenSessions  whether a driver that was reset has reason to act           that
Buffers          what is in flight                                           their names
Returns          what was unusual about those that came back                 that deflate is served
Balloon          the pages held, and those on the way in and out             nothing
Count            what ``actual`` does not count yet                          nothing
Configuration    the target and ``actual``, as either side saw them          both, as they may be
GuestMemory      the pages that may be discarded, and must not be            those named before
Discards         what looks at memory showed                                 what the device can do
GuestWishes      what the guest wants, if somebody steers it                 nothing
Course           the way from one target to the next                         nothing
Notifications    those that are due                                          nothing
Requests         the request in hand, and the wish for the next              its id, that it was open
Statistics       the buffers, and what the host knows                        what the host knows
Rounds           the command ids published, and the round of the driver      the id that stood there
HintedPages      the pages hinted in a round, and what a copy may lack       those pages, and the copy
Reports          what looks showed of reports in flight, and what came back  that the queue is served
PageContents     what the guest left in pages, as far as somebody said       that
===============  ==========================================================  =========================

A reset replaces each ledger by what its ``after_reset`` returns, and nothing else outlives it. What is held
is bounded by the buffers in flight and by sets of pages, and not by the length of the trace. An event costs
what it names: a set of pages shares with its successor all that did not change
(:mod:`balloon_spec.bounds`), and what awaits a look at memory is found by its pages
(:mod:`balloon_spec.page_map`). ``bench/check_length.py`` measures it.
"""

from balloon_spec.judge.decision import Decision, Finding
from balloon_spec.judge.judge import Judge, Weighed
from balloon_spec.judge.rule import Rule

__all__ = ["Decision", "Finding", "Judge", "Rule", "Weighed"]
