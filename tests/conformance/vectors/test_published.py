"""The published vectors: they load, they agree with themselves, and every area has both kinds."""

import json
import re
from collections import Counter
from itertools import permutations
from struct import unpack_from

import pytest
from jsonschema import Draft202012Validator
from places import VECTOR_FILES

from balloon_conformance.iut.contract import Capability
from balloon_conformance.vectors import schema
from balloon_conformance.vectors.loader import load_all, load_text
from balloon_conformance.vectors.model import Kind, needs
from balloon_conformance.vectors.steps import (
    ActualStep,
    BufferStep,
    DriverOkStep,
    EffectStep,
    ResetStep,
    UsedStep,
)
from balloon_spec.events import Side
from balloon_spec.families.base import DEFLATE, INFLATE
from balloon_spec.families.host_requests import HOST_REQUEST
from balloon_spec.families.statistics import STATISTICS
from balloon_spec.pages import EMPTY, PageSet
from balloon_spec.requirement import catalogue

FILES = sorted(VECTOR_FILES.rglob("*.yaml"))
AREAS = {
    "page-reporting",
    "free-page-hint",
    "queue-numbers",
    "negotiation",
    "queues",
    "inflate",
    "deflate",
    "chunks",
    "pfn-array",
    "statistics",
    "page-poison",
    "configuration",
    "host-request",
    "unused-pages",
    "concurrent-kinds",
    "safety",
    "reset",
}


@pytest.fixture(scope="module")
def vectors():
    return load_all(VECTOR_FILES)


def test_the_schema_is_a_schema():
    Draft202012Validator.check_schema(json.loads((VECTOR_FILES / "vector.schema.json").read_text()))


def test_every_mapping_of_the_schema_is_closed_and_described():
    def visit(node, where):
        if isinstance(node, dict):
            if "properties" in node and isinstance(node["properties"], dict):
                assert node.get("additionalProperties") is False, where
                for name, field in node["properties"].items():
                    assert "description" in field or "$ref" in field, f"{where}.{name}"
            for key, value in node.items():
                visit(value, f"{where}.{key}")
        elif isinstance(node, list):
            for index, value in enumerate(node):
                visit(value, f"{where}[{index}]")

    visit(schema.schema(), "schema")


def test_the_default_vectors_are_those_of_the_checkout_to_the_byte(vectors):
    # A checkout plays its own; an installed package plays the copy it carries.
    assert [vector.id for vector in load_all()] == [vector.id for vector in vectors]
    default = schema.directory()
    assert {path.name: (default / path.relative_to(VECTOR_FILES)).read_bytes() for path in FILES} == {
        path.name: path.read_bytes() for path in FILES
    }


def test_of_every_vector_it_can_be_said_what_playing_it_needs(vectors):
    for vector in vectors:
        for side in vector.sides:
            assert needs(vector, side) <= set(Capability), vector.id


def test_the_example_of_the_readme_is_a_vector():
    (example,) = re.findall(r"```yaml\n(.*?)```", (VECTOR_FILES / "README.md").read_text(), re.DOTALL)
    assert load_text(example, "inflate-two-runs.yaml").id == "inflate-two-runs"


def test_every_area_is_there(vectors):
    assert {vector.area for vector in vectors} == AREAS


@pytest.mark.parametrize("area", sorted(AREAS - {"safety"}))
def test_an_area_has_exchanges(vectors, area):
    assert any(vector.area == area and vector.kind is Kind.EXCHANGE for vector in vectors)


# Which queues there are is settled before anything can be malformed.
@pytest.mark.parametrize("area", sorted(AREAS - {"queue-numbers"}))
def test_an_area_has_malformed_vectors(vectors, area):
    assert any(vector.area == area and vector.kind is Kind.MALFORMED for vector in vectors)


def test_every_legal_offer_stands_against_every_legal_acceptance_once(vectors):
    """Bits 3 and 4 only beside bit 1: 4 sets without it, 16 with it; and of each offer any legal part."""
    pairs = Counter(
        (vector.features.offered & 0b11111, vector.features.accepted & 0b11111)
        for vector in vectors
        if vector.id.startswith("accept-") and vector.profile.name == "chunk-transfer"
    )
    legal = [bits for bits in range(32) if bits & 0b10 or not bits & 0b11000]
    assert len(legal) == 20
    assert pairs == Counter(
        (offered, accepted) for offered in legal for accepted in legal if not accepted & ~offered
    )
    assert len(pairs) == 126


def test_every_illegal_set_is_offered_to_a_driver_and_accepted_from_a_device_once(vectors):
    """Bit 3, bit 4 or both without bit 1, beside bits 0 and 2 in every way."""
    illegal = Counter(bits for bits in range(32) if not bits & 0b10 and bits & 0b11000)
    assert len(illegal) == 12
    assert illegal == Counter(
        vector.features.offered & 0b11111 for vector in vectors if vector.id.startswith("refuse-")
    )
    assert illegal == Counter(
        vector.features.accepted & 0b11111
        for vector in vectors
        if vector.id.startswith("device-refuses-") and "NEG-06" in vector.requirements
        # Sets with a mere proposal are of another kind.
        if vector.profile.name != "mainline"
    )


def test_the_twenty_orders_of_five_messages_are_each_made_available_once(vectors):
    orders = Counter(
        tuple(
            step.name
            for step in vector.steps
            if isinstance(step, BufferStep) and step.name in {"m1", "d1", "u1", "u2", "u3"}
        )
        for vector in vectors
        if vector.id.startswith("available-")
    )
    wanted = [
        order
        for order in permutations(("m1", "d1", "u1", "u2", "u3"))
        if order.index("u1") < order.index("u2") < order.index("u3")
    ]
    assert orders == Counter(wanted)
    assert len(wanted) == 20


@pytest.mark.parametrize("kind", ["inflate", "deflate"])
def test_a_driver_has_three_buffers_back_in_every_order(vectors, kind):
    orders = Counter(
        tuple(
            step.name
            for step in vector.steps
            if isinstance(step, UsedStep) and step.name in {"b1", "u1", "s1"}
        )
        for vector in vectors
        if vector.id.startswith("returned-") and kind in vector.id
    )
    assert orders == Counter(permutations(("b1", "u1", "s1")))


@pytest.mark.parametrize("bit", range(12))
@pytest.mark.parametrize(("field", "offset"), [("base", 8), ("size", 16)])
def test_every_reserved_bit_has_its_vector(vectors, field, offset, bit):
    (vector,) = (vector for vector in vectors if vector.id == f"reserved-bit-{bit}-of-{field}")
    clean, dirty = (step for step in vector.steps if isinstance(step, BufferStep) and step.queue is INFLATE)
    both = [unpack_from("<QQ", step.readable, 8) for step in (clean, dirty)]
    assert [value & 0xFFF for value in both[0]] == [0, 0]
    assert unpack_from("<Q", dirty.readable, offset)[0] & 0xFFF == 1 << bit
    assert sum(value & 0xFFF for value in both[1]) == 1 << bit
    assert vector.breaks == ("CHUNK-03",)


def test_a_stock_device_can_be_judged(vectors):
    """Stock QEMU offers STATS_VQ, DEFLATE_ON_OOM and VERSION_1 of the base profile."""
    offered = 1 << 1 | 1 << 2 | 1 << 32
    playable = [
        vector
        for vector in vectors
        if vector.profile.name == "base"
        and Side.DEVICE in vector.sides
        and not any(sets.accepted & ~offered for sets in vector.negotiations)
    ]
    assert len(playable) >= 25


def test_what_a_vector_shows_binds_for_its_features(vectors):
    for vector in vectors:
        sets = [vector.profile.names(negotiation.accepted) for negotiation in vector.negotiations]
        shown = {name for step in vector.steps for name in step.shows}
        for name in (*vector.requirements, *vector.breaks, *shown):
            when = catalogue()[name].when
            assert any(when.holds(names) for names in sets), f"{vector.id}: {name} binds for {when}"


def test_what_a_step_shows_the_vector_shows(vectors):
    for vector in vectors:
        shown = {name for step in vector.steps for name in step.shows}
        assert shown <= set(vector.requirements), vector.id


def named(vector, features, step):
    """The pages a well-formed inflate or deflate buffer names, read with nothing of the project."""
    data = step.readable
    if "CHUNK_TRANSFER" not in vector.profile.names(features):
        return PageSet([(unpack_from("<I", data, at)[0], 1) for at in range(0, len(data), 4)])
    cmd, flag, buffer_id, length = unpack_from("<BBHI", data)
    assert (cmd, flag, buffer_id, length) == (0, 0, 0, len(data) - 8)
    words = [unpack_from("<QQ", data, at) for at in range(8, len(data), 16)]
    assert words
    assert not any(word & 0xFFF for chunk in words for word in chunk)
    return PageSet([(base >> 12, size >> 12) for base, size in words])


def test_the_bytes_of_an_exchange_agree_with_its_effects_and_with_actual(vectors):
    for vector in vectors:
        if vector.kind is Kind.MALFORMED:
            continue
        features, balloon, fresh, changed = vector.features.accepted, EMPTY, EMPTY, False
        live = not any(isinstance(step, DriverOkStep) for step in vector.steps)
        for step in vector.steps:
            match step:
                case DriverOkStep():
                    live = True
                case ResetStep():
                    features, balloon, changed = step.features.accepted, EMPTY, False
                case BufferStep() if step.queue is INFLATE:
                    pages = named(vector, features, step)
                    assert pages.isdisjoint(balloon), vector.id
                    balloon, fresh, changed = balloon | pages, fresh | pages, True
                case BufferStep() if step.queue is DEFLATE:
                    pages = named(vector, features, step)
                    assert pages <= balloon, vector.id
                    balloon, changed = balloon - pages, True
                case EffectStep() if live:
                    assert step.discarded == fresh, vector.id
                    fresh = EMPTY
                case EffectStep():
                    assert not step.discarded, vector.id
                case ActualStep():
                    changed = False
                    if vector.area != "configuration":
                        assert step.pages == balloon.pages, vector.id
        assert not changed, f"{vector.id} owes a write of actual"


def test_the_buffers_a_driver_owes_come_first(vectors):
    """One statistics buffer with STATS_VQ, one request buffer with HOST_REQ_VQ, after every negotiation."""
    for vector in vectors:
        if vector.id in {"statistics-one-byte", "request-buffer-too-small"}:
            continue
        # These are about the queues that a driver uses; what it does not need for that, it leaves out.
        if vector.area == "queue-numbers" and vector.sides == {Side.DEVICE}:
            continue
        sections = [[]]
        sets = [vector.features]
        for step in vector.steps:
            if isinstance(step, ResetStep):
                sections.append([])
                sets.append(step.features)
            else:
                sections[-1].append(step)
        for position, (negotiation, steps) in enumerate(zip(sets, sections, strict=True)):
            if not negotiation.features_ok or (not steps and position < len(sets) - 1):
                continue
            names = vector.profile.names(negotiation.accepted)
            owed = [
                queue
                for name, queue in (("STATS_VQ", STATISTICS), ("HOST_REQ_VQ", HOST_REQUEST))
                if name in names
            ]
            assert [step.queue for step in steps[: len(owed)] if isinstance(step, BufferStep)] == owed, (
                vector.id
            )


def test_a_request_carries_sixteen_bytes_with_its_id(vectors):
    """Where nothing is broken on purpose: cmd 0, reserved words 0, and an id of 16 bits."""
    for vector in vectors:
        if vector.kind is Kind.MALFORMED:
            continue
        for step in vector.steps:
            if isinstance(step, UsedStep) and step.written:
                command, *reserved, param = unpack_from("<HHHHQ", step.written)
                assert (len(step.written), step.length_bytes, reserved) == (16, 16, [0, 0, 0])
                assert param < 1 << 16
                assert command == 0 or Side.DEVICE not in vector.sides


def test_malformed_vectors_of_malformed_buffers_end_with_a_device_that_serves(vectors):
    for vector in vectors:
        if "SAFE-04" not in vector.requirements:
            continue
        resets = [index for index, step in enumerate(vector.steps) if isinstance(step, ResetStep)]
        after = vector.steps[resets[-1] :]
        assert any(isinstance(step, UsedStep) and "SAFE-04" in step.shows for step in after), vector.id
