/*
 * The lines of the protocol over standard streams (docs/test/stdio-protocol.md): what the device and the
 * driver have in common. Nothing in here knows of balloons.
 */
#ifndef LINES_H
#define LINES_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* One command and the answer to it, while it is carried out. */
struct exchange {
    json_t *command;
    json_t *answer;
    bool refused; /* the answer is an error already */
    bool last;    /* the program ends after the answer */
};

struct verb {
    const char *name;
    void (*carry_out)(struct exchange *);
    bool before_start; /* is possible before the first start */
};

struct bytes {
    uint8_t *data;
    size_t length;
};

/* Pages first to first + count - 1, of 4 KiB. */
struct run {
    uint64_t first;
    uint64_t count;
};

struct runs {
    struct run *list;
    size_t count;
};

/* One descriptor of a buffer, as available states it. */
struct segment {
    uint64_t address; /* guest-physical, if it is stated */
    bool stated, writable;
    uint32_t length;
};

/*
 * Answer commands until stop, or until there are no more; returns the exit status of the program.
 * before, where there is one, is told the name of each command before it is carried out.
 */
int serve(const char *role, const struct verb *verbs, size_t count, void (*before)(const char *command));

/* Answer with an error instead: kind is a word of the protocol, words say what is wrong. */
void refuse(struct exchange *x, const char *kind, const char *words, ...)
    __attribute__((format(printf, 3, 4)));

/* Read a field of the command. Where it is missing or of another form they refuse and return false. */
bool get_number(struct exchange *x, const char *name, uint64_t most, uint64_t *number);
bool get_bits(struct exchange *x, const char *name, uint64_t *bits);
bool get_text(struct exchange *x, const char *name, const char **text);
bool get_segment(struct exchange *x, size_t at, struct segment *segment); /* entry at of segments */
bool get_bytes(struct exchange *x, const char *name, struct bytes *bytes); /* free bytes->data */
bool get_pages(struct exchange *x, const char *name, struct runs *pages);  /* free pages->list */
bool get_holes(struct exchange *x, uint64_t page_count, struct runs *holes); /* none where start has none */

/* The number of a feature in the field bits of start; -1 where the profile has no such feature. */
int get_feature_bit(struct exchange *x, const char *feature);

/* Add to the answer. An event is one of json_pack's objects, and is taken over. */
void put(struct exchange *x, const char *name, json_t *value);
void tell(struct exchange *x, json_t *event);

/* Values of the protocol as JSON. */
json_t *bits_value(uint64_t bits);
json_t *bytes_value(const uint8_t *data, size_t length);
void append_run(json_t *pages, uint64_t first, uint64_t count);
void append_segment(json_t *segments, uint64_t address, uint32_t length, bool writable);

/* Memory, or the end of the program. */
void *allocate(size_t count, size_t size);
void *enlarge(void *memory, size_t count, size_t size);
char *copy_text(const char *text);

#endif
