"""Reports in vectors: what one breaks that is not returned, or that has other parts."""

from __future__ import annotations

from balloon_conformance.running.blame import QueueBlame

__all__ = ["ReportingQueue"]


class ReportingQueue(QueueBlame):
    """The driver says which pages are free, if it likes and in any number of reports."""

    may_name_fewer = True
    is_read_back = False

    def not_returned(self, *, writable: bool) -> str:
        """Blame a device: nothing is written into a report that it could wait for."""
        del writable
        return "REPORT-16"

    def other_parts(self, *, writable: bool, is_empty: bool, absent: str) -> str:
        """Blame a driver whose report has something to be read; how much it reports is its own affair."""
        del writable, absent
        return "" if is_empty else "REPORT-08"
