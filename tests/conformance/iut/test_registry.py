"""Implementations by name: what resolves, and the one line for what does not."""

import sys
from textwrap import dedent

import pytest

from balloon_conformance.iut import python_object
from balloon_conformance.iut.contract import DeviceAdapter, DriverAdapter
from balloon_conformance.iut.qemu import QemuDevice, command_line
from balloon_conformance.iut.reference.adapter import ReferenceDevice, ReferenceDriver
from balloon_conformance.iut.registry import IutError, resolve
from balloon_spec.events import Side


@pytest.fixture
def module(tmp_path, monkeypatch, request):
    """Write a module into the current directory; it is forgotten afterwards."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    names = []

    def write(text: str) -> str:
        name = f"adapter_of_{request.node.name.partition('[')[0]}"
        (tmp_path / f"{name}.py").write_text(dedent(text))
        names.append(name)
        return name

    yield write
    for name in names:
        sys.modules.pop(name, None)


@pytest.mark.parametrize(
    ("name", "side", "profile", "kind"),
    [
        ("reference-device", Side.DEVICE, "chunk-transfer", ReferenceDevice),
        ("reference-driver", Side.DRIVER, "chunk-transfer", ReferenceDriver),
        ("qemu", Side.DEVICE, "mainline", QemuDevice),
    ],
)
def test_the_implementations_of_the_suite_resolve_by_name(name, side, profile, kind):
    target = resolve(name)
    assert (target.name, target.side, target.default_profile) == (name, side, profile)
    assert isinstance(target.make(), kind)


def test_a_name_that_is_almost_right_is_suggested():
    with pytest.raises(
        IutError, match=r"^no implementation 'reference-devise'; did you mean reference-device\?"
    ):
        resolve("reference-devise")


def test_a_name_far_from_every_other_gets_the_list():
    with pytest.raises(IutError, match=r"^no implementation 'x'; there are reference-device, "):
        resolve("x")


def test_a_known_name_with_something_behind_a_colon_is_unknown():
    with pytest.raises(IutError, match=r"no implementation 'qemu:x'; did you mean qemu"):
        resolve("qemu:x")


def test_options_of_qemu_are_refused_elsewhere():
    with pytest.raises(IutError, match=r"^--qemu-memory is for qemu"):
        resolve("reference-device", {"qemu-memory": "64M"})


@pytest.mark.parametrize(
    ("text", "mib"), [("64", 64), ("64M", 64), ("2G", 2048), ("64MiB", 64), ("1GiB", 1024)]
)
def test_memory_of_qemu_is_read_with_its_unit(text, mib):
    assert command_line.parse({"qemu-memory": text}).memory_mib == mib


@pytest.mark.parametrize("text", ["", "M", "0", "-1", "64K", "1.5G"])
def test_a_memory_that_is_no_size_is_refused(text):
    with pytest.raises(IutError, match=r"^--qemu-memory: .* is not a size; write it as in 64M or 2G$"):
        command_line.parse({"qemu-memory": text})


def test_properties_of_qemu_reach_its_options_and_a_malformed_one_does_not():
    options = command_line.parse({"qemu-binary": "/q", "qemu-device-properties": "deflate-on-oom=off,"})
    assert (options.binary, options.device_properties, options.memory_mib) == ("/q", "deflate-on-oom=off", 0)
    with pytest.raises(IutError, match=r"^--qemu-device-properties: 'off' is not NAME=VALUE"):
        command_line.parse({"qemu-device-properties": "deflate-on-oom=on,off"})


@pytest.mark.parametrize(
    ("given", "machine", "device"),
    [
        ({}, "microvm", "virtio-balloon-device"),
        ({"qemu-transport": "pci"}, "q35", "virtio-balloon-pci,disable-legacy=on"),
        ({"qemu-transport": "pci", "qemu-machine": "pc"}, "pc", "virtio-balloon-pci,disable-legacy=on"),
        ({"qemu-transport": "pci-legacy"}, "q35", "virtio-balloon-pci,disable-legacy=off"),
    ],
)
def test_the_transport_of_qemu_says_which_device_and_machine(given, machine, device):
    options = command_line.parse(given)
    assert options.machine.name == machine
    assert options.device.startswith(f"{device},id=")


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"qemu-transport": "ccw"}, "--qemu-transport: there is no 'ccw'; take one of mmio, pci, "),
        ({"qemu-machine": "virt"}, "--qemu-machine: 'virt' is no machine with transport mmio; take microvm"),
        (
            {"qemu-machine": "q35"},
            "--qemu-machine: 'q35' is no machine with transport mmio; take microvm, or give --qemu-transport",
        ),
        (
            {"qemu-transport": "pci", "qemu-machine": "microvm"},
            "'microvm' is no machine with transport pci; take q35 or pc, or give --qemu-transport",
        ),
        ({"qemu-interrupts": "msi-x"}, "--qemu-interrupts is for PCI; remove it, or give --qemu-transport"),
        (
            {"qemu-interrupts": "msi", "qemu-transport": "pci"},
            "--qemu-interrupts: there is no 'msi'; take one of intx, msi-x",
        ),
    ],
)
def test_a_transport_or_machine_of_qemu_that_there_is_not_is_refused(given, words):
    with pytest.raises(IutError, match=words):
        command_line.parse(given)


def test_the_legacy_interface_has_32_feature_bits():
    assert resolve("qemu", {"qemu-transport": "pci-legacy"}).feature_bits == 32
    assert resolve("qemu", {"qemu-transport": "pci-transitional"}).feature_bits == 64


@pytest.mark.parametrize("path", ["Adapter", "make", "adapter", "Holder.inner"])
def test_a_python_object_may_be_a_class_a_function_or_the_adapter(module, path):
    name = module("""
        from balloon_conformance.iut.reference.adapter import ReferenceDevice

        class Adapter(ReferenceDevice):
            pass

        def make():
            return Adapter()

        adapter = Adapter()

        class Holder:
            inner = Adapter
        """)
    target = resolve(f"python:{name}:{path}")
    assert target.side is Side.DEVICE
    assert type(target.make()).__name__ == "Adapter"


def test_an_object_that_forwards_to_an_adapter_is_one(module):
    name = module("""
        from balloon_conformance.iut.reference.adapter import ReferenceDriver

        class Proxy:
            def __init__(self):
                self._inner = ReferenceDriver()

            def __getattr__(self, name):
                return getattr(self._inner, name)
        """)
    assert resolve(f"python:{name}:Proxy").side is Side.DRIVER


def test_a_missing_method_is_named_with_its_contract(module):
    name = module("""
        from balloon_conformance.iut.reference.adapter import ReferenceDevice

        class Adapter(ReferenceDevice):
            make_available = None
        """)
    with pytest.raises(IutError) as caught:
        resolve(f"python:{name}:Adapter")
    assert str(caught.value) == (
        f"python:{name}:Adapter: Adapter lacks the method make_available of DeviceAdapter "
        "(balloon_conformance.iut.contract); add it"
    )


def test_several_missing_methods_of_a_driver_are_named_together(module):
    name = module("""
        class Adapter:
            capabilities = frozenset()
            description = "half a driver"
            def start(self, setup): ...
            def stop(self): ...
            def use(self, queue, buffer, length_bytes, written): ...
        """)
    with pytest.raises(
        IutError,
        match=r"lacks the methods change_configuration, negotiate, observe, reset, steer of DriverAdapter",
    ):
        resolve(f"python:{name}:Adapter")


def test_an_object_that_is_no_adapter_at_all_is_told_both_contracts(module):
    name = module("thing = 3")
    with pytest.raises(IutError, match=r"int is no adapter: it has neither .*DeviceAdapter .*DriverAdapter"):
        resolve(f"python:{name}:thing")


@pytest.mark.parametrize(
    ("text", "path", "words"),
    [
        ("raise RuntimeError('no\\nluck')", "A", "does not import: RuntimeError: no luck"),
        ("def (", "A", "does not import: SyntaxError"),
        ("Abc = 1", "A", "has no A; nothing in it could be an adapter: write a class that keeps"),
        ("import os\ndef abc():\n    pass", "A", "has no A; it has abc"),
        (
            "from balloon_conformance.iut.reference.adapter import ReferenceDevice, ReferenceDriver\nabc = len",
            "A",
            "has no A; it has ReferenceDevice, ReferenceDriver",
        ),
        (
            "".join(f"def f{n}():\n    pass\n" for n in range(7)),
            "A",
            "has no A; it has f0, f1, f2, f3, f4 and 2 more",
        ),
        ("import sys\nsys.exit(3)", "A", "does not import: SystemExit: 3"),
        ("import sys\ndef A():\n    sys.exit(3)", "A", "cannot be built: SystemExit: 3"),
        ("Abc = 1", "Abc.x", "has no x; nothing in it"),
        ("def A():\n    raise OSError('gone')", "A", "cannot be built: OSError: gone"),
        ("def A(one):\n    pass", "A", "cannot be built: TypeError"),
    ],
)
def test_a_module_that_is_not_in_order_gets_one_line(module, text, path, words):
    name = module(text)
    with pytest.raises(IutError) as caught:
        resolve(f"python:{name}:{path}")
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["python:", "python:m", "python:m:", "python::O"])
def test_half_a_python_name_is_refused(name):
    with pytest.raises(IutError, match=r"write python:MODULE:OBJECT"):
        resolve(name)


def test_the_members_of_the_contracts_are_those_of_the_suites_own_adapters():
    # Every public name of the protocols, and nothing of typing's machinery.
    shared = {"capabilities", "description", "start", "stop", "reset", "observe"}
    assert python_object.members(DriverAdapter) == shared | {
        "negotiate", "use", "change_configuration", "steer",
    }  # fmt: skip
    assert shared < python_object.members(DeviceAdapter)
    assert python_object.side_of(ReferenceDevice(), "x") is Side.DEVICE
    assert python_object.side_of(ReferenceDriver(), "x") is Side.DRIVER
