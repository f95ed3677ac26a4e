"""The files that ``run`` writes besides its printed report: results, an HTML page and JUnit XML."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass

from balloon_conformance.cli.output import OutputFile, refuse_same

__all__ = ["RunOutputs"]


@dataclass(frozen=True, slots=True)
class RunOutputs:
    """The open files; a file that nobody named is None."""

    results: OutputFile | None
    page: OutputFile | None
    junit: OutputFile | None

    @classmethod
    def opened(
        cls, stack: ExitStack, *, results: str | None, html: str | None, junitxml: str | None, known: str
    ) -> RunOutputs:
        """Open the named files until ``stack`` is left; ``known`` is the list of known failures.

        Raises :class:`~balloon_conformance.cli.errors.BadInput` before anything is judged, for a file that
        cannot be written and for one that is named twice.
        """
        named = {"--results": results, "--html": html, "--junitxml": junitxml}
        refuse_same({**named, "--known-failures": known})
        files = [
            None if path is None else stack.enter_context(OutputFile(option, path))
            for option, path in named.items()
        ]
        return cls(*files)

    def check(self) -> None:
        """Raise :class:`~balloon_conformance.cli.errors.BadInput` if a file could not be written whole."""
        for file in (self.results, self.page, self.junit):
            if file is not None:
                file.check()
