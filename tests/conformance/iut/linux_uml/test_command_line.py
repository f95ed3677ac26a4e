"""The options of ``run linux-uml``, as far as they become the adapter's."""

from __future__ import annotations

import pytest

from balloon_conformance.iut.contract import AdapterError
from balloon_conformance.iut.linux_uml import BUILT_IN, LinuxUml, UmlOptions
from balloon_conformance.iut.linux_uml.command_line import parse
from balloon_conformance.iut.registry import IutError, IutOptions, resolve


def test_nothing_said_is_what_debian_has():
    assert parse(None, None, None, None) == UmlOptions()


def test_everything_said_is_taken(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    options = parse("./linux", "build/virtio_balloon.ko", "1G", "loglevel=7 'dyndbg=file x +p'")
    assert options.kernel == str(tmp_path / "linux")
    assert options.module == str(tmp_path / "build/virtio_balloon.ko")
    assert options.memory_mib == 1024
    assert options.extra_kernel_arguments == ("loglevel=7", "dyndbg=file x +p")


def test_a_name_and_a_built_in_driver_are_no_paths():
    options = parse("linux-6.12", BUILT_IN, None, None)
    assert (options.kernel, options.module) == ("linux-6.12", BUILT_IN)


@pytest.mark.parametrize(("text", "mib"), [("64M", 64), ("64", 64), ("2G", 2048), (" 96MiB ", 96)])
def test_memory_is_read_with_its_unit(text, mib):
    assert parse(None, None, text, None).memory_mib == mib


@pytest.mark.parametrize(
    ("memory", "arguments", "says"),
    [
        ("lots", None, "--uml-memory: 'lots' is not a size; write it as in 64M or 2G"),
        ("16M", None, "--uml-memory: '16M' is too little for a guest; allow 32M or more"),
        (None, "a 'b", "--uml-arguments: No closing quotation; write them as in a shell"),
    ],
)
def test_what_cannot_be_meant_is_refused_in_one_line(memory, arguments, says):
    with pytest.raises(IutError) as caught:
        parse(None, None, memory, arguments)
    assert str(caught.value) == says


def test_the_registry_passes_them_on_and_keeps_them_from_others():
    target = resolve("linux-uml", IutOptions(uml_kernel="nowhere-linux"))
    assert (target.name, target.default_profile) == ("linux-uml", "base")
    adapter = target.make()
    assert isinstance(adapter, LinuxUml)
    with pytest.raises(AdapterError, match="no executable 'nowhere-linux'"):
        _ = adapter.description
    with pytest.raises(IutError, match="--uml-memory is for linux-uml"):
        resolve("reference-driver", IutOptions(uml_memory="64M"))
