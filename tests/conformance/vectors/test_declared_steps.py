"""A kind of step that is declared here alone goes everywhere: into files, schemas, drawings, exports and plays."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import pytest
from jsonschema import Draft202012Validator

from balloon_conformance.families.base.vocabulary import PfnArray
from balloon_conformance.generation.fill import fill
from balloon_conformance.generation.intents import model as meant
from balloon_conformance.iut.reference.adapter import ReferenceDevice
from balloon_conformance.running.outcome import Status
from balloon_conformance.running.player import play
from balloon_conformance.vectors import as_trace, declared_schema, schema
from balloon_conformance.vectors.formats.as_c import c_lines
from balloon_conformance.vectors.formats.plain import plain
from balloon_conformance.vectors.loader import VectorError, load_text
from balloon_conformance.vectors.sequence import Lane, Message, sequence
from balloon_conformance.vectors.step import Form, Step, added, declared, steps
from balloon_conformance.vectors.steps.parts import COUNT, field, schemas
from balloon_conformance.vectors.write import write_vector
from balloon_conformance.verification.second_opinion import against_the_intent
from balloon_spec.events import Event, Notified, Side


@dataclass(frozen=True, slots=True, kw_only=True)
class KnockStep(Step):
    """The driver notifies the device of a queue in which nothing is new."""

    forms: ClassVar = (
        Form("driver", "knock", schemas(knock=field("the device is notified so often", "lengthBytes"))),
    )
    by: ClassVar = "driver"
    action_name: ClassVar = "knock"
    exported: ClassVar = schemas(times=COUNT)
    played: ClassVar[list[int]] = []

    times: int

    @classmethod
    def read(cls, reader: Any, path: Any, value: Mapping[str, Any], common: Mapping[str, Any]) -> KnockStep:
        if not value["knock"]:
            reader.refuse((*path, "knock"), "nobody knocks", "write a number from 1")
        return cls(times=value["knock"], **common)

    def write(self, writing: Any) -> Iterator[str]:
        yield f"driver: {{knock: {self.times}}}"

    def draw(self, drawing: Any) -> Iterator[Any]:
        yield drawing.arrow(self, (Lane.DRIVER, Lane.DEVICE), f"knocks {self.times} times")

    def export(self, exporting: Any) -> dict[str, Any]:
        return {"times": self.times}

    def trace(self, tracing: Any) -> Iterator[Event]:
        yield from [Notified(Side.DRIVER, 0)] * self.times

    def wire(self, queue_index: int | None) -> Mapping[tuple[str, ...], bytes]:
        return {("driver", "knock"): self.times.to_bytes(4, "little")}

    def play_device(self, session: Any) -> None:
        self.played.append(self.times)


@dataclass(frozen=True, slots=True)
class Knock(meant.Step):
    """What an intent says of it."""

    times: int

    def fill(self, filling: Any, common: Mapping[str, Any]) -> KnockStep:
        return KnockStep(times=self.times, **common)

    def encode(self) -> Mapping[tuple[str, ...], bytes]:
        return {("driver", "knock"): self.times.to_bytes(4, "little")}


INTENT = meant.Intent(
    id="knocks",
    title="The device is notified for nothing",
    area="knocks",
    about=("QUEUE-07",),
    features=meant.Features(("VERSION_1",), ("VERSION_1",)),
    profile="base",
    sides=("device",),
    script=(
        Knock(2),
        meant.DriverBuffer("inflate", "m1", PfnArray((0x1000,))),
        meant.DeviceReturn("m1"),
    ),
)


@pytest.fixture(autouse=True)
def known():
    KnockStep.played.clear()
    with added(KnockStep):
        yield


def test_it_is_filled_written_and_read():
    vector = fill(INTENT)
    text = write_vector(vector, "here")
    assert "  - driver: {knock: 2}\n" in text
    again = load_text(text, "knocks")
    assert isinstance(again.steps[0], KnockStep)
    assert again.steps[0].times == 2


def test_it_is_drawn_exported_and_traced():
    vector = fill(INTENT)
    (arrow, *_) = [item for item in sequence(vector).items if isinstance(item, Message)]
    assert (arrow.source, arrow.label) == (Lane.DRIVER, "knocks 2 times")
    assert plain(vector)["steps"][0] == {"number": 1, "by": "driver", "action": "knock", "times": 2}
    assert '{"driver", "knock", ' in "".join(c_lines([vector]))
    assert list(as_trace.events(vector)).count(Notified(Side.DRIVER, 0)) == 2


def test_the_schemas_of_files_and_exports_have_it():
    text = write_vector(fill(INTENT), "here")
    for wrong, says in (
        ("knock: -1", "driver.knock: -1 is out of range; write a length in bytes that fits"),
        ("knock: 0", "driver.knock: nobody knocks; write a number from 1"),
        (
            "knock: 2, ok: true",
            "driver: ok and knock stand together; write exactly one of queue, ring, actual, write, read, ok, silent, knock, hints and poison_val",
        ),
    ):
        with pytest.raises(VectorError) as error:
            load_text(text.replace("knock: 2", wrong), "knocks")
        assert says in str(error.value)
    exported = declared_schema.export_schema(schema.directory())
    whole = {"vectors": "virtio-balloon-conformance", "version": 1, "list": [plain(fill(INTENT))]}
    assert not list(Draft202012Validator(exported).iter_errors(json.loads(json.dumps(whole))))


def test_the_second_encoder_holds_its_bytes_against_those_of_the_intent():
    vector = fill(INTENT)
    assert not list(against_the_intent(vector, INTENT))
    (difference,) = against_the_intent(
        vector, meant.Intent(**{**_fields(INTENT), "script": (Knock(3), *INTENT.script[1:])})
    )
    assert (difference.way, difference.words) == (("steps", 0, "driver", "knock"), "it is 2; in the intent 3")


def _fields(intent):
    return {name: getattr(intent, name) for name in intent.__slots__}


def test_it_is_played():
    outcome = play(fill(INTENT), ReferenceDevice(), Side.DEVICE)
    assert (outcome.status, KnockStep.played) == (Status.PASSED, [2])


def test_two_kinds_of_one_form_are_refused():
    class Other(KnockStep):
        pass

    with pytest.raises(ValueError, match="Other and KnockStep are both written driver: knock"):
        declared(Other)
    assert Other not in steps()


def test_the_published_schemas_are_those_that_are_declared():
    with_more = declared_schema.differing(schema.directory())
    assert [path.name for path in with_more] == ["vector.schema.json", "export.schema.json"]


class TestWithoutIt:
    """The files have what the suite itself declares."""

    @pytest.fixture(autouse=True)
    def known(self):
        """Declare nothing more."""

    def test_the_published_schemas_are_those_that_are_declared(self):
        assert declared_schema.differing(schema.directory()) == ()
