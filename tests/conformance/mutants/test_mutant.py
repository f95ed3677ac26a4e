"""How a mutant is declared, and what cannot be declared."""

import subprocess
import sys

import pytest

from balloon_conformance.iut.contract import Setup
from balloon_conformance.iut.reference.adapter import ReferenceDevice, ReferenceDriver
from balloon_conformance.mutants import mutant as module
from balloon_conformance.mutants import mutants
from balloon_conformance.mutants.mutant import MUTANTS, mutant
from balloon_conformance.reference.device import Device
from balloon_conformance.reference.driver import Driver
from balloon_spec.events import Side
from balloon_spec.profiles import CHUNK_TRANSFER


@pytest.fixture
def registry(monkeypatch):
    """A registry of the test's own."""
    found = {}
    monkeypatch.setattr(module, "MUTANTS", found)
    return found


def test_a_class_gives_the_name_and_its_docstring_the_title(registry):
    @mutant("INF-08", also=("UNUSED-01",), origin="somewhere")
    class DiscardsAPageTooMany(Device):
        """Memory is lost
        that nobody gave up.

        Why that is.
        """

    one = registry["discards-a-page-too-many"]
    assert one.title == "Memory is lost that nobody gave up."
    assert (one.side, one.breaks, one.also, one.origin) == (
        Side.DEVICE,
        ("INF-08",),
        {"UNUSED-01"},
        "somewhere",
    )
    assert one.declared == {"INF-08", "UNUSED-01"}
    assert str(one) == one.name


@pytest.mark.parametrize(
    ("kind", "side", "breaks"),
    [
        (Device, Side.DEVICE, "INF-08"),
        (ReferenceDevice, Side.DEVICE, "INF-08"),
        (Driver, Side.DRIVER, "INF-03"),
        (ReferenceDriver, Side.DRIVER, "INF-03"),
    ],
    ids=["device", "device adapter", "driver", "driver adapter"],
)
def test_a_reference_and_an_adapter_to_one_can_be_changed(registry, kind, side, breaks):
    changed = mutant(breaks)(type("Changed", (kind,), {"__doc__": "It is changed."}))
    one = registry["changed"]
    adapter = one.make()
    adapter.start(Setup(CHUNK_TRANSFER))
    machine = adapter.device if side is Side.DEVICE else adapter.driver
    assert one.side is side
    assert changed in {type(adapter), type(machine)}


@pytest.mark.parametrize(
    ("breaks", "also", "doc", "words"),
    [
        ((), (), "It is wrong.", "breaks nothing"),
        (("INF-99",), (), "It is wrong.", "no requirement INF-99"),
        (("INF-03",), (), "It is wrong.", "INF-03 is a MUST of the driver, which a device cannot break"),
        (("NEG-08",), (), "It is wrong.", "NEG-08 is a MAY"),
        (("INF-08",), ("INF-08",), "It is wrong.", "INF-08 stands in breaks and in also"),
        (("INF-08",), (), None, "a sentence on what a user sees"),
        (("INF-08",), (), "No sentence", "a sentence on what a user sees"),
    ],
    ids=["nothing", "unknown", "other side", "permission", "twice", "no title", "no sentence"],
)
def test_a_declaration_that_cannot_be_is_refused(registry, breaks, also, doc, words):
    with pytest.raises(ValueError, match=words):
        mutant(*breaks, also=also)(type("Wrong", (Device,), {"__doc__": doc}))
    assert not registry


def test_a_title_is_not_inherited(registry):
    """A mutant of a mutant that says nothing of itself would be told of with another's words."""

    class Base(Device):
        """It is wrong."""

    with pytest.raises(ValueError, match="a sentence on what a user sees"):
        mutant("INF-08")(type("Derived", (Base,), {}))


def test_two_of_one_name_are_refused(registry):
    enter = mutant("INF-08")
    enter(type("Twice", (Device,), {"__doc__": "It is wrong."}))
    with pytest.raises(ValueError, match="twice exists already"):
        enter(type("Twice", (Device,), {"__doc__": "It is wrong."}))


def test_a_name_that_cannot_be_typed_is_refused(registry):
    with pytest.raises(ValueError, match="small letters, digits and hyphens"):
        mutant("INF-08")(type("_Hidden", (Device,), {"__doc__": "It is wrong."}))


def test_the_order_does_not_depend_on_what_was_imported_first():
    """What proves a requirement is the first mutant that does, so two runs have to agree on the order."""
    ask = "from balloon_conformance.mutants import mutants; print(*mutants())"
    late = f"import balloon_conformance.mutants.posted.defects; {ask}"
    first, second = (
        subprocess.run([sys.executable, "-c", words], capture_output=True, text=True, check=True).stdout
        for words in (ask, late)
    )
    assert first == second
    assert first.split()


def test_devices_come_before_drivers():
    sides = [one.side for one in mutants().values()]
    assert sides == sorted(sides)
    ours = {one.name for one in MUTANTS.values() if one.module.startswith("balloon_conformance.")}
    assert set(mutants()) == ours
