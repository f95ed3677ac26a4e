"""The Linux driver in a kernel in user mode, behind the contract of a driver under test.

A kernel outlives the case. For each case the guest's device is taken away and given back, which makes a fresh
vhost-user connection, with other features if needed. In between, the driver's module is unloaded and loaded
again. A kernel is replaced by a fresh one if it crashed or hung, if it does not release its device, if it
complained, or if something was found in it.

This way some things cannot be seen or done:

- **The pages to give up** are the driver's own choice: there is no :attr:`Capability.STEER_PAGES`. The guest
  around the driver takes commands instead (:class:`SteersGuest`).
- **DRIVER_OK** is not shown on this transport: buffers are seen as soon as the driver enabled a virtqueue.
- **The size and place of memory** are the kernel's choice, whatever the case asks for.

The guest takes these commands. The answer is empty unless the table says otherwise; the caller chooses NAME.

==========================  =============================================================================
``allocate NAME PAGES``     fill each page with a pattern of its own; refused if memory is short
``verify NAME PAGES``       compare those pages with the pattern; an error names the first byte that differs
``hold NAME PAGES``         take pages that the kernel may take back if memory is short, which is an error
``fill NAME``               take all the pages that the kernel can do without, and write to them
``fragment NAME PAGES``     take twice the pages and free every second one, which leaves runs of one page
``release NAME``            free what ``allocate``, ``hold``, ``fill`` or ``fragment`` took
``clear``                   free everything that was taken
``drop-caches``             have the kernel drop its page cache and slab objects
``compact``                 have the kernel compact its memory: it may move pages of the balloon
``oom``                     have the kernel act as when it is out of memory (the driver may deflate)
``unload, load, reload``    remove the driver's module, and insert it: the device is reset
``memory``                  answer with NAME=NUMBER words: /proc/meminfo in KiB, /proc/vmstat's counts of
                            pages that went into the balloon, came back and moved
==========================  =============================================================================
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from balloon_conformance.iut import sight
from balloon_conformance.iut.contract import (
    AdapterError,
    Capability,
    ImplementationCrashed,
    ImplementationHung,
    ImplementationViolation,
    Setup,
)
from balloon_conformance.iut.linux_uml.guest import Guest
from balloon_conformance.iut.linux_uml.options import UmlOptions
from balloon_conformance.iut.linux_uml.parts import find_parts
from balloon_spec.events import Event, GuestAction
from balloon_spec.pages import PageSet

__all__ = ["COMMANDS", "LinuxUml"]

COMMANDS: Final = frozenset(
    {
        *("allocate", "verify", "hold", "fill", "fragment", "release", "clear"),
        *("drop-caches", "compact", "oom"),
        *("unload", "load", "reload"),
        "memory",
    }
)
"""The commands to the guest; this module's docstring describes each."""

_FAULTS: Final = (ImplementationCrashed, ImplementationHung, ImplementationViolation)


class LinuxUml:
    """A driver adapter.

    It also keeps :class:`~balloon_conformance.iut.contract.SteersGuest` and
    :class:`~balloon_conformance.iut.contract.OutlivesCases`.
    """

    capabilities = frozenset({Capability.RAW_FEATURES, Capability.STEER_GUEST, Capability.GUEST_MEMORY})

    def __init__(self, options: UmlOptions) -> None:
        self._options = options
        self._guest: Guest | None = None
        self._alarms: list[str] = []
        self.served = 0

    @property
    def unseen(self) -> Mapping[sight.Fact, str]:
        """What the connection to the driver, and the guest around it, do not show."""
        if self._guest is None:
            return sight.unseen(sight.Kind.LINUX_UML)
        hidden = self._guest.wire.unseen
        return sight.without(hidden, sight.Fact.RELIANCE) if self._guest.relies else hidden

    @property
    def description(self) -> str:
        """The kernel's release and its module; :class:`AdapterError` if a part is missing."""
        return find_parts(self._options).description

    @property
    def relies_on_free_pages(self) -> bool:
        """Whether the kernel said at boot that it fills pages as they are freed (``init_on_free=1``)."""
        return self._running().relies

    @property
    def pid(self) -> int:
        """The process id, and process group, of the running kernel."""
        return self._running().pid

    def start(self, setup: Setup) -> None:
        """Provide a guest without a device, that of the case before if it is in order."""
        self._alarms.clear()
        if self._guest is not None and self._options.reuse:
            try:
                self._guest.renew(setup)
            except (AdapterError, *_FAULTS) as error:
                self._alarms.append(f"the guest of the case before was replaced: {error}")
            else:
                self.served += 1
                return
        self.stop()
        self._guest = Guest(self._options)
        self.served = 1
        self._guest.renew(setup)

    def stop(self) -> None:
        """Kill the kernel and drop everything about it except its complaints."""
        if self._guest is not None:
            self._guest.stop()
            self._alarms += self._guest.console.alarms()
            self._guest = None

    def conclude(self, *, suspect: bool) -> None:
        """Take the guest's device away, which the driver may not survive; replace a faulty guest."""
        if self._guest is None:
            if self.served:
                self._alarms.append("the guest was replaced after this case")
            self.served = 0
            return
        try:
            self._guest.unbind()
        except AdapterError as error:
            self._replace(str(error))
        except _FAULTS as error:
            self._replace(f"it did not survive that its device was taken away: {error}")
            raise
        else:
            if suspect or self._guest.console.alarms():
                self._replace("something was found in it")
            else:
                self._guest.console.forget()

    def alarms(self) -> Sequence[str]:
        """Return the kernel's complaints since the start, and whether its guest was replaced."""
        console = () if self._guest is None else self._guest.console.alarms()
        return (*self._alarms, *console)

    def _replace(self, why: str) -> None:
        self.stop()
        self._alarms.append(f"the guest was replaced after this case: {why}")
        self.served = 0

    def reset(self) -> None:
        """Take the guest's device away and load its driver anew; return the buffers that it waits for."""
        self._running().unbind()

    def negotiate(self, offered: int, configuration: bytes) -> int | None:
        """Give the guest a device; return what its driver accepted, None if it refused the device."""
        return self._running().bind(offered, configuration)

    def is_setting_up(self) -> bool:
        """Tell whether the driver has not enabled its virtqueues yet."""
        return self._guest is not None and self._guest.is_setting_up()

    def queues_set_up(self) -> frozenset[int]:
        """Return the indices of the virtqueues that the driver set up and enabled."""
        return frozenset() if self._guest is None else self._guest.wire.queues_set_up()

    def observe(self, deadline_seconds: float) -> Sequence[Event]:
        """Return what the driver did since the last call."""
        return self._running().observe(deadline_seconds)

    def look_again(self, queue: int, buffer: str) -> None:
        """Look at the pages of a buffer that is about to be returned."""
        self._running().look_again(queue, buffer)

    def use(self, queue: int, buffer: str, length_bytes: int, written: bytes) -> None:
        """Return a buffer to the driver."""
        self._running().use(queue, buffer, length_bytes, written)

    def change_configuration(self, configuration: bytes) -> None:
        """Change the configuration space and notify the driver."""
        self._running().change_configuration(configuration)

    def steer(self, action: GuestAction, pages: PageSet) -> None:  # noqa: ARG002 - the contract's method
        """Refuse: the driver chooses its pages."""
        raise AdapterError(f"the driver chooses the pages to {action}; command the guest instead")

    def read_memory(self, address: int, length_bytes: int) -> bytes:
        """Read the guest's memory."""
        return self._running().wire.read_memory(address, length_bytes)

    def write_memory(self, address: int, data: bytes) -> None:
        """Write the guest's memory."""
        self._running().wire.write_memory(address, data)

    def guest_begin(self, command: str, *words: str | int) -> None:
        """Give the guest one of :data:`COMMANDS`."""
        if command not in COMMANDS:
            raise AdapterError(f"the guest has no command {command!r}; it has {', '.join(sorted(COMMANDS))}")
        self._running().command(" ".join([command, *map(str, words)]))

    def guest_answer(self, deadline_seconds: float) -> str | None:
        """Return the guest's answer; None if there are events to observe, or if none came in time."""
        return self._running().answer(deadline_seconds)

    def guest(self, command: str, *words: str | int) -> str:
        """Give a command that needs no buffer returned, and await its answer.

        Raises :class:`ImplementationHung` if no answer comes; what the driver does meanwhile is kept.
        """
        self.guest_begin(command, *words)
        return self._running().finish()

    def _running(self) -> Guest:
        if self._guest is None:
            raise AdapterError("the kernel is not running; start the adapter first")
        return self._guest
