"""A kernel in user mode on a host whose XSAVE area has outgrown it."""

from __future__ import annotations

import os
import platform
import shutil
import struct
import subprocess
import sys

import pytest
from uml_leftovers import nothing_left

from balloon_conformance.iut.contract import AdapterError
from balloon_conformance.iut.linux_uml import BUILT_IN, UmlOptions, process, xstate
from balloon_conformance.iut.linux_uml.process import GuestKernel

REFUSED = "userspace - ptrace set fp regs failed, errno = 14"

# A process is stopped; 640 bytes of its area are read, xmm0 and the accumulator of AVX are said to be in use,
# and the 640 bytes, which end within AVX's component, are set again. Prints how that went, then XSTATE_BV and
# xmm0 as the host has them afterwards. Offsets from Intel's manual: XMM0 at 160, XSTATE_BV at 512, AVX at 576.
PROBE = r"""
#include <elf.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

int main(void)
{
    static unsigned char area[65536];
    struct iovec part = {area, 640}, all = {area, sizeof area};
    pid_t child = fork();
    int status;

    if (child == 0) {
        ptrace(PTRACE_TRACEME, 0, 0, 0);
        raise(SIGSTOP);
        _exit(7);
    }
    waitpid(child, &status, 0);
    ptrace(PTRACE_GETREGSET, child, (void *)NT_X86_XSTATE, &part);
    memcpy(area + 160, "sixteen letters!", 16);
    area[512] |= 7;
    errno = 0;
    long set = ptrace(PTRACE_SETREGSET, child, (void *)NT_X86_XSTATE, &part);
    printf("%ld %d", set, errno);
    ptrace(PTRACE_GETREGSET, child, (void *)NT_X86_XSTATE, &all);
    printf(" %d %.16s", area[512] & 7, area + 160);
    errno = 0;
    long word = ptrace(PTRACE_PEEKDATA, child, area + 160, 0);
    printf(" %d", word == 0 && errno == 0);
    ptrace(PTRACE_CONT, child, 0, 0);
    waitpid(child, &status, 0);
    printf(" %d\n", WEXITSTATUS(status));
    return 0;
}
"""


@pytest.fixture(autouse=True)
def kernels_of_this_test(monkeypatch):
    monkeypatch.setattr(process, "_outgrown", set())


@pytest.fixture
def place(monkeypatch):
    with nothing_left(monkeypatch) as place:
        yield place


@pytest.fixture
def kernel(tmp_path):
    """Make options whose kernel appends its LD_PRELOAD to a file, and then does as it is told."""

    def make(lines):
        path = tmp_path / "linux"
        told = tmp_path / "told"
        path.write_text(
            '#!/bin/sh\n[ "$1" = --version ] && { echo 6.1.0; exit; }\n'
            f'echo "preload=$LD_PRELOAD" >> {told}; loaded=$LD_PRELOAD; unset LD_PRELOAD\n'
            "for word; do case $word in ssl0=fd:*) line=${word#ssl0=fd:};; esac; done\n"
            f"{lines}\n"
        )
        path.chmod(0o755)
        busybox = tmp_path / "busybox"
        busybox.write_bytes(b"\x7fELF static")
        busybox.chmod(0o755)
        return UmlOptions(kernel=str(path), module=BUILT_IN, busybox=str(busybox))

    return make


READY = f"exec {sys.executable} -c 'import os, sys, time; os.write(int(sys.argv[1]), bytes([114, 101, 97, 100, 121, 10])); time.sleep(1000)' $line"


@pytest.fixture
def library_at_hand(monkeypatch):
    # What the loader complains of and leaves out.
    monkeypatch.setattr(process, "library", lambda: b"no library")


def test_a_kernel_that_the_host_refuses_is_started_again_with_the_library(
    kernel, place, tmp_path, library_at_hand
):
    options = kernel(f'[ "$loaded" ] || {{ echo "{REFUSED}"; echo "Call Trace:"; exit 1; }}\n{READY}')
    for _ in range(2):
        GuestKernel(options).stop()
    # The second time it is known what the kernel needs.
    told = (tmp_path / "told").read_text().split()
    assert told == ["preload=", "preload=./xstate.so", "preload=./xstate.so"]


def test_a_kernel_that_can_do_without_never_meets_the_library(kernel, place, tmp_path, library_at_hand):
    GuestKernel(kernel(READY)).stop()
    assert (tmp_path / "told").read_text().split() == ["preload="]


def test_a_kernel_that_dies_for_another_reason_is_not_helped(kernel, place, tmp_path, library_at_hand):
    options = kernel('echo "userspace - ptrace set fp regs failed, errno = 3"; exit 1')
    with pytest.raises(AdapterError, match=r"died at start, exit status 1; .*errno = 3"):
        GuestKernel(options)
    assert (tmp_path / "told").read_text().split() == ["preload="]


def test_a_kernel_that_is_refused_all_the_same_is_reported(kernel, place, tmp_path, library_at_hand):
    with pytest.raises(AdapterError, match=r"died at start, exit status 1; .*errno = 14"):
        GuestKernel(kernel(f'echo "{REFUSED}"; exit 1'))
    assert (tmp_path / "told").read_text().split() == ["preload=", "preload=./xstate.so"]


def test_a_static_kernel_cannot_be_helped(kernel, place, tmp_path, monkeypatch):
    monkeypatch.setattr(process, "is_static", lambda _path: True)
    options = kernel(f'echo "{REFUSED}"; exit 1')
    with pytest.raises(AdapterError) as caught:
        GuestKernel(options)
    assert str(caught.value) == (
        f"the kernel {options.kernel} cannot hold all registers of this CPU, and cannot be helped because it is"
        " linked statically; build it without CONFIG_STATIC_LINK"
    )


def test_without_a_compiler_the_remedy_is_named(kernel, place, tmp_path, monkeypatch):
    monkeypatch.setattr(xstate, "_COMPILERS", ("no-compiler",))
    xstate.library.cache_clear()
    with pytest.raises(AdapterError, match="there is no cc: install Debian's packages gcc and libc6-dev"):
        GuestKernel(kernel(f'echo "{REFUSED}"; exit 1'))


def test_a_compiler_that_fails_is_quoted(tmp_path, monkeypatch):
    compiler = tmp_path / "cc"
    compiler.write_text("#!/bin/sh\necho 'xstate.c:1:1: fatal error: cpuid.h: No such file' >&2; exit 1\n")
    compiler.chmod(0o755)
    monkeypatch.setattr(xstate, "_COMPILERS", (str(compiler),))
    xstate.library.cache_clear()
    with pytest.raises(AdapterError, match=r"cannot compile xstate\.c: .*cpuid\.h: No such file; install"):
        xstate.library()


def test_a_program_that_names_no_loader_is_static(tmp_path):
    # ELF-64: the header is of 64 bytes, a program header of 56, and PT_LOAD is 1, PT_INTERP 3.
    def program(*kinds):
        header = (
            b"\x7fELF\x02\x01\x01"
            + bytes(9)
            + struct.pack("<HHIQQQIHHHHHH", 2, 62, 1, 0, 64, 0, 0, 64, 56, len(kinds), 0, 0, 0)
        )
        path = tmp_path / "program"
        path.write_bytes(header + b"".join(struct.pack("<I52x", kind) for kind in kinds))
        return path

    assert xstate.is_static(program(1, 1))
    assert not xstate.is_static(program(1, 3, 1))
    script = tmp_path / "script"
    script.write_text("#!/bin/sh\nexec linux\n")
    assert not xstate.is_static(script)


@pytest.mark.skipif(platform.machine() != "x86_64", reason="user mode exists on x86 alone")
def test_the_library_completes_a_short_area(tmp_path):
    compiler = shutil.which("cc")
    if compiler is None:
        if os.environ.get("BALLOON_REQUIRE_INTEROP") == "1":
            pytest.fail("BALLOON_REQUIRE_INTEROP=1, but there is no cc")
        pytest.skip("there is no cc")
    xstate.library.cache_clear()
    (tmp_path / "probe.c").write_text(PROBE)
    (tmp_path / "xstate.so").write_bytes(xstate.library())
    subprocess.run(
        [compiler, "-D_GNU_SOURCE", "-o", "probe", "probe.c"], cwd=tmp_path, check=True, timeout=60
    )

    def probe(**more):
        environment = {"PATH": os.defpath, **more}
        done = subprocess.run(
            ["./probe"], cwd=tmp_path, env=environment, capture_output=True, check=True, timeout=60
        )
        return done.stdout.split(b" ", 2)

    result, error, rest = probe()
    if (result, error) == (b"0", b"0"):
        pytest.skip("the host's area is of 640 bytes or fewer")
    assert (result, error) == (b"-1", b"14")
    # x87 and SSE as they were set; AVX, which the 640 bytes cut, in its initial state.
    result, error, rest = probe(LD_PRELOAD="./xstate.so")
    assert (result, error) == (b"0", b"0")
    assert rest == b"3 sixteen letters! 1 7\n"
