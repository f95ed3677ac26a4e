/*
 * The virtqueues of a balloon and their indices, for the device and the driver, and the words of the configuration
 * space that hinting and page poison add.
 */
#ifndef QUEUES_H
#define QUEUES_H

#include "lines.h"

#include <string.h>

enum queue { INFLATE, DEFLATE, STATISTICS, HOST_REQUEST, FREE_PAGE, REPORTING, QUEUES };

/* Every word of the configuration space is a le32. */
enum {
    HINT_ID_OFFSET = 8,  /* free_page_hint_cmd_id, with FREE_PAGE_HINT */
    POISON_OFFSET = 12,  /* poison_val, with PAGE_POISON */
    CONFIG_BYTES = 16,   /* with both */
};

/* What free_page_hint_cmd_id says, and what a command says on the hinting queue. */
enum { HINTS_STOP = 0, HINTS_DONE = 1, HINTS_FIRST_ID = 2 };

struct features {
    int tell, stats, oom, chunks, requests, hints, poison, reporting, version_1; /* bit numbers, or -1 */
};

struct numbering {
    int place[QUEUES];   /* in the list; -1 if the profile lacks the queue */
    int feature[QUEUES]; /* the bit on which it depends, -1 for none */
    bool dense, by_offered;
};

static inline bool is_set(uint64_t features, int bit)
{
    return bit >= 0 && features >> bit & 1;
}

static inline struct features get_features(struct exchange *x)
{
    return (struct features){
        .tell = get_feature_bit(x, "MUST_TELL_HOST"),
        .stats = get_feature_bit(x, "STATS_VQ"),
        .oom = get_feature_bit(x, "DEFLATE_ON_OOM"),
        .chunks = get_feature_bit(x, "CHUNK_TRANSFER"),
        .requests = get_feature_bit(x, "HOST_REQ_VQ"),
        .hints = get_feature_bit(x, "FREE_PAGE_HINT"),
        .poison = get_feature_bit(x, "PAGE_POISON"),
        .reporting = get_feature_bit(x, "PAGE_REPORTING"),
        .version_1 = get_feature_bit(x, "VERSION_1"),
    };
}

/* The bits of those features that the profile has. */
static inline uint64_t all_of(const struct features *bits)
{
    const int each[] = {bits->tell,  bits->stats,  bits->oom,       bits->chunks,   bits->requests,
                        bits->hints, bits->poison, bits->reporting, bits->version_1};
    uint64_t all = 0;

    for (size_t at = 0; at < sizeof each / sizeof *each; at++)
        if (each[at] >= 0)
            all |= UINT64_C(1) << each[at];
    return all;
}

static inline struct numbering get_numbering(struct exchange *x, const struct features *bits)
{
    static const char *const names[QUEUES] = {"inflate", "deflate", "statistics", "host-request", "free-page",
                                              "reporting"};
    const json_t *places = json_object_get(x->command, "queues");
    const char *how = json_string_value(json_object_get(x->command, "numbering"));
    struct numbering numbering = {
        .feature = {-1, -1, bits->stats, bits->requests, bits->hints, bits->reporting},
        .dense = how && strcmp(how, "fixed"),
        .by_offered = how && !strcmp(how, "dense-offered"),
    };

    for (int queue = 0; queue < QUEUES; queue++) {
        const json_t *place = json_object_get(places, names[queue]);

        numbering.place[queue] = json_is_integer(place) ? (int)json_integer_value(place) : -1;
    }
    return numbering;
}

static inline bool queue_exists(const struct numbering *numbering, int queue, uint64_t features)
{
    return numbering->place[queue] >= 0 &&
           (queue == INFLATE || queue == DEFLATE || is_set(features, numbering->feature[queue]));
}

/* The index of a queue: its place, or how many queues stand before it of those that exist or were offered. */
static inline unsigned queue_index(const struct numbering *numbering, int queue, uint64_t offered, uint64_t accepted)
{
    unsigned before = 0;

    if (!numbering->dense)
        return (unsigned)numbering->place[queue];
    for (int other = 0; other < QUEUES; other++)
        if (queue_exists(numbering, other, numbering->by_offered ? offered : accepted) &&
            numbering->place[other] < numbering->place[queue])
            before++;
    return before;
}

/* The queue with an index; -1 if there is none. */
static inline int queue_at(const struct numbering *numbering, uint64_t index, uint64_t offered, uint64_t accepted)
{
    for (int queue = 0; queue < QUEUES; queue++)
        if (queue_exists(numbering, queue, accepted) && queue_index(numbering, queue, offered, accepted) == index)
            return queue;
    return -1;
}

#endif
