"""Reads vectors: strict YAML, the published schema, and then everything a schema cannot say."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType
from typing import Any, NoReturn

from balloon_conformance import family
from balloon_conformance.iut.contract import Setup
from balloon_conformance.vectors import manifest, schema
from balloon_conformance.vectors.model import FeatureSets, Kind, Vector
from balloon_conformance.vectors.reading import Frame, StepReader, VectorError, field_name
from balloon_spec import strict_yaml
from balloon_spec.events import Side
from balloon_spec.pages import PageSet
from balloon_spec.profiles import Profile, profile
from balloon_spec.requirement import Requirement, catalogue
from balloon_spec.strict_yaml import Document, StrictYamlError
from balloon_spec.strict_yaml import Path as Place

__all__ = ["VectorError", "further", "load", "load_all", "load_text", "paths_below", "read_text"]


def load(path: Path, *, requirements: Mapping[str, Requirement] | None = None) -> Vector:
    """Read the vector in the file ``path``; ``requirements`` defaults to the catalogue.

    Raises :class:`VectorError` for a file that cannot be read or is not a vector.
    """
    return load_text(read_text(path), str(path), requirements=requirements)


def read_text(path: Path) -> str:
    """Return what stands in the file ``path``; :class:`VectorError` for one that cannot be read."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise VectorError(f"{path}:1: file: {error.strerror}; name a file that can be read") from None
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise VectorError(f"{path}:{line}: file: this is not UTF-8; save it as UTF-8") from None


def load_text(text: str, name: str, *, requirements: Mapping[str, Requirement] | None = None) -> Vector:
    """Read the vector in ``text``; ``name`` is what errors call it.

    Where ``name`` ends with ``.yaml`` its stem must be the vector's id. Raises :class:`VectorError`.
    """
    return _load(text, name, requirements)


@lru_cache(maxsize=2048)
def _load_published(text: str, name: str) -> Vector:
    """Read a vector that its schema admits. It is read once a process: it cannot be changed."""
    return _load(text, name, None, is_well_formed=True)


def _load(
    text: str, name: str, requirements: Mapping[str, Requirement] | None, *, is_well_formed: bool = False
) -> Vector:
    try:
        document = strict_yaml.load(text, name)
    except StrictYamlError as error:
        raise VectorError(str(error)) from None
    known = catalogue() if requirements is None else requirements
    return _Reader(document, known, is_well_formed=is_well_formed).read()


def load_all(
    directory: Path | None = None, *, requirements: Mapping[str, Requirement] | None = None
) -> tuple[Vector, ...]:
    """Read every ``*.yaml`` below ``directory``, in the order of their paths; by default the suite's own.

    Raises :class:`VectorError` for the first that is not in order, for two with one id, and for none.
    """
    if directory is None and (places := further()):
        own = _load_all(None, requirements)
        return (*own, *(one for place in places for one in _load_all(place, requirements)))
    return _load_all(directory, requirements)


def _load_all(directory: Path | None, requirements: Mapping[str, Requirement] | None) -> tuple[Vector, ...]:
    where = schema.directory() if directory is None else directory
    # The schema is most of the work, and what was published has been held against it by vectors verify.
    published = manifest.agreeing(where) if directory is None else frozenset()
    return tuple(
        _load_published(read_text(path), str(path))
        if path in published and requirements is None
        else _load(read_text(path), str(path), requirements)
        for path in paths_below(where)
    )


def paths_below(directory: Path) -> tuple[Path, ...]:
    """Return the path of every vector below ``directory``, ascending.

    Raises :class:`VectorError` for two with one id, which is the name of the file, and for none.
    """
    paths: dict[str, Path] = {}
    for path in sorted(directory.rglob("*.yaml")):
        other = paths.setdefault(path.stem, path)
        if other is not path:
            raise VectorError(
                f"{path}:1: vector: {path.stem} is also the id of {other}; rename one of the two"
            )
    if not paths:
        raise VectorError(
            f"{directory}:1: directory: there is no vector below it; name a directory of *.yaml files"
        )
    return tuple(paths.values())


def further() -> tuple[Path, ...]:
    """Return the directories in which families have vectors beside those of the suite."""
    return tuple(one.vectors for one in family.additions() if one.vectors is not None)


class _Reader:
    """Reads one document, field by field, and names the place of whatever is wrong."""

    def __init__(
        self, document: Document, requirements: Mapping[str, Requirement], *, is_well_formed: bool
    ) -> None:
        self._document = document
        self._requirements = requirements
        fault = None if is_well_formed else schema.first_fault(document)
        if fault is not None:
            self._refuse(fault.path, fault.problem, fault.remedy)
        data: dict[str, Any] = document.data
        self._data = data
        self._profile: Profile = profile(data["profile"])
        self._kind = Kind(data.get("kind", "exchange"))
        self._sides = frozenset(Side(word) for word in data["sides"])

    def _refuse(self, path: Place, problem: str, remedy: str) -> NoReturn:
        raise VectorError(f"{self._document.place(path)}: {field_name(path)}: {problem}; {remedy}")

    def read(self) -> Vector:
        data = self._data
        path = Path(self._document.name)
        if path.suffix == ".yaml" and path.stem != data["vector"]:
            self._refuse(
                ("vector",),
                f"{data['vector']} is not the name of the file",
                f"write {path.stem}, or rename the file",
            )
        requirements = self._check_requirements(("requirements",))
        for side in sorted(self._sides):
            if not any(self._requirements[name].subject.value == side.value for name in requirements):
                self._refuse(
                    ("requirements",),
                    f"none binds the {side}, which the vector judges",
                    f"add one, or take {side} from sides",
                )
        breaks = self._check_breaks()
        self._setup = self._read_memory()
        features = self._read_features(("features",))
        frame = Frame(
            self._document,
            self._profile,
            self._kind,
            self._sides,
            self._setup.memory,
            features,
            self._check_requirements,
            self._read_features,
        )
        return Vector(
            id=data["vector"],
            title=data["title"],
            profile=self._profile,
            kind=self._kind,
            sides=self._sides,
            requirements=requirements,
            breaks=breaks,
            features=features,
            memory_pages=self._setup.memory_pages,
            memory_holes=self._setup.memory_holes,
            steps=StepReader(frame).read(),
            provenance=MappingProxyType(dict(data["provenance"])),
            path=path,
        )

    def _at(self, path: Place) -> Any:
        value: Any = self._data
        for part in path:
            value = value[part]
        return value

    def _check_requirements(self, path: Place, sides: frozenset[Side] | None = None) -> tuple[str, ...]:
        """Return the requirement ids at ``path``: each exists and binds one of ``sides`` (those judged)."""
        judged = self._sides if sides is None else sides
        names: list[str] = self._at(path)
        for index, name in enumerate(names):
            if name not in self._requirements:
                prefix = name.split("-", maxsplit=1)[0]
                known = [other for other in self._requirements if other.startswith(f"{prefix}-")]
                remedy = f"{prefix} has {known[0]} to {known[-1]}" if known else "look it up in the catalogue"
                self._refuse((*path, index), f"there is no requirement {name}", remedy)
            subject = Side(self._requirements[name].subject.value)
            if subject not in judged:
                self._refuse(
                    (*path, index),
                    f"{name} binds the {subject}, and here stands what binds the {subject.other}",
                    f"remove it, or choose one that binds the {subject.other}",
                )
        return tuple(names)

    def _read_memory(self) -> Setup:
        """Return the memory; its holes lie below its last page, which exists."""
        memory = self._data["memory"]
        pages = memory["pages"]
        for index, text in enumerate(memory.get("holes", ())):
            here = ("memory", "holes", index)
            try:
                hole = PageSet.parse(text)
            except ValueError as error:
                self._refuse(here, str(error).split("; ", 1)[0], "write a run below the last page")
            if not hole:
                self._refuse(here, f"{text} is a run of no pages", "write a count from 1, or remove the run")
            if not hole <= PageSet([(0, pages - 1)]):
                self._refuse(
                    here,
                    f"{text} reaches the last page of memory, {pages - 1:#x}, or leaves it",
                    "name pages below that one, or change memory.pages",
                )
        return Setup(self._profile, pages, PageSet.parse(*memory.get("holes", ())))

    def _check_breaks(self) -> tuple[str, ...]:
        if self._kind is Kind.EXCHANGE:
            if "breaks" in self._data:
                self._refuse(
                    ("breaks",),
                    "both sides of an exchange keep the protocol",
                    "remove it, or write kind: malformed",
                )
            return ()
        if "breaks" not in self._data:
            self._refuse(("breaks",), "this field is missing", "name what the malformed vector breaks")
        if len(self._sides) > 1:
            self._refuse(
                ("sides",),
                "a malformed vector judges both sides",
                "name the one that does not break the protocol",
            )
        return self._check_requirements(("breaks",), frozenset(side.other for side in self._sides))

    def _read_features(self, path: Place) -> FeatureSets:
        """Return the negotiation at ``path``; its names exist and FEATURES_OK is what it must be."""
        value = self._at(path)
        masks = {}
        for key in ("offered", "accepted"):
            for index, name in enumerate(value[key]):
                if name not in self._profile.named:
                    known = ", ".join(self._profile.by_name)
                    self._refuse(
                        (*path, key, index),
                        f"profile {self._profile.name} has no feature {name}",
                        f"it has {known}",
                    )
            masks[key] = self._profile.mask(value[key])
        sets = FeatureSets(masks["offered"], masks["accepted"], value.get("features_ok", True))
        if not self._profile.may_offer(sets.offered) and (
            self._kind is Kind.EXCHANGE or Side.DRIVER not in self._sides
        ):
            feature, needed = self._profile.missing_requirements(sets.offered)[0]
            self._refuse(
                (*path, "offered"),
                f"{feature} is offered without {needed}",
                f"add {needed}; only a malformed vector for a driver may offer this",
            )
        legal = self._profile.may_accept(sets.offered, sets.accepted)
        if legal and not sets.features_ok:
            self._refuse(
                (*path, "features_ok"), "the accepted features are legal", "remove it: the device keeps them"
            )
        if not legal and sets.features_ok:
            self._refuse(
                (*path, "accepted"),
                self._why_illegal(sets),
                "mend it, or write features_ok: false: the device must refuse",
            )
        if not sets.features_ok and (self._kind is Kind.EXCHANGE or Side.DEVICE not in self._sides):
            self._refuse(
                (*path, "features_ok"),
                "only a driver that breaks the protocol is refused",
                "write kind: malformed with sides: [device]",
            )
        return sets

    def _why_illegal(self, sets: FeatureSets) -> str:
        extra = self._profile.names(sets.accepted & ~sets.offered)
        if extra:
            return f"{min(extra)} is accepted and was not offered"
        feature, needed = self._profile.missing_requirements(sets.accepted)[0]
        return f"{feature} is accepted without {needed}"
