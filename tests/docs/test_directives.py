"""Every directive draws from the code and the data: what changes there changes on the page."""

import io
import json
import sys
from dataclasses import replace
from pathlib import Path

import click
import pytest
from places import ROOT

sys.path.insert(0, str(ROOT / "docs"))

from sphinx.application import Sphinx
from sphinx.util.docutils import docutils_namespace, patch_docutils

from balloon_conformance.reference.machine import Move
from balloon_conformance.suite.decided_by import deciders
from balloon_conformance.vectors import steps
from balloon_docs import (
    commands,
    defects,
    features,
    implementations,
    layouts,
    machines,
    requirements,
    vectors,
)
from balloon_spec.profiles import profile
from balloon_spec.queues import Queue
from balloon_spec.requirement import catalogue


def site(directory, text, *, warnings=False):
    """Build a site of one page and return the page as HTML; or, with ``warnings``, what was warned of."""
    source = directory / "source"
    source.mkdir(exist_ok=True)
    (source / "index.md").write_text(f"# A page\n\n{text}\n", encoding="utf-8")
    settings = {
        "extensions": ["myst_parser", "balloon_docs"],
        "balloon_vector_pages": False,
        "myst_enable_extensions": ["colon_fence", "deflist", "fieldlist"],
    }
    warned = io.StringIO()
    with patch_docutils(str(source)), docutils_namespace():
        app = Sphinx(
            str(source), None, str(directory / "out"), str(directory / "trees"), "html", settings,
            status=None, warning=warned, freshenv=True,
        )  # fmt: skip
        app.build()
    if warnings:
        return warned.getvalue()
    return (directory / "out" / "index.html").read_text(encoding="utf-8")


def wider_schema(monkeypatch):
    known = dict(layouts.registry.structures())
    known["response-header"] = known["chunk"]
    monkeypatch.setattr(layouts.registry, "structures", lambda: known)


def another_vector(monkeypatch):
    known = dict(vectors.by_id())
    one = known["inflate-two-runs"]
    changed = [
        replace(step, value=4711) if isinstance(step, steps.OperatorStep) else step for step in one.steps
    ]
    known["inflate-two-runs"] = replace(one, steps=tuple(changed), title="Something else is shown")
    for module in (vectors, sys.modules["balloon_docs.sequences"]):
        monkeypatch.setattr(module, "by_id", lambda: known)


def another_machine(monkeypatch):
    table = dict(machines.MACHINES["device"])
    key, entry = next((key, entry) for key, entry in table.items() if isinstance(entry, Move))
    table[key] = replace(entry, handler="does_something_else")
    monkeypatch.setattr(machines, "MACHINES", {"device": table})


def another_requirement(monkeypatch):
    entries = catalogue()
    changed = {name: entries[name] for name in entries}
    changed["CHUNK-03"] = replace(entries["CHUNK-03"], text="A driver MUST do something else.")

    class Changed(dict):
        areas = entries.areas

    monkeypatch.setattr(requirements, "catalogue", lambda: Changed(changed))


def another_rule(monkeypatch):
    known = dict(deciders())
    known["CHUNK-03"] = replace(known["CHUNK-03"], rules=("a_rule_of_another_name",))
    monkeypatch.setattr(requirements, "_deciders", lambda: known)


def another_bit(monkeypatch):
    moved = profile("chunk-transfer", {"CHUNK_TRANSFER": 4711 % 64})
    monkeypatch.setattr(features.registry, "profiles", lambda: {moved.name: moved})


def another_queue(monkeypatch):
    more = (*features.registry.queues(), Queue("a-seventh", 7, feature="SEVEN"))
    monkeypatch.setattr(features.registry, "queues", lambda: more)


def another_result(monkeypatch):
    directory = Path(monkeypatch.directory)
    for path in sorted((ROOT / "results").glob("reference-device.jsonl")):
        lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
        lines[0]["description"] = "a device of another name"
        text = "".join(json.dumps(line) + "\n" for line in lines)
        (directory / path.name).write_text(text, encoding="utf-8")
    monkeypatch.setattr(implementations, "RESULTS", directory)


def another_defect(monkeypatch):
    monkeypatch.setattr(defects, "DEFECTS", (replace(defects.DEFECTS[0], title="It does something else."),))


def another_command(monkeypatch):
    monkeypatch.setattr(
        commands, "all_commands", lambda: iter([("frobnicate", click.Command("frobnicate", help="Do it."))])
    )


def test_nothing_is_left_out_of_traceability(tmp_path):
    page = site(tmp_path, "```{traceability} chunk\n```")
    decided = deciders()
    for name in decided:
        if name.startswith("CHUNK-"):
            assert all(f">{one}<" in page for one in decided[name].vectors), name
    assert "<summary>" in page


@pytest.mark.untraced
@pytest.mark.parametrize(
    ("text", "change", "appears"),
    [
        ("```{layout} response-header\n```", wider_schema, "base: reserved"),
        ("```{layout} response-header\n:picture:\n```", wider_schema, ">base<"),
        ("```{sequence} inflate-two-runs\n```", another_vector, "target 4711"),
        ("```{vector} inflate-two-runs\n```", another_vector, "Something else is shown"),
        ("```{vectors} inflate\n```", another_vector, "Something else is shown"),
        ("```{states} device\n```", another_machine, "does_something_else"),
        ("```{requirements} chunk\n```", another_requirement, "do something else"),
        ("```{traceability} chunk\n```", another_rule, "a_rule_of_another_name"),
        ("```{features}\n```", another_bit, ">39<"),
        ("```{queues}\n```", another_queue, "a seventh"),
        ("```{implementations} device\n```", another_result, "a device of another name"),
        ("```{defects}\n```", another_defect, "It does something else."),
        ("```{commands}\n```", another_command, "frobnicate"),
    ],
    ids=lambda value: value.__name__ if callable(value) else None,
)
def test_a_change_of_what_is_drawn_changes_the_page(tmp_path, monkeypatch, text, change, appears):
    before = site(tmp_path, text)
    assert appears not in before
    results = tmp_path / "results"
    results.mkdir()
    monkeypatch.directory = results
    change(monkeypatch)
    after = site(tmp_path, text)
    assert appears in after


def test_other_bytes_give_another_table(tmp_path):
    one = site(tmp_path, "```{buffer} host-request\n00 00 00 00 00 00 00 00  07 00 00 00 00 00 00 00\n```")
    other = site(tmp_path, "```{buffer} host-request\n00 00 00 00 00 00 00 00  08 00 00 00 00 00 00 00\n```")
    assert "0x7" in one
    assert "0x7" not in other
    assert "0x8" in other


def test_a_transcript_is_what_the_program_prints_and_a_stale_one_fails(tmp_path):
    page = "```{transcript}\n:shows: A driver\nballoon-conformance requirements CHUNK-03\n```"
    assert "CHUNK-03" in site(tmp_path, page)
    stale = page.replace("A driver", "what it does not say")
    assert "what it does not say" in site(tmp_path, stale, warnings=True)
    failing = "```{transcript}\nballoon-conformance requirements NO-99\n```"
    assert "NO-99" in site(tmp_path, failing, warnings=True)


SESSION = "```{session} kept.txt\n:files: examples/*.txt\n:needs: sh NEEDED\n```"


def session(directory, kept, *, needs="cat", **options):
    (directory / "source").mkdir(exist_ok=True)
    (directory / "examples").mkdir(exist_ok=True)
    (directory / "examples" / "words.txt").write_text("one\ntwo\nthree\n", encoding="utf-8")
    (directory / "source" / "kept.txt").write_text(kept, encoding="utf-8")
    return site(directory, SESSION.replace("NEEDED", needs), **options)


@pytest.mark.parametrize(
    ("kept", "stale"),
    [
        ("$ cat words.txt\none\ntwo\nthree\n", False),
        ("$ cat words.txt\none\n...\n\n$ echo four\nfo...\n", False),
        ("$ cat words.txt\n...\n", False),
        ("$ rm words.txt\n$ cat words.txt 2>&1 | wc -l\n1\n", False),
        ("$ cat words.txt\none\ntwo\n", True),
        ("$ cat words.txt\none\n...\nfour\n", True),
        ("$ cat words.txt\none\ntw\nthree\n", True),
        ("$ true\n$ echo four\nfive\n", True),
    ],
)
def test_a_session_is_what_happens_and_a_stale_one_fails(tmp_path, kept, stale):
    assert ("prints something else now" in session(tmp_path, kept, warnings=True)) == stale


@pytest.mark.parametrize("needs", ["no-such-program", "no-such-header.h"])
def test_a_session_is_shown_as_it_is_kept_where_a_program_is_missing(tmp_path, monkeypatch, needs):
    monkeypatch.delenv("BALLOON_REQUIRE_INTEROP", raising=False)
    assert "nobody printed this" in session(tmp_path, "$ true\nnobody printed this\n", needs=needs)
    monkeypatch.setenv("BALLOON_REQUIRE_INTEROP", "1")
    assert f"{needs} is not installed" in session(tmp_path, "$ true\n", needs=needs, warnings=True)


@pytest.mark.parametrize(
    "directive", ["layout", "sequence", "vector", "vectors", "states", "requirements", "buffer"]
)
def test_what_does_not_exist_is_an_error_of_the_build(tmp_path, directive):
    assert "no-such-thing" in site(tmp_path, f"```{{{directive}}} no-such-thing\n00\n```", warnings=True)


def test_a_mention_of_a_requirement_is_a_link_and_an_unknown_one_is_an_error(tmp_path):
    text = "```{requirements} chunk\n```\n\nSee CHUNK-03."
    assert 'href="#' in site(tmp_path, text).partition("See ")[2][:200]
