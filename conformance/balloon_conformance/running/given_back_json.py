"""What a case saw of the memory that a device gave back, as plain data of a results file."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from balloon_spec.families.base.given_back import Circumstances, GivenBack, LeftBehind, Since, form_of
from balloon_spec.pages import PageSet

__all__ = ["from_json", "to_json"]


def to_json(seen: GivenBack) -> dict[str, Any]:
    """Return what a case saw as plain data."""
    return {
        "able": [{**_where(one), "seconds": seconds} for one, seconds in seen.able.items()],
        "left": [
            {
                **_where(one.circumstances),
                "event": one.event,
                "looked": one.looked.texts(),
                "missing": one.missing.texts(),
                "seconds": one.waited_seconds,
            }
            for one in seen.left
        ],
        "host_page": seen.host_page,
    }


def from_json(data: Mapping[str, Any]) -> GivenBack:
    """Read back what :func:`to_json` wrote."""
    return GivenBack(
        {_circumstances(one): one["seconds"] for one in data["able"]},
        tuple(
            LeftBehind(
                _circumstances(one),
                one["event"],
                PageSet.parse(*one["looked"]),
                PageSet.parse(*one["missing"]),
                one["seconds"],
            )
            for one in data["left"]
        ),
        data["host_page"],
    )


def _where(one: Circumstances) -> dict[str, Any]:
    return {
        "form": one.form,
        "features": sorted(one.features),
        "tests": sorted(one.tests),
        "since": one.since.value,
        "asked": one.asked,
    }


def _circumstances(data: Mapping[str, Any]) -> Circumstances:
    return Circumstances(
        form_of(data["form"]),
        frozenset(data["features"]),
        frozenset(data["tests"]),
        Since(data["since"]),
        data["asked"],
    )
