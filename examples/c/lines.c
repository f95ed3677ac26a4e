#define _POSIX_C_SOURCE 200809L
#include "lines.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A page frame number in the field pages, and how many pages: plain JSON numbers, exact up to here. */
#define PAGES_LIMIT (UINT64_C(1) << 53)

void *allocate(size_t count, size_t size)
{
    void *memory = calloc(count ? count : 1, size ? size : 1);

    if (!memory) {
        fputs("out of memory\n", stderr);
        abort();
    }
    return memory;
}

void *enlarge(void *memory, size_t count, size_t size)
{
    void *larger = count <= SIZE_MAX / size ? realloc(memory, count * size) : NULL;

    if (!larger) {
        fputs("out of memory\n", stderr);
        abort();
    }
    return larger;
}

char *copy_text(const char *text)
{
    size_t length = strlen(text) + 1;

    return memcpy(allocate(length, 1), text, length);
}

void refuse(struct exchange *x, const char *kind, const char *words, ...)
{
    char text[256];
    va_list arguments;

    if (x->refused)
        return;
    va_start(arguments, words);
    vsnprintf(text, sizeof text, words, arguments);
    va_end(arguments);
    /* A name may have been cut within a character, and half of one is no text in JSON. */
    for (char *at = text; *at; at++)
        if ((unsigned char)*at >= 0x80)
            *at = '?';
    x->refused = true;
    put(x, "error", json_string(kind));
    put(x, "text", json_string(text));
}

void put(struct exchange *x, const char *name, json_t *value)
{
    if (json_object_set_new(x->answer, name, value))
        abort();
}

void tell(struct exchange *x, json_t *event)
{
    json_t *events = json_object_get(x->answer, "events");

    if (!events) {
        put(x, "events", json_array());
        events = json_object_get(x->answer, "events");
    }
    if (json_array_append_new(events, event))
        abort();
}

json_t *bits_value(uint64_t bits)
{
    char text[24];

    snprintf(text, sizeof text, "0x%llx", (unsigned long long)bits);
    return json_string(text);
}

json_t *bytes_value(const uint8_t *data, size_t length)
{
    static const char digits[] = "0123456789abcdef";
    char *text = allocate(length, 2);
    json_t *value;

    for (size_t at = 0; at < length; at++) {
        text[2 * at] = digits[data[at] >> 4];
        text[2 * at + 1] = digits[data[at] & 15];
    }
    value = json_stringn(text, 2 * length);
    free(text);
    return value;
}

void append_run(json_t *pages, uint64_t first, uint64_t count)
{
    json_array_append_new(pages, json_pack("[I, I]", (json_int_t)first, (json_int_t)count));
}

void append_segment(json_t *segments, uint64_t address, uint32_t length, bool writable)
{
    json_t *segment = json_pack("{s:o, s:I}", "address", bits_value(address), "length", (json_int_t)length);

    if (writable)
        json_object_set_new(segment, "writable", json_true());
    json_array_append_new(segments, segment);
}

static bool wrong(struct exchange *x, const char *name, const char *expected)
{
    refuse(x, "refused", "%s: expected %s", name, expected);
    return false;
}

static bool is_number(const json_t *value, uint64_t most, uint64_t *number)
{
    if (!json_is_integer(value) || json_integer_value(value) < 0)
        return false;
    *number = (uint64_t)json_integer_value(value);
    return *number <= most;
}

bool get_number(struct exchange *x, const char *name, uint64_t most, uint64_t *number)
{
    return is_number(json_object_get(x->command, name), most, number) || wrong(x, name, "a number in range");
}

bool get_text(struct exchange *x, const char *name, const char **text)
{
    *text = json_string_value(json_object_get(x->command, name));
    return *text || wrong(x, name, "a string");
}

static bool is_bits(const json_t *value, uint64_t *bits)
{
    const char *text = json_string_value(value);
    size_t digits = text && !strncmp(text, "0x", 2) ? strlen(text + 2) : 0;

    if (!digits || digits > 16 || strspn(text + 2, "0123456789abcdef") != digits)
        return false;
    *bits = strtoull(text + 2, NULL, 16);
    return true;
}

bool get_bits(struct exchange *x, const char *name, uint64_t *bits)
{
    return is_bits(json_object_get(x->command, name), bits) || wrong(x, name, "0x and 1 to 16 hex digits");
}

bool get_segment(struct exchange *x, size_t at, struct segment *segment)
{
    const json_t *given = json_array_get(json_object_get(x->command, "segments"), at);
    const json_t *address = json_object_get(given, "address");
    uint64_t length;

    segment->stated = address != NULL;
    segment->writable = json_is_true(json_object_get(given, "writable"));
    if (!is_number(json_object_get(given, "length"), UINT32_MAX, &length) ||
        (address && !is_bits(address, &segment->address)))
        return wrong(x, "segments", "objects with a length and perhaps an address");
    segment->length = (uint32_t)length;
    return true;
}

static int digit(char letter)
{
    if (letter >= '0' && letter <= '9')
        return letter - '0';
    if (letter >= 'a' && letter <= 'f')
        return letter - 'a' + 10;
    if (letter >= 'A' && letter <= 'F')
        return letter - 'A' + 10;
    return -1;
}

bool get_bytes(struct exchange *x, const char *name, struct bytes *bytes)
{
    const json_t *value = json_object_get(x->command, name);
    const char *text = json_string_value(value);

    if (!text || json_string_length(value) % 2)
        return wrong(x, name, "pairs of hex digits");
    bytes->length = json_string_length(value) / 2;
    bytes->data = allocate(bytes->length, 1);
    for (size_t at = 0; at < bytes->length; at++) {
        int high = digit(text[2 * at]), low = digit(text[2 * at + 1]);

        if (high < 0 || low < 0) {
            free(bytes->data);
            return wrong(x, name, "pairs of hex digits");
        }
        bytes->data[at] = (uint8_t)(high << 4 | low);
    }
    return true;
}

bool get_pages(struct exchange *x, const char *name, struct runs *pages)
{
    const json_t *value = json_object_get(x->command, name);
    size_t count = json_array_size(value);

    if (!json_is_array(value))
        return wrong(x, name, "a list of runs [first, count]");
    pages->list = allocate(count, sizeof *pages->list);
    pages->count = count;
    for (size_t at = 0; at < count; at++) {
        const json_t *pair = json_array_get(value, at);
        struct run *run = &pages->list[at];

        if (json_array_size(pair) != 2 ||
            !is_number(json_array_get(pair, 0), PAGES_LIMIT - 1, &run->first) ||
            !is_number(json_array_get(pair, 1), PAGES_LIMIT, &run->count) || !run->count) {
            free(pages->list);
            return wrong(x, name, "a list of runs [first, count]");
        }
    }
    return true;
}

bool get_holes(struct exchange *x, uint64_t page_count, struct runs *holes)
{
    *holes = (struct runs){0};
    if (!json_object_get(x->command, "memory_holes"))
        return true;
    if (!get_pages(x, "memory_holes", holes))
        return false;
    for (size_t at = 0; at < holes->count; at++)
        if (holes->list[at].first >= page_count || holes->list[at].count > page_count - holes->list[at].first) {
            free(holes->list);
            return wrong(x, "memory_holes", "runs below memory_pages");
        }
    return true;
}

int get_feature_bit(struct exchange *x, const char *feature)
{
    const json_t *bits = json_object_get(x->command, "bits");
    const json_t *value = json_object_get(bits, feature);
    uint64_t number;

    if (!json_is_object(bits)) {
        wrong(x, "bits", "an object of features with their bit numbers");
        return -1;
    }
    if (!value)
        return -1;
    if (!is_number(value, 63, &number)) {
        wrong(x, "bits", "bit numbers from 0 to 63");
        return -1;
    }
    return (int)number;
}

static void carry_out(struct exchange *x, const char *role, const struct verb *verbs, size_t count,
                      void (*before)(const char *command), bool *started)
{
    const char *name;

    if (!json_is_object(x->command)) {
        refuse(x, "refused", "this is not a JSON object");
        return;
    }
    if (!get_text(x, "command", &name))
        return;
    for (size_t at = 0; at < count; at++) {
        if (strcmp(verbs[at].name, name))
            continue;
        if (!*started && !verbs[at].before_start) {
            refuse(x, "refused", "start comes first");
            return;
        }
        if (before)
            before(name);
        verbs[at].carry_out(x);
        if (!strcmp(name, "start") && !x->refused)
            *started = true;
        return;
    }
    refuse(x, "unknown-command", "a %s has no command %.40s", role, name);
}

int serve(const char *role, const struct verb *verbs, size_t count, void (*before)(const char *command))
{
    char *line = NULL;
    size_t room = 0;
    ssize_t length;
    uint64_t sequence = 0;
    bool started = false, last = false;

    while (!last && (length = getline(&line, &room, stdin)) > 0) {
        struct exchange x = {.answer = json_object()};
        uint64_t found;

        x.command = json_loadb(line, (size_t)length, JSON_REJECT_DUPLICATES, NULL);
        sequence++;
        if (is_number(json_object_get(x.command, "seq"), INT64_MAX, &found) && found)
            sequence = found;
        put(&x, "seq", json_integer((json_int_t)sequence));
        carry_out(&x, role, verbs, count, before, &started);
        if (json_dumpf(x.answer, stdout, JSON_COMPACT) || putchar('\n') == EOF || fflush(stdout))
            last = true;
        last = last || x.last;
        json_decref(x.command);
        json_decref(x.answer);
    }
    free(line);
    return ferror(stdout) ? EXIT_FAILURE : EXIT_SUCCESS;
}
