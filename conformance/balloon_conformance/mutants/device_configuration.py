"""Devices that are wrong about the configuration space or the statistics."""

from __future__ import annotations

from dataclasses import replace

from balloon_conformance.iut.contract import ImplementationCrashed
from balloon_conformance.iut.reference.adapter import ReferenceDevice
from balloon_conformance.mutants.mutant import mutant
from balloon_conformance.reference.device import Device
from balloon_conformance.reference.device_pages import BufferContent
from balloon_conformance.reference.device_requests import Step
from balloon_conformance.reference.device_state import DevicePhase, DeviceState, RequestPhase
from balloon_spec.events import Available, ConfigurationChanged, ConfigurationWritten, OperatorAction
from balloon_spec.families.base import configuration

_LONGEST_SPACE_BYTES = 16


# -- the configuration space ------------------------------------------------------------------------------


@mutant("CFG-07")
class NeverAnnouncesATarget(Device):
    """The operator sets a target, and the guest is never notified of it."""

    def change_target(self, state: DeviceState, value: int) -> Step:
        """Set it without a notification."""
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
    """The guest reads actual in place of num_pages, and never moves a page.

    What it wrote to ``actual`` does not read back from there.
    """

    def configuration(self, state: DeviceState | None = None) -> bytes:
        """Exchange the fields."""
        data = super().configuration(state)
        return data[4:] + data[:4]


@mutant("CFG-07")
class LosesATargetDuringAnExchange(Device):
    """A target that is set during a migration never reaches the guest."""

    def change_target(self, state: DeviceState, value: int) -> Step:
        """Do nothing while a request is open."""
        if state.requests.phase is RequestPhase.OPEN:
            return state, ()
        return super().change_target(state, value)


@mutant("CFG-07")
class AnnouncesNothingToABalloonAtItsTarget(Device):
    """A guest on its way to a target is not notified when the target becomes what it has given by then."""

    def change_target(self, state: DeviceState, value: int) -> Step:
        """Set a target equal to actual without a notification, unless it is 0."""
        after, outputs = super().change_target(state, value)
        return after, (() if after.num_pages == state.actual != 0 else outputs)


@mutant("CFG-11")
class CountsTheTargetInBytes(Device):
    """The guest is asked for 4096 times the memory that the operator named."""

    def target_pages(self, value: int) -> int:
        """Show the target in bytes."""
        return super().target_pages(value * 4096)


@mutant("CFG-06", origin="v86: its device keeps its own count, and what a driver writes is dropped")
class ForgetsActual(Device):
    """The operator never sees how large the balloon is."""

    def configure(self, state: DeviceState, given: ConfigurationWritten) -> Step:
        """Keep the old value."""
        after, outputs = super().configure(state, given)
        return replace(after, actual=state.actual), outputs


@mutant("CFG-06")
class DropsActualBeforeDriverOk(Device):
    """The value of actual that a driver writes before DRIVER_OK is lost."""

    def configure(self, state: DeviceState, given: ConfigurationWritten) -> Step:
        """Keep the old value until DRIVER_OK."""
        after, outputs = super().configure(state, given)
        return (after if state.phase is DevicePhase.RUNNING else state), outputs


@mutant("CFG-08", origin="kvmtool: its device writes actual itself")
class ChangesActual(Device):
    """The device counts the balloon itself, and actual changes although the driver did not write it."""

    def take_inflate(self, state: DeviceState, buffer: Available) -> Step:
        """Count the named pages."""
        state, outputs = super().take_inflate(state, buffer)
        return replace(state, actual=state.balloon.pages), outputs


@mutant("CFG-08", origin="a device that took a new target for a balloon that begins anew")
class ForgetsActualAtANewTarget(Device):
    """The host sees an empty balloon as soon as it sets a target."""

    def change_target(self, state: DeviceState, value: int) -> Step:
        """Count from zero."""
        return super().change_target(replace(state, actual=0), value)


@mutant("CFG-08")
class ForgetsActualAtAChunk(Device):
    """The host sees an empty balloon whenever the guest gives more pages in chunks."""

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
    """Pages that were reported as unused count as given up."""

    def take_unused_pages(self, state: DeviceState, given: tuple[Available, BufferContent]) -> Step:
        """Add them to actual."""
        state, outputs = super().take_unused_pages(state, given)
        return replace(state, actual=state.actual + given[1].pages.pages), outputs


@mutant("CFG-08", also=("CFG-06", "RESET-11"))
class CountsTheRequestIn(Device):
    """The id of a request for unused pages is stored as the size of the balloon."""

    def ask(self, state: DeviceState) -> Step:
        """Write it into actual."""
        state, outputs = super().ask(state)
        return replace(state, actual=state.requests.request), outputs


@mutant("CFG-16")
class KeepsItsGeneration(ReferenceDevice):
    """A driver that reads a target in two halves, while it changes, takes half of each for a target."""

    def generation(self) -> int | None:
        """Return the same number always."""
        return 0


@mutant("CFG-16", origin="QEMU: virtio_notify_config changes the generation, and returns before DRIVER_OK")
class ChangesItsGenerationWhenItNotifies(ReferenceDevice):
    """A driver that sets itself up while the target changes cannot see that it changed."""

    _announced = 0

    def operate(self, action: OperatorAction, value: int) -> None:
        """Count a change if the driver is notified of it."""
        before = self.device.configuration()
        super().operate(action, value)
        if self.device.state.phase is DevicePhase.RUNNING and self.device.configuration() != before:
            self._announced += 1

    def generation(self) -> int | None:
        """Return how many changes were announced."""
        return self._announced


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
    """The guest is notified of a target, and still reads the old one.

    Every later read of num_pages shows another target than the operator's too.
    """

    def change_target(self, state: DeviceState, value: int) -> Step:
        """Notify and change nothing."""
        after, outputs = super().change_target(state, value)
        return replace(after, num_pages=state.num_pages), outputs


@mutant("CFG-09", origin="Firecracker: a guest may write any configuration field, num_pages among them")
class LetsTheDriverSetTheTarget(Device):
    """A guest can set its own target."""

    def configure(self, state: DeviceState, given: ConfigurationWritten) -> Step:
        """Accept writes to num_pages too."""
        after, outputs = super().configure(state, given)
        if given.offset == 0:
            after = replace(after, num_pages=int.from_bytes(given.data[:4], "little"))
        return after, outputs


@mutant("CFG-01")
class ReadsOneFieldAtATime(ReferenceDevice):
    """A driver that reads across both fields gets zeros for the second."""

    def read_configuration(self, offset: int, length_bytes: int) -> bytes:
        """End a read that begins within num_pages at the end of that field."""
        data = super().read_configuration(offset, length_bytes)
        return data[: 4 - offset].ljust(length_bytes, b"\0") if 0 < offset < 4 else data


@mutant(
    "CFG-01",
    also=("CFG-06", "POISON-06"),
    origin="StratoVirt, commit 73387b73: a read at another offset than 0 was refused",
)
class ReadsOnlyFromTheBeginning(ReferenceDevice):
    """A driver that reads a field by itself gets zeros."""

    def read_configuration(self, offset: int, length_bytes: int) -> bytes:
        """Give zeros for what does not begin at offset 0."""
        return bytes(length_bytes) if offset else super().read_configuration(offset, length_bytes)


@mutant(
    "CFG-15",
    also=("POISON-06",),
    origin="crosvm, commit 0f7758b76: the space had 8 bytes, without the words of hints and of page poison",
)
class EndsTheSpaceAfterActual(ReferenceDevice):
    """A driver that reads a word of a further feature finds all ones, which is what a bus gives for nothing.

    That word does not read back as it was written.
    """

    def read_configuration(self, offset: int, length_bytes: int) -> bytes:
        """Give ones from the ninth byte on."""
        data = super().read_configuration(offset, length_bytes)
        return data[: max(configuration.LENGTH_BYTES - offset, 0)].ljust(length_bytes, b"\xff")


@mutant(
    "SAFE-13",
    also=("SAFE-02",),
    origin="Firecracker, commit ca58afdd3: offset and length of a store were added without a check",
)
class DiesOfAStoreBeyondTheSpace(Device):
    """A guest ends its device with one store.

    It may have sent a malformed buffer before.
    """

    def configure(self, state: DeviceState, given: ConfigurationWritten) -> Step:
        """Crash if the store does not end within the space."""
        if given.offset + len(given.data) > len(self.configuration(state)):
            raise ImplementationCrashed("exit status 101")
        return super().configure(state, given)


@mutant("SAFE-13", origin="StratoVirt, commit 9c77cd3d: a read ran over the end of the space")
class DiesOfAReadBeyondTheSpace(ReferenceDevice):
    """A guest ends its device with one read."""

    def read_configuration(self, offset: int, length_bytes: int) -> bytes:
        """Crash if the read does not end within the longest space there is."""
        if offset + length_bytes > _LONGEST_SPACE_BYTES:
            raise ImplementationCrashed("exit status 101")
        return super().read_configuration(offset, length_bytes)
