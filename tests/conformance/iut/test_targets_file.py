"""Targets of ``balloon-conformance.toml``: read, expanded, and refused in one line that names the place."""

import pytest
from places import ROOT
from run_command import run_command

from balloon_conformance.iut.errors import IutError
from balloon_conformance.iut.targets_file import FILE_NAME, find, load
from balloon_conformance.run.options import RunOptions

OPTIONS = frozenset({"control", "qemu-memory"})

WHOLE = """\
[targets.mine]
adapter = "vhost-user-device:d.sock"
role = "device"
profile = "chunk-transfer"
known-failures = "known.yaml"
numbering = "dense-offered"

[targets.mine.options]
control = "c.sock"

[targets.mine.bits]
CHUNK_TRANSFER = 41

[targets.other]
adapter = "reference-driver"
"""


def written(directory, text):
    path = directory / FILE_NAME
    path.write_text(text, encoding="utf-8")
    return path


def test_everything_a_target_may_say_is_read(tmp_path):
    targets = load(written(tmp_path, WHOLE), OPTIONS)
    mine = targets["mine"]
    assert (mine.adapter, mine.role, mine.profile) == ("vhost-user-device:d.sock", "device", "chunk-transfer")
    assert mine.known_failures == str(tmp_path / "known.yaml")
    assert dict(mine.options) == {"control": "c.sock"}
    assert dict(mine.bits) == {"CHUNK_TRANSFER": 41}
    assert mine.numbering == "dense-offered"
    other = targets["other"]
    assert (other.role, other.profile, other.known_failures, *other.options, *other.bits) == (None, "", "")


def test_the_file_of_the_page_is_one():
    page = ROOT / "docs" / "test" / "sample" / FILE_NAME
    targets = load(page, frozenset({"stdio-start-seconds"}))
    assert targets["mine"].known_failures == str(page.parent / "known.yaml")
    assert dict(targets["program"].options) == {"stdio-start-seconds": "30"}


def test_a_name_stands_for_what_the_file_says_and_what_is_given_beside_it_counts_more(tmp_path):
    written(tmp_path, WHOLE)
    options = RunOptions("mine", bits=("CHUNK_TRANSFER=42", "STATS_VQ=7")).expanded(tmp_path)
    assert options.iut == "vhost-user-device:d.sock"
    assert options.given == {"control": "c.sock"}
    assert options.profile == "chunk-transfer"
    assert options.bits == ("CHUNK_TRANSFER=42", "STATS_VQ=7")
    given = RunOptions("mine", profile="base", given={"control": "x.sock"}, known_failures="k").expanded(
        tmp_path
    )
    assert (given.profile, given.given["control"], given.known_failures) == ("base", "x.sock", "k")
    assert options.numbering == "dense-offered"
    assert RunOptions("mine", numbering="fixed").expanded(tmp_path).numbering == "fixed"


@pytest.mark.parametrize("name", ["reference-device", "stdio:mine", "qemu"])
def test_what_is_no_name_of_a_target_is_left_as_it_is(tmp_path, name):
    written(tmp_path, "this is not even TOML")
    assert RunOptions(name).expanded(tmp_path) == RunOptions(name)


@pytest.mark.parametrize("text", ["targets = 1", '[targets.mine]\nadapter = "qemu"'])
def test_a_name_of_the_suites_own_is_run_whatever_is_in_the_file(tmp_path, text):
    written(tmp_path, text)
    assert RunOptions("qemu").expanded(tmp_path) == RunOptions("qemu")


def test_a_target_that_could_never_be_run_under_its_name_is_refused(tmp_path):
    written(tmp_path, '[targets.qemu]\nadapter = "stdio:./device"')
    with pytest.raises(
        IutError, match=r"targets\.qemu: qemu is the suite's own name .*; give the target another"
    ):
        RunOptions("qemu").expanded(tmp_path)


def test_without_a_file_or_the_name_in_it_there_is_no_target(tmp_path):
    assert find("mine", tmp_path, OPTIONS) is None
    written(tmp_path, WHOLE)
    assert find("quite-another", tmp_path, OPTIONS) is None
    with pytest.raises(IutError, match=f"did you mean mine, as {FILE_NAME} has it"):
        find("mime", tmp_path, OPTIONS)


FAULTS = {
    "not TOML": ("[targets", "this is not TOML: Expected"),
    "another table": ("a = 1", "1: a: this file has tables"),
    "targets is no table": ("targets = 1", "1: targets: expected tables"),
    "a target is no table": ("[targets]\n\nmine = 3", "3: targets.mine: expected a table"),
    "not a name": ('[targets."a b"]', "'a b' is not a name"),
    "no adapter": ('[targets.x]\nrole = "device"', "1: targets.x: adapter is missing; name it"),
    "an empty adapter": ('[targets.x]\nadapter = " "', "2: targets.x.adapter: expected text"),
    "a number for text": ("[targets.x]\nadapter = 1", "2: targets.x.adapter: expected text, found 1"),
    "a key there is not": (
        '[targets.x]\nadapter = "qemu"\nprofil = "base"',
        "3: targets.x.profil: there is no such key; did you mean profile?",
    ),
    "a far key": (
        '[targets.x]\nadapter = "qemu"\nzzz = 1',
        "3: targets.x.zzz: there is no such key; there are",
    ),
    "a role there is not": (
        '[targets.x]\nadapter="qemu"\nrole="host"',
        "3: targets.x.role: there is no role",
    ),
    "a profile there is not": (
        '[targets.x]\nadapter="qemu"\nprofile="full"',
        "3: targets.x.profile: there is no profile 'full'; write",
    ),
    "a numbering there is not": (
        '[targets.x]\nadapter="qemu"\nnumbering="dense"',
        "3: targets.x.numbering: there is no numbering 'dense'; write fixed or dense-offered or",
    ),
    "an option there is not": (
        '[targets.x]\nadapter="qemu"\n[targets.x.options]\nqemu-memori = "1M"',
        "4: targets.x.options.qemu-memori: there is no such option; did you mean qemu-memory?",
    ),
    "a far option": (
        '[targets.x]\nadapter="qemu"\n[targets.x.options]\nzzz = "1M"',
        "4: targets.x.options.zzz: there is no such option; there are control, qemu-memory",
    ),
    "an option that is a list": (
        '[targets.x]\nadapter="qemu"\n[targets.x.options]\ncontrol = [1]',
        "4: targets.x.options.control: expected text or a number, found [1]",
    ),
    "options that are no table": (
        '[targets.x]\nadapter="qemu"\noptions = 1',
        "3: targets.x.options: expected a table, found 1",
    ),
    "a bit that is none": (
        '[targets.x]\nadapter="qemu"\n[targets.x.bits]\nSTATS_VQ = 64',
        "4: targets.x.bits.STATS_VQ: expected a bit number from 0 to 63, found 64",
    ),
    "a bit that is true": (
        '[targets.x]\nadapter="qemu"\nbits.STATS_VQ = true',
        "3: targets.x.bits.STATS_VQ: expected a bit number",
    ),
}


@pytest.mark.parametrize("fault", FAULTS.values(), ids=list(FAULTS))
def test_a_file_that_is_not_in_order_is_refused_in_one_line(tmp_path, fault):
    text, words = fault
    with pytest.raises(IutError) as caught:
        load(written(tmp_path, text), OPTIONS)
    said = str(caught.value)
    assert said.startswith(FILE_NAME)
    assert words in said
    assert "\n" not in said


def test_a_file_that_cannot_be_read_is_refused(tmp_path):
    path = tmp_path / FILE_NAME
    path.mkdir()
    with pytest.raises(IutError, match="Is a directory"):
        find("mine", tmp_path, OPTIONS)
    path.rmdir()
    path.write_bytes(b"\xff")
    with pytest.raises(IutError, match="this is not UTF-8"):
        find("mine", tmp_path, OPTIONS)


def test_a_target_is_run_by_its_name_and_its_role_is_held_against_it(tmp_path):
    written(
        tmp_path,
        '[targets.mine]\nadapter = "reference-device"\n[targets.mine.bits]\nCHUNK_TRANSFER = 41\n'
        '[targets.wrong]\nadapter = "reference-device"\nrole = "driver"\n',
    )
    done = run_command(tmp_path, "run", "mine", "-k", "chunk-of-page-0")
    assert done.code == 0, done.err
    assert "reference-device, profile chunk-transfer" in done.out
    wrong = run_command(tmp_path, "run", "wrong")
    assert wrong.code == 2
    assert "targets.wrong.role: reference-device is a device, not a driver" in wrong.err


def test_known_failures_of_a_target_are_those_of_its_file(tmp_path):
    written(tmp_path, '[targets.mine]\nadapter = "reference-device"\nknown-failures = "nowhere.yaml"\n')
    done = run_command(tmp_path, "run", "mine", "-k", "chunk-of-page-0")
    assert done.code == 2
    assert "nowhere.yaml: there is no such file" in done.err
    elsewhere = run_command(
        tmp_path, "run", "mine", "-k", "chunk-of-page-0", "--known-failures", "other.yaml"
    )
    assert "other.yaml: there is no such file" in elsewhere.err


@pytest.mark.parametrize("seconds", ["soon", "0", "-1", "nan", "inf"])
def test_a_time_that_is_none_is_refused(tmp_path, seconds):
    done = run_command(tmp_path, "run", "stdio:true", "--stdio-answer-seconds", seconds)
    assert done.code == 2
    assert f"--stdio-answer-seconds: '{seconds}' is no time; write seconds, as in 30" in done.err


def test_how_long_a_program_may_take_is_for_programs_alone(tmp_path):
    done = run_command(tmp_path, "run", "reference-device", "--stdio-start-seconds", "3")
    assert "--stdio-start-seconds is for stdio; remove it, or run stdio" in done.err
    slow = run_command(tmp_path, "run", "stdio:sleep 100", "--stdio-start-seconds", "0.25")
    assert "sleep did not answer start within 0.25 seconds" in slow.err
