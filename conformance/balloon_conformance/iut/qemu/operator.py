"""The operator of QEMU: what is wished of the balloon through QMP, and what QMP tells of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from balloon_conformance.iut.contract import AdapterError
from balloon_conformance.iut.qemu.migration import Migration
from balloon_conformance.iut.sight import NotVisible
from balloon_spec.families.statistics.statistics import Tag
from balloon_spec.pages import PAGE_SHIFT

if TYPE_CHECKING:
    from balloon_conformance.iut.qemu.qmp import Monitor

__all__ = ["Operator"]

_BALLOON: Final = "/machine/peripheral/balloon0"
_POLLING: Final = "guest-stats-polling-interval"
_STATISTICS: Final = "guest-stats"
_NAMED: Final = {
    "stat-swap-in": Tag.SWAP_IN,
    "stat-swap-out": Tag.SWAP_OUT,
    "stat-major-faults": Tag.MAJFLT,
    "stat-minor-faults": Tag.MINFLT,
    "stat-free-memory": Tag.MEMFREE,
    "stat-total-memory": Tag.MEMTOT,
    "stat-available-memory": Tag.AVAIL,
    "stat-disk-caches": Tag.CACHES,
    "stat-htlb-pgalloc": Tag.HTLB_PGALLOC,
    "stat-htlb-pgfail": Tag.HTLB_PGFAIL,
}
"""QEMU's name of each tag."""
_NEVER_SENT: Final = (1 << 64) - 1
"""The value QEMU gives for a statistic that the guest did not send."""


class Operator:
    """The operator of one QEMU, whose guest has ``pages`` pages.

    A copy of the guest has to be finished within ``migration_seconds``. ``polling`` says that statistics are
    asked for again and again.
    """

    def __init__(self, monitor: Monitor, pages: int, migration_seconds: float) -> None:
        self._monitor = monitor
        self._pages = pages
        self._migration_seconds = migration_seconds
        self._target = 0
        self._migration: Migration | None = None
        self._asked = False
        """The copy that is being made was begun since the device was reset."""
        self.polling = False

    @property
    def largest_target(self) -> int:
        """One page less than guest memory: QMP sets how much the guest keeps, which cannot be nothing."""
        return self._pages - 1

    def set_target(self, pages: int) -> None:
        """Set the target, in 4 KiB pages."""
        if not 0 <= pages <= self.largest_target:
            raise AdapterError(f"QEMU takes a target of 0 up to one page less than guest memory, not {pages}")
        # QMP is told how much the guest keeps; QEMU counts the rest as the balloon.
        self._monitor.execute("balloon", value=(self._pages - pages) << PAGE_SHIFT)
        self._target = pages

    def refresh_statistics(self) -> None:
        """Have the statistics buffer returned; call :meth:`stop_polling` once it was."""
        self._poll(0)
        # The timer fires at once, and again each second until there is a statistics buffer.
        self._poll(1)

    def stop_polling(self) -> None:
        """Ask for no more statistics."""
        if self.polling:
            self._poll(0)

    def statistics(self) -> tuple[tuple[int, int], ...]:
        """Return (tag, value) of the statistics that QEMU has, also those of before a reset."""
        told = self._monitor.execute("qom-get", path=_BALLOON, property=_STATISTICS)
        values = {_NAMED[name]: value % (1 << 64) for name, value in told["stats"].items() if name in _NAMED}
        return tuple((int(tag), value) for tag, value in sorted(values.items()) if value != _NEVER_SENT)

    def begin_copy(self) -> None:
        """Begin to copy the guest, for which hints are of use.

        A copy that was begun before a reset of the device is given up. Raises :class:`NotVisible` if one was
        begun since: QEMU asks for further hints when it likes.
        """
        if self._migration is not None and self._asked:
            raise NotVisible("QEMU's operator cannot have it ask for hints again during one migration")
        self._give_up_copy()
        self._asked = True
        self._migration = Migration(self._monitor, self._migration_seconds)

    def finish_copy(self) -> tuple[bytearray, int] | None:
        """Finish the copy and let the guest go on; return its stream, None if none was being made.

        The number is how many bytes of the stream were there before it was made fast.
        """
        if self._migration is None:
            return None
        migration, self._migration = self._migration, None
        early_bytes = migration.received_bytes
        return migration.finish(), early_bytes

    def withdraw(self) -> None:
        """Take back every wish that would outlive a reset of the device."""
        self.stop_polling()
        if self._target:
            self.set_target(0)
        self._give_up_copy()

    def see_reset(self) -> None:
        """Take note that the device was reset, which ends every round of hints."""
        self._asked = False

    def close(self) -> None:
        """Close what is open for a copy; the process need not run any more."""
        if self._migration is not None:
            self._migration.close()
            self._migration = None

    def _give_up_copy(self) -> None:
        if self._migration is not None:
            migration, self._migration = self._migration, None
            migration.cancel()

    def _poll(self, seconds: int) -> None:
        self._monitor.execute("qom-set", path=_BALLOON, property=_POLLING, value=seconds)
        self.polling = seconds > 0
