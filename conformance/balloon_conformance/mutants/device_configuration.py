"""Devices that are wrong about the configuration space or the statistics."""

from __future__ import annotations

from dataclasses import replace

from balloon_conformance.iut.contract import ImplementationCrashed
from balloon_conformance.iut.reference.adapter import ReferenceDevice
from balloon_conformance.mutants.mutant import mutant
from balloon_conformance.reference.device import Device
from balloon_conformance.reference.device_pages import Reading
from balloon_conformance.reference.device_requests import Step
from balloon_conformance.reference.device_state import DevicePhase, DeviceState, RequestPhase
from balloon_spec.events import Available, ConfigurationChanged, ConfigurationWritten

_TAG_OFFSET, _ENTRY_BYTES = 0, 10


# -- the configuration space ------------------------------------------------------------------------------


@mutant("CFG-07")
class NeverAnnouncesATarget(Device):
    """The operator sets a target, and the guest never hears of it."""

    def change_target(self, state: DeviceState, value: int) -> Step:
        """Set it quietly."""
        state, outputs = super().change_target(state, value)
        return state, tuple(one for one in outputs if not isinstance(one, ConfigurationChanged))


@mutant("CFG-01", origin="VIRTIO 1.0: legacy devices have other fields in guest order, these never")
class SwapsTheConfiguration(Device):
    """The guest reads a target of billions of pages, because the fields are big-endian."""

    def configuration(self, state: DeviceState | None = None) -> bytes:
        """Swap both fields."""
        data = super().configuration(state)
        return data[3::-1] + data[:3:-1]


@mutant("CFG-01", also=("CFG-06", "CFG-08"))
class PutsActualFirst(Device):
    """The guest reads how much it has given for how much it is to give, and never moves.

    What it wrote to ``actual`` does not read back from there.
    """

    def configuration(self, state: DeviceState | None = None) -> bytes:
        """Exchange the fields."""
        data = super().configuration(state)
        return data[4:] + data[:4]


@mutant("CFG-07")
class LosesATargetDuringAnExchange(Device):
    """A target that is set while a guest is moved elsewhere never reaches it."""

    def change_target(self, state: DeviceState, value: int) -> Step:
        """Do nothing while a request is open."""
        if state.requests.phase is RequestPhase.OPEN:
            return state, ()
        return super().change_target(state, value)


@mutant("CFG-07")
class LosesATargetWhileStatisticsAreWanted(Device):
    """A guest is not told of a target that is set while its statistics are awaited."""

    def change_target(self, state: DeviceState, value: int) -> Step:
        """Set it quietly then."""
        after, outputs = super().change_target(state, value)
        return after, (() if state.statistics_wanted else outputs)


@mutant("CFG-07")
class AnnouncesNothingToABalloonAtItsTarget(Device):
    """A guest that is on its way to a target is not told that what it gave is enough by now."""

    def change_target(self, state: DeviceState, value: int) -> Step:
        """Set what actual is quietly, unless that is 0."""
        after, outputs = super().change_target(state, value)
        return after, (() if after.num_pages == state.actual != 0 else outputs)


@mutant("CFG-11")
class CountsTheTargetInBytes(Device):
    """The guest is asked for 4096 times the memory the operator named."""

    def target_pages(self, value: int) -> int:
        """Give bytes."""
        return super().target_pages(value * 4096)


@mutant("CFG-06", origin="v86: its device keeps its own count, and what a driver writes is dropped")
class ForgetsActual(Device):
    """The operator never sees how large the balloon is."""

    def configure(self, state: DeviceState, given: ConfigurationWritten) -> Step:
        """Keep what there was."""
        after, outputs = super().configure(state, given)
        return replace(after, actual=state.actual), outputs


@mutant("CFG-06")
class DropsActualBeforeDriverOk(Device):
    """A driver that sets actual right before it begins is not heard."""

    def configure(self, state: DeviceState, given: ConfigurationWritten) -> Step:
        """Keep what there was until DRIVER_OK."""
        after, outputs = super().configure(state, given)
        return (after if state.phase is DevicePhase.RUNNING else state), outputs


@mutant("CFG-08", origin="kvmtool: its device writes actual itself")
class ChangesActual(Device):
    """The size of the balloon changes under the driver's hands, because the device counts for itself."""

    def take_inflate(self, state: DeviceState, buffer: Available) -> Step:
        """Count what was named."""
        state, outputs = super().take_inflate(state, buffer)
        return replace(state, actual=state.balloon.pages), outputs


@mutant("CFG-08", origin="a device that took a new target for a balloon that begins anew")
class ForgetsActualAtANewTarget(Device):
    """The host believes that the guest gave nothing, from the moment it asks for more."""

    def change_target(self, state: DeviceState, value: int) -> Step:
        """Count from zero."""
        return super().change_target(replace(state, actual=0), value)


@mutant("CFG-08")
class ForgetsActualAtAChunk(Device):
    """The host believes that the guest gave nothing, whenever it gives more in chunks."""

    def take_inflate(self, state: DeviceState, buffer: Available) -> Step:
        """Count from zero with chunks, and leave the count alone with arrays."""
        state, outputs = super().take_inflate(state, buffer)
        return (replace(state, actual=0) if self.has(state, "CHUNK_TRANSFER") else state), outputs


@mutant("CFG-08")
class ForgetsActualWhenItDeflates(Device):
    """The balloon looks empty once the first page has left it."""

    def take_deflate(self, state: DeviceState, buffer: Available) -> Step:
        """Count from zero."""
        state, outputs = super().take_deflate(state, buffer)
        return replace(state, actual=0), outputs


@mutant("CFG-08")
class CountsUnusedPagesIn(Device):
    """Pages that were named as a hint count as given up."""

    def take_unused_pages(self, state: DeviceState, given: tuple[Available, Reading]) -> Step:
        """Add them to actual."""
        state, outputs = super().take_unused_pages(state, given)
        return replace(state, actual=state.actual + given[1].pages.pages), outputs


@mutant("CFG-08")
class ForgetsActualForStatistics(Device):
    """Whoever asks for fresh statistics is told of an empty balloon as well."""

    def return_statistics(self, state: DeviceState) -> Step:
        """Count from zero."""
        state, outputs = super().return_statistics(state)
        return replace(state, actual=0), outputs


@mutant("CFG-08", also=("CFG-06", "RESET-11"))
class CountsTheRequestIn(Device):
    """The id of a request for unused pages is taken for a count."""

    def ask(self, state: DeviceState) -> Step:
        """Write it into actual."""
        state, outputs = super().ask(state)
        return replace(state, actual=state.requests.request), outputs


@mutant("CFG-12")
class AnnouncesAnEmptyBalloon(Device):
    """A driver that trusts a notification counts its balloon from zero again."""

    def change_target(self, state: DeviceState, value: int) -> Step:
        """Notify with an actual of zero."""
        state, outputs = super().change_target(state, value)
        return state, tuple(
            replace(one, data=one.data[:4] + bytes(4)) if isinstance(one, ConfigurationChanged) else one
            for one in outputs
        )


@mutant("CFG-12", also=("CFG-11", "CFG-01"))
class AnnouncesAheadOfItself(Device):
    """The guest hears of a target and finds the old one there when it looks.

    Whoever reads num_pages after that finds another target than the operator's.
    """

    def change_target(self, state: DeviceState, value: int) -> Step:
        """Notify and change nothing."""
        after, outputs = super().change_target(state, value)
        return replace(after, num_pages=state.num_pages), outputs


@mutant("CFG-09", origin="Firecracker: a guest may write any configuration field, num_pages among them")
class LetsTheDriverSetTheTarget(Device):
    """A guest chooses for itself how much memory it has to give."""

    def configure(self, state: DeviceState, given: ConfigurationWritten) -> Step:
        """Take num_pages too."""
        after, outputs = super().configure(state, given)
        if given.offset == 0:
            after = replace(after, num_pages=int.from_bytes(given.data[:4], "little"))
        return after, outputs


@mutant("CFG-01")
class ReadsOneFieldAtATime(ReferenceDevice):
    """A driver that reads across both fields finds zeros where the second begins."""

    def read_configuration(self, offset: int, length_bytes: int) -> bytes:
        """End a read that begins within num_pages at its end."""
        data = super().read_configuration(offset, length_bytes)
        return data[: 4 - offset].ljust(length_bytes, b"\0") if 0 < offset < 4 else data


# -- statistics -------------------------------------------------------------------------------------------


def _tags(buffer: Available) -> list[int]:
    """Return the low bytes of the tags of a statistics buffer, which tell all known ones."""
    return list(buffer.readable[_TAG_OFFSET::_ENTRY_BYTES])


@mutant("STATS-07", origin="Linux sends tags 10 to 15, which no specification names")
class KeepsUnknownStatistics(Device):
    """A newer guest's statistics never arrive, because one of them is new."""

    def return_statistics(self, state: DeviceState) -> Step:
        """Return buffers of known tags alone."""
        known = tuple(one for one in state.statistics if all(tag < 16 for tag in _tags(one)))
        return super().return_statistics(replace(state, statistics=known))


@mutant(
    "SAFE-13",
    also=("SAFE-02",),
    origin="a device in Go: an index out of range for a tag above those it knows",
)
class DiesOfAnUnknownTag(Device):
    """A newer guest ends its device with its first statistics, which nobody has asked for yet.

    A malformed statistics buffer has unknown tags too.
    """

    def take_statistics(self, state: DeviceState, buffer: Available) -> Step:
        """End at a tag above the known ones."""
        if any(tag > 15 for tag in _tags(buffer)):
            raise ImplementationCrashed("exit status 2")
        return super().take_statistics(state, buffer)


@mutant("STATS-08")
class KeepsUnsortedStatistics(Device):
    """A guest that lists its statistics in another order never has them read."""

    def return_statistics(self, state: DeviceState) -> Step:
        """Return buffers of rising tags alone."""
        known = tuple(one for one in state.statistics if _tags(one) == sorted(_tags(one)))
        return super().return_statistics(replace(state, statistics=known))
