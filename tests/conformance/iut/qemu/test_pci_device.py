"""The balloon of the installed QEMU over PCI: both machines, both interfaces, INTx; MSI-X if this QEMU has it."""

from __future__ import annotations

import json
import os
import shutil
import struct

import pytest
from run_command import run_command

from balloon_conformance.iut.contract import AdapterError, Buffer, Setup
from balloon_conformance.iut.qemu import QemuDevice, QemuOptions
from balloon_conformance.iut.qemu.machines import InterruptKind, TransportKind
from balloon_conformance.iut.sight import Fact, NotVisible
from balloon_spec.events import ConfigurationChanged, Notified, Used
from balloon_spec.pages import EMPTY, PageSet
from balloon_spec.profiles import BASE

PAGES = 0x1000
MEMORY = PageSet([(0, 0x40), (0x100, PAGES - 0x100)])
VERSION_1, STATS_VQ = 1 << 32, 1 << 1
INFLATE, STATISTICS = 0, 2
FEW = "statistics-refreshed-twice or array-without-version-1"


@pytest.fixture(autouse=True)
def _installed():
    if not shutil.which("qemu-system-x86_64"):
        if os.environ.get("BALLOON_REQUIRE_INTEROP") == "1":
            pytest.fail("BALLOON_REQUIRE_INTEROP=1, but qemu-system-x86_64 is not installed")
        pytest.skip("qemu-system-x86_64 is not installed")


@pytest.fixture
def make():
    adapters = []

    def make(transport, machine, **options):
        adapters.append(QemuDevice(QemuOptions(transport=transport, machine_name=machine, **options)))
        adapters[-1].start(Setup(BASE, PAGES))
        return adapters[-1]

    yield make
    for adapter in adapters:
        adapter.stop()


def seen(device):
    """The next returns and changes, with every notification that belongs to them."""
    while not (events := device.observe(5)):
        pass
    if any(isinstance(one, Used) and one.notified is False for one in events):
        late = device.observe(5)
        assert any(isinstance(one, Notified) for one in late), "a return whose notification never came"
    return [one for one in events if not isinstance(one, Notified)]


EVERY = [
    (TransportKind.PCI, "q35"),
    (TransportKind.PCI_TRANSITIONAL, "pc"),
    (TransportKind.PCI_LEGACY, "pc"),
]


@pytest.mark.parametrize(("transport", "machine"), EVERY)
def test_a_balloon_on_pci_inflates_counts_and_is_reset(make, transport, machine):
    is_legacy = transport is TransportKind.PCI_LEGACY
    device = make(transport, machine)
    offered = device.offered()
    assert bool(offered & VERSION_1) is not is_legacy
    for begin in (0x200, 0x300):
        assert device.accept((0 if is_legacy else VERSION_1) | STATS_VQ)
        device.prepare()
        assert [index for index, _ in device.ring_sizes()] == [0, 1, 2]
        device.driver_ok()
        named = [0x3F, 0x100, begin, PAGES - 1]
        device.make_available(INFLATE, Buffer("a", struct.pack("<4I", *named)))
        (used,) = seen(device)
        assert (used.queue, used.buffer) == (INFLATE, "a")
        assert device.discarded(MEMORY) == (PageSet((pfn, 1) for pfn in named), EMPTY)
        device.operate("target", begin)
        assert seen(device) == [ConfigurationChanged(struct.pack("<II", begin, 0))]
        device.make_available(STATISTICS, Buffer("s", struct.pack("<HQ", 5, begin)))
        device.operate("statistics", 0)
        assert [one.buffer for one in seen(device)] == ["s"]
        assert device.statistics() == ((5, begin),)
        device.reset()
        assert device.status() == 0


def test_the_legacy_interface_says_what_it_cannot_show(make):
    device = make(TransportKind.PCI_LEGACY, "pc")
    assert {Fact.REFUSAL, Fact.NEEDS_RESET, Fact.GENERATION} == set(device.unseen)
    with pytest.raises(NotVisible, match="32 feature bits"):
        device.accept(VERSION_1)
    assert make(TransportKind.PCI_TRANSITIONAL, "pc").unseen == {}


def test_messages_arrive_or_their_lack_is_told_of_with_the_remedy(make):
    """Only a QEMU that knows the property ``vectors`` of the balloon gives it MSI-X."""
    try:
        device = make(TransportKind.PCI, "q35", interrupts=InterruptKind.MSIX)
    except AdapterError as error:
        assert "gives its balloon no MSI-X; use --qemu-interrupts intx" in str(error)  # noqa: PT017
        return
    assert device.accept(VERSION_1)
    device.prepare()
    device.driver_ok()
    device.make_available(INFLATE, Buffer("a", struct.pack("<I", 0x200)))
    assert [one.buffer for one in seen(device)] == ["a"]
    device.operate("target", 3)
    assert seen(device) == [ConfigurationChanged(struct.pack("<II", 3, 0))]


@pytest.mark.parametrize(
    ("words", "described"),
    [
        (("--qemu-transport", "pci"), "disable-legacy=on,"),
        (("--qemu-transport", "pci-transitional", "--qemu-machine", "pc"), ", pc, pci-transitional, intx"),
    ],
)
def test_a_few_cases_are_judged_over_pci(tmp_path, words, described):
    done = run_command(tmp_path, "run", "qemu", *words, "-k", FEW, "--results", "r.jsonl")
    assert done.code == 0, done.out + done.err
    first, *_ = map(json.loads, (tmp_path / "r.jsonl").read_text().splitlines())
    assert described in json.dumps(first)
    assert "0 broken; 2 cases" in done.out
