/*
 * The hands of the suite in a guest: the init of an initramfs, which does to the machine what it is told over
 * the serial console, and nothing by itself.
 *
 * A line of the suite is "@SEQ:BODY#CRC", in which BODY is a list of operations separated by ";", and an
 * operation a letter, perhaps a width, and numbers in hexadecimal, separated by ",". CRC is the CRC-32 of
 * "SEQ:BODY". The answer has the same form, with one answer for each operation. A line that was damaged is
 * answered by "@?:bad#CRC"; a line that comes again is answered again and not carried out again. Whatever
 * else is on the console, before a line or in the middle of it, is for the suite to skip.
 *
 *   rW,ADDRESS           read W bytes of physical memory with one access (W is 1, 2 or 4)
 *   wW,ADDRESS,VALUE     write them
 *   iW,PORT              read an I/O port
 *   oW,PORT,VALUE        write it
 *   R,ADDRESS,LENGTH     read bytes, answered as hexadecimal digits
 *   W,ADDRESS,BYTES      write bytes
 *   K,ADDRESS,LENGTH     the CRC-32 of bytes
 *   T,SLOT,MARK,BYTES    what pages are to hold: BYTES over and over; with a MARK other than 0, that word and
 *                        the number of the page, 32 bits each, little-endian, in place of the first 8
 *   F,SLOT,PAGE,COUNT    write that to pages of 4096 bytes
 *   E,SLOT,PAGE,COUNT    which pages do not hold it: "zPAGE+COUNT" for zeros, "fWORD:PAGE+COUNT" for a word of
 *                        32 bits over and over, "dPAGE+COUNT" for others
 *   L,NAME               a file, whose name and contents are hexadecimal digits
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/io.h>
#include <sys/klog.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <termios.h>
#include <unistd.h>

enum { LINE = 1 << 14, ANSWER = 1 << 17, PAGE = 4096, SLOTS = 32, PATTERN = 256, WINDOWS = 32, KLOG_OFF = 6 };

static char line[LINE], answer[ANSWER], last_sequence[24];
static size_t answer_length;
static int cached, uncached;

/* End the machine, of which this is the only program; as any other program, end. */
static void end(void)
{
    if (getpid() == 1)
        reboot(RB_POWER_OFF);
    exit(0);
}

/* -- frames ------------------------------------------------------------------------------------------- */

static uint32_t crc32(const char *bytes, size_t length)
{
    uint32_t crc = 0xffffffff;
    while (length--) {
        crc ^= (uint8_t)*bytes++;
        for (int bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ (crc & 1 ? 0xedb88320 : 0);
    }
    return ~crc;
}

static void put(const char *bytes, size_t length)
{
    while (length) {
        ssize_t done = write(1, bytes, length);
        if (done < 0 && errno != EINTR && errno != EAGAIN)
            end();
        if (done > 0)
            bytes += done, length -= (size_t)done;
    }
}

static void say(const char *format, ...)
{
    va_list more;
    va_start(more, format);
    if (answer_length < ANSWER - 64)
        answer_length += (size_t)vsnprintf(answer + answer_length, ANSWER - answer_length, format, more);
    va_end(more);
}

/* The line of the answer: a line of its own, whatever the kernel wrote before it. */
static void send(void)
{
    char tail[16];
    int length = snprintf(tail, sizeof tail, "#%08x\n", crc32(answer, answer_length));
    put("\n@", 2);
    put(answer, answer_length);
    put(tail, (size_t)length);
}

/* Read one line into "line"; return its length without the end. Ends the machine at the end of input. */
static size_t receive(void)
{
    static char held[LINE];
    static size_t have, taken;
    size_t length = 0;
    for (;;) {
        while (taken < have) {
            char one = held[taken++];
            if (one == '\n' || one == '\r') {
                if (length)
                    return length;
            } else if (length < LINE - 1) {
                line[length++] = one;
                line[length] = 0;
            }
        }
        ssize_t got = read(0, held, sizeof held);
        if (got == 0 || (got < 0 && errno != EINTR && errno != EAGAIN))
            end();
        have = got > 0 ? (size_t)got : 0;
        taken = 0;
    }
}

/* -- memory ------------------------------------------------------------------------------------------- */

struct window { uint64_t start, length; int file; char *at; };
static struct window windows[WINDOWS];
static int used_windows;

/* Map physical memory, registers without the cache, and return where a byte of it is; NULL if it cannot be. */
static char *at(uint64_t address, uint64_t length, int file)
{
    for (int i = 0; i < used_windows; i++) {
        struct window *one = windows + i;
        if (one->file == file && address >= one->start && address + length <= one->start + one->length)
            return one->at + (address - one->start);
    }
    uint64_t start = address & ~(uint64_t)(PAGE - 1);
    uint64_t size = (address + length - start + PAGE - 1) & ~(uint64_t)(PAGE - 1);
    if (file == cached && size < (1 << 21)) {
        start = address & ~(uint64_t)((1 << 21) - 1);
        if (address + length <= start + (1 << 21))
            size = 1 << 21;
        else
            start = address & ~(uint64_t)(PAGE - 1);
    }
    if (used_windows == WINDOWS) {
        munmap(windows[0].at, windows[0].length);
        memmove(windows, windows + 1, --used_windows * sizeof *windows);
    }
    void *map = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, file, (off_t)start);
    if (map == MAP_FAILED)
        return NULL;
    windows[used_windows++] = (struct window){start, size, file, map};
    return (char *)map + (address - start);
}

struct pattern { uint64_t length; uint32_t mark; char bytes[PATTERN]; };
static struct pattern patterns[SLOTS];
static char expected[PAGE], zeros[PAGE];

static void lay(const struct pattern *pattern)
{
    for (size_t i = 0; i < PAGE; i += pattern->length)
        memcpy(expected + i, pattern->bytes, pattern->length);
}

/* -- operations --------------------------------------------------------------------------------------- */

static uint64_t number(char **text)
{
    if (**text == ',')
        ++*text;
    return strtoull(*text, text, 16);
}

static size_t bytes_of(char **text, char *into, size_t limit)
{
    size_t count = 0;
    unsigned one;
    if (**text == ',')
        ++*text;
    while (count < limit && sscanf(*text, "%2x", &one) == 1) {
        into[count++] = (char)one;
        *text += 2;
    }
    return count;
}

static void access_memory(char kind, char width, char **text)
{
    uint64_t address = number(text);
    volatile char *place = at(address, (uint64_t)(width - '0'), uncached);
    if (!place) {
        say("!%s", strerror(errno));
        return;
    }
    uint32_t value = kind == 'w' ? (uint32_t)number(text) : 0;
    if (kind == 'w') {
        if (width == '4')
            *(volatile uint32_t *)place = value;
        else if (width == '2')
            *(volatile uint16_t *)place = (uint16_t)value;
        else
            *(volatile uint8_t *)place = (uint8_t)value;
    } else {
        say("%x", width == '4' ? *(volatile uint32_t *)place
                  : width == '2' ? *(volatile uint16_t *)place : *(volatile uint8_t *)place);
    }
}

static void access_port(char kind, char width, char **text)
{
    uint16_t port = (uint16_t)number(text);
    uint32_t value = kind == 'o' ? (uint32_t)number(text) : 0;
    if (kind == 'o') {
        if (width == '4')
            outl(value, port);
        else if (width == '2')
            outw((uint16_t)value, port);
        else
            outb((uint8_t)value, port);
    } else {
        say("%x", width == '4' ? inl(port) : width == '2' ? inw(port) : inb(port));
    }
}

static void read_bytes(char **text)
{
    uint64_t address = number(text), length = number(text);
    char *place = length < ANSWER / 4 ? at(address, length, cached) : NULL;
    if (!place) {
        say("!%s", strerror(errno));
        return;
    }
    for (uint64_t i = 0; i < length; i++)
        say("%02x", (uint8_t)place[i]);
}

static void write_bytes(char **text)
{
    static char data[LINE];
    uint64_t address = number(text);
    size_t count = bytes_of(text, data, sizeof data);
    char *place = at(address, count, cached);
    if (!place)
        say("!%s", strerror(errno));
    else
        memcpy(place, data, count);
}

static struct pattern *slot(char **text)
{
    return patterns + number(text) % SLOTS;
}

static void learn(char **text)
{
    struct pattern *one = slot(text);
    one->mark = (uint32_t)number(text);
    one->length = bytes_of(text, one->bytes, PATTERN);
    if (!one->length || PAGE % one->length)
        say("!a pattern of %d bytes does not fill a page", (int)one->length);
}

/* What a page holds that does not hold what it is to hold. */
static char kind_of(const char *place)
{
    if (!memcmp(place, zeros, PAGE))
        return 'z';
    return memcmp(place, place + 4, PAGE - 4) ? 'd' : 'f';
}

static void tell_run(char kind, uint32_t word, uint64_t first, uint64_t end)
{
    say("%c", kind);
    if (kind == 'f')
        say("%x:", word);
    say("%llx+%llx ", (unsigned long long)first, (unsigned long long)(end - first));
}

static void fill_or_examine(char kind, char **text)
{
    struct pattern *one = slot(text);
    uint64_t page = number(text), end = page + number(text), first = 0;
    uint32_t word = 0, last_word = 0;
    char last = 0;
    if (!one->length) {
        say("!no such pattern");
        return;
    }
    lay(one);
    for (; page < end; page++) {
        char *place = at(page * PAGE, PAGE, cached), found = 0;
        if (!place) {
            say("!%s", strerror(errno));
            return;
        }
        if (one->mark) {
            uint32_t number_of_page = (uint32_t)page;
            memcpy(expected, &one->mark, 4);
            memcpy(expected + 4, &number_of_page, 4);
        }
        if (kind == 'F')
            memcpy(place, expected, PAGE);
        else if (memcmp(place, expected, PAGE))
            found = kind_of(place);
        word = 0;
        if (found == 'f')
            memcpy(&word, place, 4);
        if (found != last || word != last_word) {
            if (last)
                tell_run(last, last_word, first, page);
            first = page, last = found, last_word = word;
        }
    }
    if (last)
        tell_run(last, last_word, first, page);
}

static void check(char **text)
{
    uint64_t address = number(text), length = number(text);
    char *place = at(address, length, cached);
    if (!place)
        say("!%s", strerror(errno));
    else
        say("%x", crc32(place, length));
}

static void read_file(char **text)
{
    static char name[256], data[ANSWER / 4];
    name[bytes_of(text, name, sizeof name - 1)] = 0;
    int file = open(name, O_RDONLY);
    ssize_t got = 0;
    size_t length = 0;
    if (file < 0) {
        say("!%s", strerror(errno));
        return;
    }
    while (length < sizeof data && (got = read(file, data + length, sizeof data - length)) > 0)
        length += (size_t)got;
    close(file);
    for (size_t i = 0; i < length; i++)
        say("%02x", (uint8_t)data[i]);
}

static void carry_out(char *text)
{
    while (*text) {
        char kind = *text++, width = 0;
        if (strchr("rwio", kind))
            width = *text++;
        switch (kind) {
        case 'r': case 'w': access_memory(kind, width, &text); break;
        case 'i': case 'o': access_port(kind, width, &text); break;
        case 'R': read_bytes(&text); break;
        case 'W': write_bytes(&text); break;
        case 'T': learn(&text); break;
        case 'F': case 'E': fill_or_examine(kind, &text); break;
        case 'K': check(&text); break;
        case 'L': read_file(&text); break;
        default: say("!no operation %c", kind);
        }
        if (*text == ';')
            text++, say(";");
        else if (*text) {
            say("!%c is not the end of an operation", *text);
            return;
        }
    }
}

/* Carry a line out, unless it is the last one again, and answer it. */
static void serve(size_t length)
{
    char *begin = memrchr(line, '@', length), *mark = begin ? strrchr(begin, '#') : NULL;
    char *body = begin ? strchr(begin, ':') : NULL;
    if (!mark || !body || body - begin > 16 || strlen(mark) != 9
        || strtoul(mark + 1, NULL, 16) != crc32(begin + 1, (size_t)(mark - begin - 1))) {
        static char bad[] = "\n@?:bad#";
        char text[40];
        put(text, (size_t)snprintf(text, sizeof text, "%s%08x\n", bad, crc32("?:bad", 5)));
        return;
    }
    *mark = *body = 0;
    if (strcmp(begin + 1, last_sequence)) {
        strcpy(last_sequence, begin + 1);
        answer_length = 0;
        say("%s:", last_sequence);
        carry_out(body + 1);
    }
    send();
}

/* As "init" this reaches the machine. With the name of a file, and as any other program, the file is its memory. */
int main(int count, char **names)
{
    const char *memory = getpid() != 1 && count == 2 ? names[1] : "/dev/mem";
    struct termios raw;
    if (getpid() == 1) {
        mount("none", "/dev", "devtmpfs", 0, "");
        mount("none", "/proc", "proc", 0, "");
        mount("none", "/sys", "sysfs", 0, "");
        klogctl(KLOG_OFF, NULL, 0);
    }
    if (!tcgetattr(0, &raw)) {
        cfmakeraw(&raw);
        tcsetattr(0, TCSANOW, &raw);
    }
    cached = open(memory, O_RDWR);
    uncached = open(memory, O_RDWR | O_SYNC);
    if (cached < 0 || uncached < 0)
        say("hello:!%s: %s", memory, strerror(errno));
    else if (getpid() == 1 && iopl(3))
        say("hello:!iopl: %s", strerror(errno));
    else
        say("hello:");
    send();
    for (;;)
        serve(receive());
}
