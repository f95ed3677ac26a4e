"""The options of ``run linux-uml``, as far as they become the adapter's."""

from __future__ import annotations

import pytest

from balloon_conformance.iut.contract import AdapterError
from balloon_conformance.iut.linux_uml import BUILT_IN, LinuxUml, UmlOptions
from balloon_conformance.iut.linux_uml.command_line import parse
from balloon_conformance.iut.registry import IutError, resolve


def test_nothing_said_is_what_debian_has():
    assert parse({}) == UmlOptions()


def test_everything_said_is_taken(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    options = parse(
        {
            "uml-kernel": "./linux",
            "uml-module": "build/virtio_balloon.ko",
            "uml-memory": "1G",
            "uml-arguments": "loglevel=7 'dyndbg=file x +p'",
        }
    )
    assert options.kernel == str(tmp_path / "linux")
    assert options.module == str(tmp_path / "build/virtio_balloon.ko")
    assert options.memory_mib == 1024
    assert options.extra_kernel_arguments == ("loglevel=7", "dyndbg=file x +p")


def test_a_name_and_a_built_in_driver_are_no_paths():
    options = parse({"uml-kernel": "linux-6.12", "uml-module": BUILT_IN})
    assert (options.kernel, options.module) == ("linux-6.12", BUILT_IN)


@pytest.mark.parametrize(("text", "mib"), [("64M", 64), ("64", 64), ("2G", 2048), (" 96MiB ", 96)])
def test_memory_is_read_with_its_unit(text, mib):
    assert parse({"uml-memory": text}).memory_mib == mib


@pytest.mark.parametrize(
    ("option", "text", "says"),
    [
        ("uml-memory", "lots", "--uml-memory: 'lots' is not a size; write it as in 64M or 2G"),
        ("uml-memory", "16M", "--uml-memory: '16M' is too little for a guest; allow 32M or more"),
        ("uml-arguments", "a 'b", "--uml-arguments: No closing quotation; write them as in a shell"),
    ],
)
def test_what_cannot_be_meant_is_refused_in_one_line(option, text, says):
    with pytest.raises(IutError) as caught:
        parse({option: text})
    assert str(caught.value) == says


def test_the_registry_passes_them_on_and_keeps_them_from_others():
    target = resolve("linux-uml", {"uml-kernel": "nowhere-linux"})
    assert (target.name, target.default_profile) == ("linux-uml", "mainline")
    adapter = target.make()
    assert isinstance(adapter, LinuxUml)
    with pytest.raises(AdapterError, match="no executable 'nowhere-linux'"):
        _ = adapter.description
    with pytest.raises(IutError, match="--uml-memory is for linux-uml"):
        resolve("reference-driver", {"uml-memory": "64M"})
