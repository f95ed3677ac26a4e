"""A badge: the result of a run as a small SVG for a readme."""

from __future__ import annotations

from html import escape

from balloon_conformance.report.results_file import ResultsFile

__all__ = ["badge"]

_KEPT, _BROKEN, _UNFINISHED = "#2e7d32", "#c62828", "#6a737d"
_CHARACTER, _PADDING, _HEIGHT = 6.6, 10, 20
_LABEL = "virtio-balloon"


def badge(file: ResultsFile) -> str:
    """Return the badge of one run: how many of the requirements that apply it kept, or how many it broke."""
    if not file.whole:
        words, colour = "unfinished", _UNFINISHED
    elif broken := file.summary["broken"]:
        words, colour = f"{broken} broken", _BROKEN
    else:
        words, colour = f"{file.summary['kept']} of {file.summary['binding']} kept", _KEPT
    label = f"{_LABEL} {file.header['side']}"
    left, right = (round(len(text) * _CHARACTER + 2 * _PADDING) for text in (label, words))
    width = left + right
    said = escape(f"{label}: {words}")
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{_HEIGHT}" role="img" '
        f'aria-label="{said}"><title>{said}</title>'
        f'<rect width="{width}" height="{_HEIGHT}" rx="3" fill="#444c56"/>'
        f'<path d="M{left} 0h{right - 3}a3 3 0 0 1 3 3v14a3 3 0 0 1-3 3h-{right - 3}z" fill="{colour}"/>'
        '<g fill="#fff" font-family="Verdana, DejaVu Sans, sans-serif" font-size="11" '
        'text-anchor="middle">'
        f'<text x="{left / 2:g}" y="14">{escape(label)}</text>'
        f'<text x="{left + right / 2:g}" y="14">{escape(words)}</text></g></svg>\n'
    )
