"""Reading a list of known failures: what is taken, and what is refused in one line."""

import json
from datetime import date

import pytest
from jsonschema import Draft202012Validator
from known_lists import CASES, listed

from balloon_conformance.known_failures.loader import (
    SCHEMA_PATH,
    KnownFailuresError,
    load,
    load_text,
)
from balloon_spec import strict_yaml
from balloon_spec.events import Side

GOOD = """\
# Ours.
known_failures:
  - requirement: BUF-03
    finding: the used length
    reason: >-
      It always
      was so.
    link: https://example.org/3
    expires: 2027-01-31
  - case: storm[1]
    finding: signal 11
    reason: ""
    link: ""
"""


def test_a_list_is_read_as_it_stands():
    first, second = listed(GOOD).entries
    assert (first.requirement, first.case, first.finding) == ("BUF-03", "", "the used length")
    assert (first.reason, first.link) == ("It always was so.", "https://example.org/3")
    assert first.expires == date(2027, 1, 31)
    assert (second.requirement, second.case, second.reason, second.expires) == ("", "storm[1]", "", None)
    assert (first.line, second.line) == (3, 10)


def test_an_empty_list_is_a_list():
    assert listed("known_failures: []\n").entries == ()


def test_a_good_list_keeps_the_published_schema():
    schema = json.loads(SCHEMA_PATH.read_text())
    Draft202012Validator.check_schema(schema)
    Draft202012Validator(schema).validate(strict_yaml.load(GOOD, "x").data)


ENTRY = "{requirement: BUF-03, finding: a, reason: b, link: c"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("known_failures:\n", "1: known_failures: nothing is not a list; write a list of entries, or [] for none"),
        ("known: []\n", "1: known: unknown field; a field here is known_failures"),
        ("[]\n", "1: document: a list is not a mapping; begin it with known_failures:"),
        ("known_failures: [x]\n", "1: known_failures[0]: 'x' is not a mapping; write the fields of an entry"),
        (
            "known_failures:\n- {finding: a, reason: b, link: c}\n",
            "2: known_failures[0]: there is no requirement and no case; write requirement or case",
        ),
        (
            "known_failures:\n- {requirement: BUF-03, reason: b, link: c}\n",
            "2: known_failures[0].finding: this field is missing; add it to finding, reason and link",
        ),
        (f"known_failures:\n- {ENTRY}, why: d}}\n", "2: known_failures[0].why: unknown field; a field here is "),
        (
            f"known_failures:\n- {ENTRY}, expires: soon}}\n",
            "2: known_failures[0].expires: 'soon' is not well formed; write the last day on which the entry excuses",
        ),
        (
            f"known_failures:\n- {ENTRY}, expires: 2026-02-30}}\n",
            "2: known_failures[0].expires: 2026-02-30 is not a day of the calendar; write a day as in 2027-01-31",
        ),
        (
            f"known_failures:\n- {ENTRY}}}\n- {ENTRY}}}\n",
            "3: known_failures[1]: BUF-03 ('a') stands on line 2 already; remove one",
        ),
        (
            "known_failures:\n- {requirement: BUF-99, finding: a, reason: b, link: c}\n",
            "2: known_failures[0].requirement: there is no requirement BUF-99; balloon-conformance requirements",
        ),
        (
            "known_failures:\n- {requirement: DEF-03, finding: a, reason: b, link: c}\n",
            "2: known_failures[0].requirement: DEF-03 binds a driver, and this is a device; remove the entry",
        ),
        (
            "known_failures:\n- {requirement: NEG-08, finding: a, reason: b, link: c}\n",
            "2: known_failures[0].requirement: NEG-08 is a MAY, which nothing can break; remove the entry",
        ),
        (
            "known_failures:\n- {case: thre, finding: a, reason: b, link: c}\n",
            "2: known_failures[0].case: there is no case thre; balloon-conformance vectors list",
        ),
        (
            'known_failures:\n- {case: one, finding: " ", reason: b, link: c}\n',
            "2: known_failures[0].finding: there is nothing but blanks here; write it",
        ),
        (
            "known_failures:\n- {case: one, finding: 4, reason: b, link: c}\n",
            "2: known_failures[0].finding: 4 is not text; write literal text that stands in the words",
        ),
        ("known_failures: &a []\n", "1: anchor &a; remove it: anchors are not allowed"),
    ],
)  # fmt: skip
def test_what_is_not_in_order_is_refused_in_one_line(text, message):
    with pytest.raises(KnownFailuresError) as caught:
        load_text(text, "known.yaml", Side.DEVICE, CASES)
    assert str(caught.value).startswith(f"known.yaml:{message}")
    assert "\n" not in str(caught.value)


def test_a_file_that_cannot_be_read_is_named(tmp_path):
    with pytest.raises(
        KnownFailuresError, match=r"no\.yaml: there is no such file; name one, or have it made"
    ):
        load(tmp_path / "no.yaml", Side.DEVICE, CASES)
    with pytest.raises(KnownFailuresError, match=r": Is a directory; name a file that can be read"):
        load(tmp_path, Side.DEVICE, CASES)
    path = tmp_path / "latin.yaml"
    path.write_bytes(b"known_failures: []\n# \xe9\n")
    with pytest.raises(KnownFailuresError, match=r"latin\.yaml:2: this is not UTF-8; save it as UTF-8"):
        load(path, Side.DEVICE, CASES)
