/*
 * Lets an older Linux in user mode set a process's registers on a host whose XSAVE area has outgrown it.
 *
 * A kernel in user mode keeps the extended registers of its processes in a buffer of a size that it was built
 * with; for Linux 6.1 that is too small for a CPU with AMX. The host gives as much of its area as the buffer
 * holds, but takes back nothing less than the whole (EFAULT), and the kernel cannot start its first process.
 * Loaded before the C library, this makes the short area whole again: to what the kernel gives it adds the
 * rest of what the host has, without the components that lie in the rest. The kernel could not keep those for
 * its processes, which thus find them in their initial state.
 *
 * The area is in XSAVE's standard form (Intel, Software Developer's Manual 1, 13.4): XSTATE_BV, the set of
 * components that are not in their initial state, is the word at byte 512, and CPUID 0xD says where each lies.
 */
#define _GNU_SOURCE
#include <cpuid.h>
#include <elf.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

enum { XSTATE_BV = 512, HEADER_END = 576, CPUID_XSAVE = 0xD, FIRST_EXTENDED = 2, COMPONENTS = 63 };

/* Not on the stack, which is small in that kernel; it has one CPU, and sets registers one process at a time. */
static unsigned char whole[1 << 16];

/* The components of the area whose bytes end beyond its first `length`. */
static uint64_t beyond(size_t length)
{
    uint64_t set = 0;

    for (unsigned component = FIRST_EXTENDED; component < COMPONENTS; component++) {
        unsigned size = 0, offset = 0, flags = 0, unused = 0;

        __cpuid_count(CPUID_XSAVE, component, size, offset, flags, unused);
        if (size != 0 && (size_t)offset + size > length)
            set |= UINT64_C(1) << component;
    }
    return set;
}

static long set_xstate(long process, const struct iovec *given)
{
    struct iovec area = {whole, sizeof whole};
    uint64_t components;

    if (syscall(SYS_ptrace, PTRACE_GETREGSET, process, NT_X86_XSTATE, &area) == 0 &&
        given->iov_len >= HEADER_END && given->iov_len < area.iov_len) {
        memcpy(whole, given->iov_base, given->iov_len);
        memcpy(&components, whole + XSTATE_BV, sizeof components);
        components &= ~beyond(given->iov_len);
        memcpy(whole + XSTATE_BV, &components, sizeof components);
        given = &area;
    }
    return syscall(SYS_ptrace, PTRACE_SETREGSET, process, NT_X86_XSTATE, given);
}

long ptrace(enum __ptrace_request request, ...)
{
    va_list arguments;
    long process, result, peeked = 0;
    void *address, *data;

    va_start(arguments, request);
    process = va_arg(arguments, pid_t);
    address = va_arg(arguments, void *);
    data = va_arg(arguments, void *);
    va_end(arguments);

    if (request == PTRACE_SETREGSET && address == (void *)NT_X86_XSTATE)
        return set_xstate(process, data);
    if (request != PTRACE_PEEKTEXT && request != PTRACE_PEEKDATA && request != PTRACE_PEEKUSER)
        return syscall(SYS_ptrace, request, process, address, data);
    /* The C library returns what was read; the host writes it to where `data` points. */
    result = syscall(SYS_ptrace, request, process, address, &peeked);
    return result < 0 ? result : peeked;
}
