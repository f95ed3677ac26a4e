"""Page frame numbers and the configuration space, explained."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from balloon_spec.families.base import configuration, pfn_array
from balloon_spec.families.base.mistakes import array_mistakes, configuration_mistakes
from balloon_spec.pages import PAGE_SHIFT
from balloon_spec.wire.hint import Context
from balloon_spec.wire.structure import Field, Numbers, Structure, Words, counted, length

__all__ = ["CONFIGURATION", "PFN_ARRAY"]


def _explain_pfn(name: str, numbers: Numbers, _context: Context) -> Words:
    return f"page at guest-physical address {numbers[name] << PAGE_SHIFT:#x}", None


def _check_pfns(fields: Iterable[Field], raw: bytes, context: Context) -> Iterator[Field]:
    """Hold the pages against guest memory; an array without entries lacks its first."""
    if not raw:
        yield Field(0, b"", "pfns[0]", None, "a page frame number", "missing: the array is empty")
    pages = context.memory_pages
    for field in fields:
        if field.value is not None and not field.problem and pages is not None and field.value >= pages:
            yield replace(field, problem=f"it is not among the {pages:#x} pages of guest memory")
        else:
            yield field


def _explain_configuration(name: str, numbers: Numbers, _context: Context) -> Words:
    wanted = "the balloon is to hold" if name == "num_pages" else "the balloon holds"
    return f"{wanted} {counted(numbers[name], 'page')} ({length(numbers[name] << PAGE_SHIFT)})", None


PFN_ARRAY = Structure(
    pfn_array.NAME,
    "PFN array",
    pfn_array.SCHEMA,
    pfn_array.parse,
    pfn_array.build,
    _explain_pfn,
    check=_check_pfns,
    mistakes=array_mistakes,
    big_endian=pfn_array.SCHEMAS["big"],
)

CONFIGURATION = Structure(
    configuration.NAME,
    "Configuration space",
    configuration.SCHEMA,
    configuration.parse,
    configuration.build,
    _explain_configuration,
    mistakes=configuration_mistakes,
    grows=True,
)
