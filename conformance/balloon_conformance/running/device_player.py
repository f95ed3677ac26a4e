"""Plays a vector against a device: the suite performs the driver's lines and awaits the device's."""

from __future__ import annotations

import json
from collections.abc import Callable

from balloon_conformance.iut.contract import Buffer, Capability, operator_capability
from balloon_conformance.iut.sight import Fact
from balloon_conformance.running.blame import Lapse, blame, queue_blame
from balloon_conformance.running.mismatch import Mismatch
from balloon_conformance.running.not_exercised import NotExercised
from balloon_conformance.running.session import DeviceSession
from balloon_conformance.vectors import model, steps
from balloon_conformance.vectors.step import Step
from balloon_spec import events as ev
from balloon_spec.events import OperatorAction
from balloon_spec.families.base import configuration
from balloon_spec.families.base.configuration_space import Configuration
from balloon_spec.families.base.discards import Discards
from balloon_spec.families.base.guest_memory import GuestMemory
from balloon_spec.feature import insisted_on
from balloon_spec.judge.shape import read_content
from balloon_spec.pages import PageSet
from balloon_spec.profiles import Profile
from balloon_spec.trace import event_fields

__all__ = ["DevicePlayer"]


class DevicePlayer:
    """Plays one vector in one session.

    ``left_out`` are the reasons why steps were not played; a vector with any shows less than it lists.
    ``line`` is that of the step which is played, or was last; 1 before the first.
    """

    def __init__(
        self,
        vector: model.Vector,
        session: DeviceSession,
        quiet_seconds: float,
        begins: Callable[[Step], None] = lambda _: None,
    ) -> None:
        self._vector = vector
        self._session = session
        self._quiet_seconds = quiet_seconds
        self._begins = begins
        self._buffers: dict[str, steps.BufferStep] = {}
        self._returned = True
        self._found = 0
        self._has_target = session.can(Capability.OPERATOR_TARGET)
        self.left_out: list[str] = []
        self.line = 1

    def play(self) -> None:
        """Play every step; raises Mismatch, NotExercised, or Ended."""
        # Refused features leave only a reset to come, which is the vector's next step.
        if self._negotiate(self._vector.features) and not self._vector.sets_driver_ok:
            self._session.driver_ok()
            self._look_at_configuration()
        for step in self._vector.steps:
            self.line = step.line
            self._begins(step)
            if step.condition == "returned" and not self._returned:
                self.left_out.append(f"line {step.line}: the buffer before it was not returned")
                continue
            self._found = len(self._session.findings)
            self._step(step)
        self._session.settle(self._quiet_seconds)
        if self._session.judge.driver_ok:
            self._look_at_configuration()

    def _look_at_configuration(self) -> None:
        """Read the whole configuration space, for the rules on what a device may not change."""
        self._session.read_whole_configuration()

    def _is_advice(self) -> bool:
        """Tell whether the judge found something at this step, and all of it is advice.

        What follows is played then: a device that need not discard, or need not go on after a malformed
        buffer, is still judged by the rest of the vector.
        """
        fresh = self._session.findings[self._found :]
        return bool(fresh) and not any(finding.level.binding for finding in fresh)

    def _negotiate(self, sets: model.FeatureSets) -> bool:
        profile = self._vector.profile
        offered = self._session.offered()
        intruders = sets.accepted & ~sets.offered
        missing = sorted(profile.names(sets.accepted & ~intruders & ~offered))
        if missing:
            raise NotExercised(f"the device does not offer {', '.join(missing)}")
        accepted = sets.accepted
        if intruders & offered:
            # Any bit that is not offered will do for one that is not to be accepted.
            accepted = accepted & ~intruders | _not_offered(profile, offered)
        kept = self._session.negotiate(accepted, offered)
        if kept and sets.features_ok and (ambiguity := self._session.ambiguity(accepted, offered)):
            raise NotExercised(ambiguity)
        if kept and not sets.features_ok and (hidden := self._session.unseen.get(Fact.REFUSAL)):
            raise NotExercised(f"ambiguous: the features were taken, and {hidden}")
        if kept and not sets.features_ok:
            raise Mismatch(
                "the device kept FEATURES_OK",
                requirement="NEG-06",
                field="status",
                expected="refused",
                seen="kept",
            )
        if not kept and sets.features_ok:
            if insisted := insisted_on(offered, accepted):
                raise NotExercised(f"the device insists on {', '.join(insisted)}, which it may")
            untold = "MUST_TELL_HOST" in profile.names(offered & ~sets.accepted)
            if untold:
                raise NotExercised("the device refuses a driver that does not accept MUST_TELL_HOST")
            raise Mismatch(
                "the device refused the features",
                requirement="NEG-07",
                field="status",
                expected="kept",
                seen="refused",
            )
        return kept

    def _step(self, step: Step) -> None:
        session = self._session
        match step:
            case steps.OperatorStep():
                self._operate(step)
            case steps.GuestStep():
                pass
            case steps.BufferStep():
                self._needs(step)
                self._buffers[step.name] = step
                readable = queue_blame(step.queue).sent(step.readable, session.chosen)
                session.make_available(
                    session.index(step.queue),
                    Buffer(step.name, readable, step.writable_bytes, step.segments, step.notify),
                )
            case steps.ActualStep():
                session.write_configuration(configuration.ACTUAL_OFFSET, step.pages.to_bytes(4, "little"))
            case steps.ConfigurationWriteStep():
                session.write_configuration(step.offset, step.data)
            case steps.ConfigurationReadStep():
                self._read(step)
            case steps.DriverOkStep():
                session.driver_ok()
            case steps.SilentStep():
                self._silence(step)
            case steps.UsedStep():
                self._used(step)
            case steps.ConfigurationStep():
                self._changed(step)
            case steps.ReactionStep():
                self._reaction(step)
            case steps.EffectStep():
                self._effect(step)
            case steps.ResetStep():
                session.reset()
                self._buffers.clear()
                self._returned = True
                if self._negotiate(step.features):
                    session.driver_ok()
            case _:
                if left_out := step.play_device(session):
                    self.left_out.append(f"line {step.line}: {left_out}")

    def _needs(self, step: steps.BufferStep) -> None:
        """Refuse to name pages that the guest does not have, where the vector says that it has them."""
        missing = self._vector.memory - self._session.memory
        if not missing or not step.queue.names_pages:
            return
        content = read_content(step.queue, step.readable, self._vector.memory, self._session.judge.features)
        if named := content.pages & missing:
            raise NotExercised(f"the guest has no pages {named}; give it the memory that start asks for")

    def _operate(self, step: steps.OperatorStep) -> None:
        capability = operator_capability(step.action)
        if step.action is OperatorAction.TARGET and not self._session.can(capability):
            # What follows does not depend on the target: a driver may inflate at any time.
            self.left_out.append(f"line {step.line}: the adapter lacks {capability}")
            return
        self._session.need(capability)
        if step.told_from_before:
            self._session.read_whole_configuration()
        self._session.operate(step.action, step.value)

    def _read(self, step: steps.ConfigurationReadStep) -> None:
        session = self._session
        seen = session.read_configuration(step.offset, step.length_bytes)
        if step.offset < configuration.ACTUAL_OFFSET and not self._has_target:
            self.left_out.append(f"line {step.line}: the target cannot be set, so num_pages is not known")
        elif seen != step.data:
            raise Mismatch(
                "the configuration space does not read as it must",
                requirement=blame(Lapse.READ_OTHERWISE, step.shows, "CFG-01"),
                field=f"configuration at offset {step.offset}",
                expected=step.data.hex(" "),
                seen=seen.hex(" "),
                data=seen,
            )
        else:
            session.show(step.shows)

    def _silence(self, step: steps.SilentStep) -> None:
        if step.side is not ev.Side.DEVICE:
            return
        left = self._session.settle(self._quiet_seconds)
        plain = "" if self._session.judge.driver_ok else "QUEUE-10"
        requirement = blame(Lapse.SPOKE, step.shows, plain)
        forbidden = [event for event in left if self._is_forbidden(event)]
        if forbidden and requirement:
            raise Mismatch(
                "the device returned a buffer although it had no reason to",
                requirement=requirement,
                field="event",
                expected="no buffer returned",
                seen=json.dumps(event_fields(forbidden[0])),
            )
        self._session.leave(left)
        self._session.show(step.shows)

    def _is_forbidden(self, event: ev.Event) -> bool:
        """Tell whether an event breaks a silence; of the others the rules decide whether they are right.

        A device may announce its configuration as often as it likes, and return a statistics buffer when it
        likes (STATS-09). Before DRIVER_OK no buffer comes back.
        """
        if not isinstance(event, ev.Used):
            return False
        queue = self._session.queue(event.queue)
        return queue is None or not queue.held or not self._session.judge.driver_ok

    def _used(self, step: steps.UsedStep) -> None:
        sent = self._buffers[step.name]
        queue = self._session.index(sent.queue)
        event = self._session.wait_for(
            lambda seen: isinstance(seen, ev.Used) and seen.buffer == step.name and seen.queue == queue
        )
        if event is None and self._is_advice():
            self._returned = False
            self.left_out.append(f"line {step.line}: buffer {step.name} was not returned")
            return
        if event is None and self._session.judge.gave_up:
            raise NotExercised("the device asked for a reset on account of malformed input (SAFE-10)")
        if event is None:
            plain = queue_blame(sent.queue).not_returned(writable=sent.writable_bytes > 0)
            requirement = blame(Lapse.NOT_RETURNED, step.shows, plain)
            if not requirement:
                allowed = " (STATS-09)" if sent.queue.held else ""
                raise NotExercised(
                    f"the device holds buffer {step.name} of the {sent.queue} queue, as it may{allowed}"
                )
            raise Mismatch(
                f"buffer {step.name} was not returned",
                requirement=requirement,
                field=f"queue {queue}",
                expected=f"{step.name} returned",
                seen=f"nothing within {self._session.deadline_seconds:g} s",
            )
        assert isinstance(event, ev.Used)
        requirement = self._wrong_contents(event, step)
        if requirement:
            raise Mismatch(
                f"buffer {step.name} was returned with other contents",
                requirement=requirement,
                field="used length" if event.length_bytes != step.length_bytes else "written bytes",
                expected=f"{step.length_bytes} bytes {step.written.hex(' ')}".rstrip(),
                seen=f"{event.length_bytes} bytes {event.written.hex(' ')}".rstrip(),
                data=event.written,
            )
        self._session.show(step.shows)

    def _wrong_contents(self, event: ev.Used, step: steps.UsedStep) -> str:
        """Return what a buffer breaks that came back with other contents; empty for nothing."""
        if event.length_bytes == step.length_bytes and event.written == step.written:
            return ""
        sent = self._buffers[step.name]
        if not sent.writable_bytes:
            # A device without VERSION_1 may report what it read.
            return "BUF-03" if self._session.judge.has("VERSION_1") else ""
        if not queue_blame(sent.queue).is_read_back:
            return ""
        wanted = ev.Used(event.queue, event.buffer, step.length_bytes, step.written)
        requirement = queue_blame(sent.queue).other_written(wanted, event)
        if requirement or step.shows:
            return requirement or step.shows[0]
        raise NotExercised("the device writes something else, and no requirement says what it must be")

    def _changed(self, step: steps.ConfigurationStep) -> None:
        if not self._has_target:
            return
        wanted = step.num_pages.to_bytes(4, "little")
        event = self._session.wait_for(
            # One that was superseded before anybody looked is no news.
            lambda seen: (
                isinstance(seen, ev.ConfigurationChanged)
                and seen.data[:4] == wanted
                and self._session.judge[Configuration].num_pages == step.num_pages
            )
        )
        if event is None and (hidden := self._session.unseen.get(Fact.CONFIGURATION_CHANGE)):
            self.left_out.append(f"line {step.line}: {hidden}")
            return
        if event is None:
            # Notifications with another value were needless or wrong; the rules know which.
            raise Mismatch(
                "the driver was not notified of a configuration change",
                requirement="CFG-07",
                field="num_pages",
                expected=step.num_pages,
                seen="no notification of it",
            )
        self._session.show(step.shows)

    def _reaction(self, step: steps.ReactionStep) -> None:
        queue = self._session.index(self._buffers[step.name].queue)
        event = self._session.wait_for(
            lambda seen: (
                isinstance(seen, ev.NeedsReset)
                or (isinstance(seen, ev.Used) and seen.buffer == step.name and seen.queue == queue)
            )
        )
        if event is None:
            reaction = model.Reaction.SILENT
        elif isinstance(event, ev.NeedsReset):
            reaction = model.Reaction.NEEDS_RESET
        else:
            reaction = model.Reaction.RETURNED
        self._returned = reaction is model.Reaction.RETURNED
        # It may be returned (SAFE-03), and a reset asked for (SAFE-10), whatever the vector lists.
        if reaction is model.Reaction.SILENT and reaction not in step.allowed:
            raise Mismatch(
                f"the device's reaction to buffer {step.name} is not allowed",
                requirement="SAFE-03",
                field="reaction",
                expected=" or ".join(sorted(step.allowed)),
                seen=reaction,
            )
        self._session.show(step.shows)

    def _effect(self, step: steps.EffectStep) -> None:
        session = self._session
        if not session.can(Capability.DISCARDS):
            self.left_out.append(f"line {step.line}: the adapter lacks {Capability.DISCARDS}")
            return
        around = PageSet((max(run.first - 1, 0), run.count + 1 + min(run.first, 1)) for run in step.discarded)
        gone, changed = session.look((around | step.kept) & session.memory)
        missing = step.discarded - gone
        extra = (gone | changed) - step.discarded
        if session.judge.driver_ok:
            # What is in the balloon the device may discard as often as it likes.
            extra -= session.judge[GuestMemory].may_be_discarded
        if missing and self._is_advice():
            self.left_out.append(f"line {step.line}: pages were not discarded")
        elif missing and self._returned:
            raise Mismatch(
                "pages were not discarded",
                requirement=blame(
                    Lapse.NOT_DISCARDED, step.shows if session.judge[Discards].able else (), "INF-07"
                ),
                field="page",
                expected=step.discarded,
                seen=f"still there: {missing}",
            )
        if extra:
            raise Mismatch(
                "other pages were changed",
                requirement=blame(Lapse.TOUCHED, step.shows, "INF-08"),
                field="page",
                expected=step.discarded,
                seen=extra,
            )
        if not missing:
            session.show(step.shows)


def _not_offered(profile: Profile, offered: int) -> int:
    """Return one bit that is not offered: of a ring feature the suite knows, or else of no feature at all."""
    ring = [feature.bit for feature in profile.features if feature not in profile.device_features]
    # Those from 24 on mean something to a transport.
    nameless = [bit for bit in range(23, -1, -1) if bit not in profile.by_bit]
    return next(1 << bit for bit in (*reversed(ring), *nameless) if not offered >> bit & 1)
