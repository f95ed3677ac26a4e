"""Adapter to a reference driver that chooses its own pages, in a modelled guest.

To the suite it is like a kernel: nobody can tell it which pages to give up. Its guest takes commands
(:attr:`Capability.STEER_GUEST`), and its memory can be read and written (:attr:`Capability.GUEST_MEMORY`), so
the scenarios for a kernel serve it too. The guest's use of a page shows only in memory; no event reports it.

The commands are those of :mod:`balloon_conformance.iut.linux_uml.adapter`, without the ones for a module. A
guest with memory above 4 GiB gives up pages from there, as a kernel takes them from its highest zone, and
uses the others itself.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from balloon_conformance.iut.contract import AdapterError, Capability, Setup, Target
from balloon_conformance.iut.reference.adapter import MakeDriver, ReferenceDriver
from balloon_conformance.iut.reference.modelled_guest import ModelledGuest
from balloon_conformance.reference.coalesce import lowest, page_numbers
from balloon_conformance.reference.driver import Driver
from balloon_conformance.reference.driver_state import DriverOutput, Fill, Freed
from balloon_conformance.virtio.lent_pages import LentPages
from balloon_spec.events import Available, Guest, GuestAction, Side
from balloon_spec.pages import EMPTY, PAGE_BYTES, PFN_LIMIT, PageSet

__all__ = ["COMMANDS", "FreeReferenceDriver", "free_driver_target", "free_reference_driver"]

COMMANDS: Final = frozenset(
    {
        *("allocate", "verify", "hold", "fill", "fragment", "release", "clear"),
        *("drop-caches", "compact", "oom", "memory"),
    }
)
"""The commands to the guest."""

_FIRST_HIGH_PAGE: Final = 1 << 20
"""The page at 4 GiB."""
_RESERVE_PAGES: Final = 1024
"""The pages that the guest leaves free when it is told to take memory."""
_MOST_FILLED_PAGES: Final = 1 << 15
"""The most pages that it takes to fill its memory: the model of a large guest is small."""
_MOVED_PAGES: Final = 16
"""The pages of the balloon that one compaction moves."""
_WANTED_PAGES: Final = 256
"""The pages of the balloon that a guest out of memory wants back."""
_OWN_USE: Final = "the guest's own"


class FreeReferenceDriver(ReferenceDriver):
    """A driver adapter, which also keeps ``SteersGuest`` and ``ReachesMemory`` of the contract.

    ``make`` builds the driver from its options; a subclass of ``Driver`` is one.
    """

    def __init__(
        self,
        make: MakeDriver = Driver,
        *,
        supported: int | None = None,
        description: str = "reference driver that chooses its own pages, in this process",
    ) -> None:
        super().__init__(make, supported=supported, steered=False, description=description)
        self.capabilities |= {Capability.STEER_GUEST, Capability.GUEST_MEMORY}
        self._around = ModelledGuest()
        self._lent = LentPages()
        self._answer: str | None = None

    @property
    def relies_on_free_pages(self) -> bool:
        """It does, as a kernel that initialises pages when they are freed."""
        return True

    def start(self, setup: Setup) -> None:
        """Build a fresh driver, and a guest that uses nothing yet."""
        super().start(setup)
        self._around = ModelledGuest(setup.memory - self.own_memory_of(setup.memory))
        self._lent = LentPages()
        self._answer = None
        self._tell(Guest(GuestAction.RELY))

    def own_memory_of(self, memory: PageSet) -> PageSet:
        """Return the highest zone of guest memory."""
        return memory & PageSet([(_FIRST_HIGH_PAGE, PFN_LIMIT - _FIRST_HIGH_PAGE)]) or memory

    def enter(self, output: DriverOutput) -> None:
        """Record an act of the driver. What it and its guest write to pages goes to memory."""
        if isinstance(output, Guest):
            self._around.use(output.pages, _OWN_USE)
        elif isinstance(output, Fill):
            self._around.overwrite(output.pages, output.data)
        else:
            if isinstance(output, Available):
                self.log.events += self._lent.take(self._around, self.driver.options.memory, output)
            super().enter(output)

    def look_again(self, queue: int, buffer: str) -> None:
        """Look at the pages of a buffer that is about to be returned."""
        self.log.events += self._lent.look_again(self._around, queue, buffer)

    def read_memory(self, address: int, length_bytes: int) -> bytes:
        """Read guest memory."""
        return self._around.read(address, length_bytes)

    def write_memory(self, address: int, data: bytes) -> None:
        """Write guest memory."""
        self._around.write(address, data)

    def guest_begin(self, command: str, *words: str | int) -> None:
        """Give the guest one of :data:`COMMANDS`. It acts at once; the driver's part may come later."""
        if command not in COMMANDS:
            raise AdapterError(f"the guest has no command {command!r}; it has {', '.join(sorted(COMMANDS))}")
        if self._answer is not None:
            raise AdapterError("the guest is still at a command; await its answer first")
        self._answer = self._commands()[command](*words) or ""

    def guest_answer(self, deadline_seconds: float) -> str | None:  # noqa: ARG002 - the contract's method
        """Return the answer; None if there are events of the driver to observe first."""
        if self._answer is None:
            raise AdapterError("the guest was given no command; give it one first")
        if self.log.events:
            return None
        answer, self._answer = self._answer, None
        return answer

    def guest(self, command: str, *words: str | int) -> str:
        """Give a command that needs no buffer returned, and return the answer."""
        self.guest_begin(command, *words)
        answer, self._answer = self._answer or "", None
        return answer

    # -- commands -----------------------------------------------------------------------------------------

    def _commands(self) -> Mapping[str, Callable[..., str | None]]:
        """Return every command with the method that carries it out."""
        return {
            "allocate": self._allocate,
            "verify": self._verify,
            "hold": self._hold,
            "fill": self._fill,
            "fragment": self._fragment,
            "release": self._release,
            "clear": self._clear,
            "drop-caches": self._drop_caches,
            "compact": self._compact,
            "oom": self._oom,
            "memory": self._memory,
        }

    def _allocate(self, name: str, pages: int) -> None:
        self._take(name, pages)
        self._around.fill(name)

    def _hold(self, name: str, pages: int) -> None:
        self._take(name, pages)

    def _fill(self, name: str) -> None:
        self._take(name, min(self._free_pages - _RESERVE_PAGES, _MOST_FILLED_PAGES))

    def _verify(self, name: str, _pages: int) -> None:
        altered = self._around.first_altered(name)
        if altered is not None:
            raise AdapterError(f"the guest failed at verify: {name} differs at page {altered:#x}")

    def _fragment(self, name: str, pages: int) -> None:
        self._take(name, 2 * pages)
        taken = self._around.taken[name]
        self._around.taken[name] = kept = PageSet.from_pfns(page_numbers(taken)[::2])
        self._give(taken - kept)

    def _release(self, name: str) -> None:
        if name not in self._around.taken:
            raise AdapterError(f"the guest failed at release: nothing is called {name}")
        self._give(self._around.taken.pop(name))

    def _clear(self) -> None:
        for name in list(self._around.taken):
            self._release(name)

    def _drop_caches(self) -> None:
        """Do nothing: there are no caches."""

    def _compact(self) -> None:
        """Move pages of the balloon to other pages, as far as the driver may release them."""
        state = self.driver.state
        if not self.driver.has(state, "DEFLATE_ON_OOM"):
            return
        old = lowest(state.ballooning.balloon, _MOVED_PAGES)
        new = PageSet.from_pfns(page_numbers(state.pool)[-old.pages :]) if old else EMPTY
        for action, pages in ((GuestAction.INFLATE, new), (GuestAction.DEFLATE, old)):
            self._tell(Guest(action, pages))

    def _oom(self) -> None:
        balloon = self.driver.state.ballooning.balloon
        self._tell(Guest(GuestAction.DEFLATE, lowest(balloon, _WANTED_PAGES)))

    def _memory(self) -> str:
        total, free = self.driver.options.memory.pages, self._free_pages
        kib = PAGE_BYTES // 1024
        return f"MemTotal={total * kib} MemFree={free * kib} MemAvailable={free * kib}"

    @property
    def _free_pages(self) -> int:
        return self._around.bystanders.pages + self.driver.state.pool.pages

    def _take(self, name: str, count: int) -> None:
        """Take the lowest free pages, first those that the driver does not use."""
        around = self._around
        if count + _RESERVE_PAGES > self._free_pages:
            raise AdapterError(f"the guest failed: out of memory: {self._free_pages} pages are free")
        others = lowest(around.bystanders, count)
        own = lowest(self.driver.state.pool, count - others.pages)
        around.bystanders -= others
        self._tell(Guest(GuestAction.USE, own))
        around.use(others | own, name)

    def _give(self, pages: PageSet) -> None:
        own = pages & (self.driver.options.own_memory or EMPTY)
        self._around.bystanders |= pages - own
        self._tell(Freed(own))


def free_reference_driver() -> FreeReferenceDriver:
    """Return an adapter to the reference driver in a modelled guest; ``run`` takes it as ``python:``."""
    return FreeReferenceDriver()


def free_driver_target(name: str = "free-reference-driver", make: MakeDriver = Driver) -> Target:
    """Return the target of the driver in a modelled guest, or of a subclass under another name."""
    return Target(name, Side.DRIVER, lambda: FreeReferenceDriver(make, description=name))
