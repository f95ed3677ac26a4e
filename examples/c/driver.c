/*
 * A virtio-balloon driver and a guest around it, behind the protocol over standard streams: with chunk transfer, or
 * with what today's drivers have, which is free page hinting, page poison and page reporting.
 *
 * Written from the requirements; the comments name those that a piece of code keeps. Guest memory is
 * real, and the driver's buffers lie in it. Which pages the guest gives up is told by the suite; with
 * the argument --free the guest chooses for itself, and can be told to use memory.
 */
#define _DEFAULT_SOURCE
#include "lines.h"
#include "queues.h"
#include "virtio_balloon_chunk.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define RING_BUFFERS 16       /* as many buffers of a queue are in flight at once (QUEUE-08) */
#define MESSAGE_CHUNKS 2048   /* of one message: eight pages of chunks */
#define ARRAY_ENTRIES 256     /* of one array of page frame numbers */
#define FIRST_FREE_PAGE 0x100 /* what lies below is the platform's */
#define SPARE_PAGES 1024      /* what a guest keeps for itself, however large the target is */
#define OOM_PAGES 256         /* taken out of the balloon when memory is short */
#define COMPACT_PAGES 64      /* moved by one compaction */
#define PAGE_BYTES (UINT64_C(1) << VIRTIO_BALLOON_PFN_SHIFT)
#define POISON 0x01020304     /* with what the guest fills its free pages */
#define REPORT_RANGES 32      /* of one report */
#define OWN_REPORT_PAGES 64   /* reported by a guest that nobody tells what is free */
#define HINT_PAGES 1024       /* of one hint: the largest block of a guest with pages of 4 KiB */
#define MOST_FILLED (1 << 15)   /* taken at the most by a guest that fills its memory */
#define MOST_PAGES (UINT64_C(1) << 28)

/* What a page is to the guest, and what the guest wants of it. */
enum page_state {
    PAGE_FREE,
    PAGE_TAKEN,     /* in use by the guest, or by the driver for its buffers */
    PAGE_INFLATING, /* named in an inflate buffer in flight */
    PAGE_BALLOON,
    PAGE_DEFLATING, /* named in a deflate buffer in flight */
    PAGE_REPORTED,  /* in a report in flight */
    PAGE_ABSENT,    /* in a hole of guest memory */
};

enum page_wish {
    WISH_INFLATE = 1, /* to be given up once the target asks for it */
    WISH_DEFLATE = 2, /* wanted back once the target allows it */
    WISH_UNUSED = 4,  /* named when the device asks for unused pages, or for hints */
    WISH_REPORT = 8,  /* to be reported */
    PAGE_HINTED = 16, /* and not the guest's again, unless it takes the page back */
};

/* A round of hints. It is ended with 0, which may have to wait for room in the virtqueue. */
enum round { ROUND_IDLE, ROUND_HINTING, ROUND_ENDING };

/* A buffer in flight: guest pages first to first + count - 1, of which length bytes are readable. */
struct buffer {
    struct buffer *next;
    enum queue queue;
    char name[24];
    uint64_t first, count;
    uint32_t length, writable;
    bool done;         /* the last message of an exchange */
    struct runs pages; /* what it names in its bytes, or where its device-writable descriptors are */
};

/* Pages the guest took under a name. */
struct allocation {
    struct allocation *next;
    char *name;
    struct runs pages;
};

static struct {
    bool free_running;
    struct features bit;
    struct numbering numbering;
    uint64_t offered, accepted;
    bool running; /* DRIVER_OK is set */

    uint8_t *memory;
    uint8_t *state, *wish; /* enum page_state and enum page_wish, a byte a page */
    uint64_t page_count;
    uint64_t pool; /* the first page of those kept for buffers, at the end of memory */
    bool unused_told;

    struct buffer *in_flight;
    unsigned in_flight_count[QUEUES];
    unsigned long names;

    uint32_t target, actual; /* num_pages as read, actual as written */
    uint64_t counts[PAGE_ABSENT + 1];

    enum round round;
    uint32_t hint_register, hint_answered; /* what it held last, and the id that was sent last */
    bool relies;       /* the guest relies on what it left in its free pages */
    bool reported_own; /* what a guest reports by itself, once */

    bool exchange; /* a request is being answered */
    bool done_sent;
    uint16_t exchange_id;
    uint64_t exchange_next; /* pages below were named already */

    struct allocation *allocations;
    bool short_of_memory; /* no inflation until the target changes */
    uint64_t moving;      /* pages that compaction is putting others in place of */
    bool compacting;
} driver;

static bool has(int bit)
{
    return is_set(driver.accepted, bit);
}

static unsigned index_of(enum queue queue)
{
    return queue_index(&driver.numbering, queue, driver.offered, driver.accepted);
}

/* Fill pages with poison_val, if the device was told of it (POISON-04, REPORT-03). */
static void poison(const struct runs *pages)
{
    for (size_t at = 0; has(driver.bit.poison) && at < pages->count; at++)
        for (uint64_t byte = 0; byte < pages->list[at].count * PAGE_BYTES; byte += 4)
            virtio_balloon_store_le32(driver.memory + pages->list[at].first * PAGE_BYTES + byte, POISON);
}

static void set_state(uint64_t first, uint64_t count, enum page_state state)
{
    for (uint64_t pfn = first; pfn < first + count; pfn++) {
        driver.counts[driver.state[pfn]]--;
        driver.counts[state]++;
        driver.state[pfn] = (uint8_t)state;
    }
}

static void set_states(const struct runs *pages, enum page_state state)
{
    for (size_t at = 0; at < pages->count; at++)
        set_state(pages->list[at].first, pages->list[at].count, state);
}

static bool exist(const struct run *pages)
{
    if (pages->first >= driver.page_count || pages->count > driver.page_count - pages->first)
        return false;
    for (uint64_t pfn = pages->first; pfn < pages->first + pages->count; pfn++)
        if (driver.state[pfn] == PAGE_ABSENT)
            return false;
    return true;
}

/* Add a page behind the others; one that follows the last makes its run longer. */
static void add_page(struct runs *pages, uint64_t pfn)
{
    struct run *last = pages->count ? &pages->list[pages->count - 1] : NULL;

    if (last && last->first + last->count == pfn) {
        last->count++;
        return;
    }
    if ((pages->count & (pages->count + 1)) == 0)
        pages->list = enlarge(pages->list, 2 * pages->count + 1, sizeof *pages->list);
    pages->list[pages->count++] = (struct run){pfn, 1};
}

static void clear_runs(struct runs *pages)
{
    free(pages->list);
    *pages = (struct runs){0};
}

/* Buffers. Each has pages of its own, and nobody touches them until it comes back (BUF-01, BUF-05, CONC-01). */

static struct buffer *named_buffer(enum queue queue, uint32_t length, uint32_t writable)
{
    struct buffer *buffer = allocate(1, sizeof *buffer);

    buffer->queue = queue;
    buffer->length = length;
    buffer->writable = writable;
    snprintf(buffer->name, sizeof buffer->name, "b%lu", ++driver.names);
    return buffer;
}

static struct buffer *new_buffer(enum queue queue, uint32_t length, uint32_t writable)
{
    uint64_t count = (length + writable + PAGE_BYTES - 1) / PAGE_BYTES, found = 0, pfn;
    struct buffer *buffer;

    for (pfn = driver.pool; pfn < driver.page_count && found < count; pfn++)
        found = driver.state[pfn] == PAGE_FREE ? found + 1 : 0;
    if (found < count || driver.in_flight_count[queue] == RING_BUFFERS)
        return NULL;
    buffer = named_buffer(queue, length, writable);
    buffer->first = pfn - count;
    buffer->count = count;
    set_state(buffer->first, count, PAGE_TAKEN);
    return buffer;
}

static uint8_t *memory_of(const struct buffer *buffer)
{
    return driver.memory + buffer->first * PAGE_BYTES;
}

/* Where a buffer lies: in memory of its own, or in the pages that it lends the device. */
static json_t *segments_of(const struct buffer *buffer)
{
    json_t *segments = json_array();

    if (buffer->count)
        append_segment(segments, buffer->first * PAGE_BYTES, buffer->length + buffer->writable, !buffer->length);
    for (size_t at = 0; !buffer->count && at < buffer->pages.count; at++)
        append_segment(segments, buffer->pages.list[at].first * PAGE_BYTES,
                       (uint32_t)(buffer->pages.list[at].count * PAGE_BYTES), true);
    return segments;
}

/* Make the buffer available. The device is notified only once DRIVER_OK is set (QUEUE-09). */
static void make_available(struct exchange *x, struct buffer *buffer)
{
    json_t *event = json_pack("{s:s, s:i, s:s, s:o, s:I, s:o}", "event", "available", "queue",
                              (int)index_of(buffer->queue), "buffer", buffer->name, "readable",
                              bytes_value(memory_of(buffer), buffer->length), "writable",
                              (json_int_t)buffer->writable, "segments", segments_of(buffer));

    json_object_set_new(event, "notify", json_boolean(driver.running));
    tell(x, event);
    buffer->next = driver.in_flight;
    driver.in_flight = buffer;
    driver.in_flight_count[buffer->queue]++;
}

static struct buffer **find_in_flight(uint64_t index, const char *name)
{
    struct buffer **at = &driver.in_flight;

    while (*at && (index_of((*at)->queue) != index || strcmp((*at)->name, name)))
        at = &(*at)->next;
    return at;
}

static void release(struct buffer *buffer)
{
    set_state(buffer->first, buffer->count, PAGE_FREE);
    free(buffer->pages.list);
    free(buffer);
}

/* A message: the header is zero where it has no meaning (HDR-04), reserved bits always are (CHUNK-03). */
static struct buffer *new_message(enum queue queue, const struct runs *pages)
{
    uint32_t data_len = (uint32_t)(pages->count * sizeof(struct virtio_balloon_chunk));
    struct buffer *buffer = new_buffer(queue, (uint32_t)sizeof(struct virtio_balloon_response_header) + data_len, 0);
    struct virtio_balloon_response_header *header;
    struct virtio_balloon_chunk *chunks;

    if (!buffer)
        return NULL;
    header = (struct virtio_balloon_response_header *)memory_of(buffer);
    chunks = (struct virtio_balloon_chunk *)(header + 1);
    memset(header, 0, sizeof *header);
    virtio_balloon_response_header_set_data_len(header, data_len);
    for (size_t at = 0; at < pages->count; at++) {
        virtio_balloon_chunk_set_base(&chunks[at], pages->list[at].first << VIRTIO_BALLOON_PFN_SHIFT);
        virtio_balloon_chunk_set_size(&chunks[at], pages->list[at].count << VIRTIO_BALLOON_PFN_SHIFT);
    }
    return buffer;
}

/* An array of page frame numbers, which is what inflate and deflate carry without CHUNK_TRANSFER (PFN-01). */
static struct buffer *new_array(enum queue queue, const struct runs *pages)
{
    uint64_t total = 0;
    struct buffer *buffer;
    uint8_t *entry;

    for (size_t at = 0; at < pages->count; at++)
        total += pages->list[at].count;
    buffer = new_buffer(queue, (uint32_t)total * VIRTIO_BALLOON_PFN_BYTES, 0);
    if (!buffer)
        return NULL;
    entry = memory_of(buffer);
    for (size_t at = 0; at < pages->count; at++)
        for (uint64_t pfn = pages->list[at].first; pfn < pages->list[at].first + pages->list[at].count; pfn++) {
            virtio_balloon_store_le32(entry, (uint32_t)pfn);
            entry += VIRTIO_BALLOON_PFN_BYTES;
        }
    return buffer;
}

/* The balloon. */

/* Whether one more page still fits the buffer that pages are collected for. */
static bool fits(const struct runs *pages, uint64_t total)
{
    return has(driver.bit.chunks) ? pages->count < MESSAGE_CHUNKS : total < ARRAY_ENTRIES;
}

/* The page a guest gives up next, or takes back next; -1 where there is none. */
static int64_t next_page(enum queue queue, int64_t last)
{
    bool inflate = queue == INFLATE;
    enum page_state from = inflate ? PAGE_FREE : PAGE_BALLOON;
    uint8_t wish = inflate ? WISH_INFLATE : WISH_DEFLATE;
    uint64_t start = driver.free_running ? FIRST_FREE_PAGE : 0;
    uint64_t end = driver.free_running ? driver.pool : driver.page_count;
    bool any = driver.free_running && (inflate || !driver.compacting);

    if (last >= 0)
        start = (uint64_t)last + 1;
    for (uint64_t pfn = start; pfn < end; pfn++)
        if (driver.state[pfn] == from && (any || driver.wish[pfn] & wish))
            return (int64_t)pfn;
    return -1;
}

/* Name up to most pages in buffers of the queue; false where none could be named. */
static bool send_pages(struct exchange *x, enum queue queue, uint64_t most)
{
    bool inflate = queue == INFLATE;
    struct runs pages = {0};
    struct buffer *buffer;
    int64_t pfn = -1;

    if (driver.in_flight_count[queue] == RING_BUFFERS)
        return false;
    for (uint64_t total = 0; total < most && fits(&pages, total); total++) {
        pfn = next_page(queue, pfn);
        if (pfn < 0)
            break;
        add_page(&pages, (uint64_t)pfn);
    }
    if (!pages.count) /* INF-02, DEF-02, PFN-02 */
        return false;
    buffer = has(driver.bit.chunks) ? new_message(queue, &pages) : new_array(queue, &pages);
    if (!buffer) {
        clear_runs(&pages);
        return false;
    }
    set_states(&pages, inflate ? PAGE_INFLATING : PAGE_DEFLATING);
    for (size_t at = 0; at < pages.count; at++)
        for (uint64_t one = pages.list[at].first; one < pages.list[at].first + pages.list[at].count; one++)
            driver.wish[one] &= (uint8_t)~(inflate ? WISH_INFLATE : WISH_DEFLATE);
    buffer->pages = pages;
    make_available(x, buffer);
    return true;
}

/* Pages that the guest can spare. */
static uint64_t spare(void)
{
    if (!driver.free_running)
        return driver.page_count;
    return driver.counts[PAGE_FREE] > SPARE_PAGES ? driver.counts[PAGE_FREE] - SPARE_PAGES : 0;
}

/*
 * Bring the balloon nearer to the target (INF-10, DEF-10). A page goes from one queue to the other only
 * after its buffer came back: it is in no state in which the other would take it (DEF-03).
 */
static void balance(struct exchange *x)
{
    for (;;) {
        uint64_t target = driver.target + driver.moving;
        uint64_t coming = driver.counts[PAGE_BALLOON] + driver.counts[PAGE_INFLATING];
        uint64_t most = target > coming ? target - coming : 0;

        most = most < spare() ? most : spare();
        if (driver.short_of_memory || !most || !send_pages(x, INFLATE, most))
            break;
    }
    while (driver.counts[PAGE_BALLOON] > driver.target + driver.moving && /* DEF-09 */
           send_pages(x, DEFLATE, driver.counts[PAGE_BALLOON] - driver.target - driver.moving))
        ;
}

/* Count what is in the balloon (CFG-05): one store of four bytes (CFG-03), when the number changed (CFG-04). */
static void write_actual(struct exchange *x)
{
    uint32_t now = (uint32_t)(driver.counts[PAGE_BALLOON] + driver.counts[PAGE_DEFLATING]);
    struct virtio_balloon_config config;

    if (now == driver.actual)
        return;
    driver.actual = now;
    virtio_balloon_config_set_actual(&config, now);
    tell(x, json_pack("{s:s, s:i, s:o}", "event", "configuration-written", "offset",
                      (int)offsetof(struct virtio_balloon_config, actual), "data",
                      bytes_value(config.actual, sizeof config.actual)));
}

static void read_target(struct exchange *x, const struct virtio_balloon_config *config)
{
    uint32_t target = virtio_balloon_config_num_pages(config);

    if (target != driver.target)
        driver.short_of_memory = false;
    driver.target = target;
    tell(x, json_pack("{s:s, s:i, s:o}", "event", "configuration-read", "offset",
                      (int)offsetof(struct virtio_balloon_config, num_pages), "data",
                      bytes_value(config->num_pages, sizeof config->num_pages)));
}

/* Statistics: the same tags each time (STATS-05), in one buffer (STATS-02). */
static void send_statistics(struct exchange *x)
{
    const struct {
        uint16_t tag;
        uint64_t value;
    } numbers[] = {
        {VIRTIO_BALLOON_S_MEMFREE, driver.counts[PAGE_FREE] * PAGE_BYTES},
        {VIRTIO_BALLOON_S_MEMTOT, (driver.page_count - driver.counts[PAGE_ABSENT]) * PAGE_BYTES},
        {VIRTIO_BALLOON_S_AVAIL, driver.counts[PAGE_FREE] * PAGE_BYTES},
        {VIRTIO_BALLOON_S_CACHES, 0},
    };
    size_t count = sizeof numbers / sizeof *numbers;
    struct buffer *buffer = new_buffer(STATISTICS,
                                       (uint32_t)(count * sizeof(struct virtio_balloon_stat)), 0);
    struct virtio_balloon_stat *entries;

    if (!buffer)
        return;
    entries = (struct virtio_balloon_stat *)memory_of(buffer);
    for (size_t at = 0; at < count; at++) {
        virtio_balloon_stat_set_tag(&entries[at], numbers[at].tag);
        virtio_balloon_stat_set_value(&entries[at], numbers[at].value);
    }
    make_available(x, buffer);
}

/* Host requests. */

/* One buffer of 16 bytes to write to and nothing to read (REQ-02). */
static void post_request_buffer(struct exchange *x)
{
    struct buffer *buffer =
        new_buffer(HOST_REQUEST, 0, sizeof(struct virtio_balloon_host_request));

    if (buffer) {
        memset(memory_of(buffer), 0, buffer->writable);
        make_available(x, buffer);
    }
}

/* A page the guest does not use: never one of the balloon, nor on its way there (UNUSED-02). */
static bool is_unused(uint64_t pfn)
{
    if (driver.state[pfn] != PAGE_FREE)
        return false;
    return driver.unused_told ? driver.wish[pfn] & WISH_UNUSED : pfn >= FIRST_FREE_PAGE && pfn < driver.pool;
}

/*
 * Name unused pages, each once (UNUSED-04), whatever else is in flight (CONC-02, CONC-03), until DONE is
 * on its way. CONT always has chunks (REQ-12); DONE has those that are left, or none.
 */
static void answer_request(struct exchange *x)
{
    while (driver.exchange && !driver.done_sent) {
        struct runs pages = {0};
        uint64_t pfn = driver.exchange_next;
        struct virtio_balloon_response_header *header;
        struct buffer *buffer;

        for (; pfn < driver.page_count; pfn++) {
            if (!is_unused(pfn))
                continue;
            if (pages.count == MESSAGE_CHUNKS &&
                pages.list[MESSAGE_CHUNKS - 1].first + pages.list[MESSAGE_CHUNKS - 1].count != pfn)
                break;
            add_page(&pages, pfn);
        }
        buffer = new_message(HOST_REQUEST, &pages);
        clear_runs(&pages);
        if (!buffer)
            return; /* the ring is full; a buffer that comes back makes room */
        driver.exchange_next = pfn;
        driver.done_sent = buffer->done = pfn == driver.page_count;
        header = (struct virtio_balloon_response_header *)memory_of(buffer);
        virtio_balloon_response_header_set_cmd(header, VIRTIO_BALLOON_CMD_GET_UNUSED_PAGES);
        virtio_balloon_response_header_set_flag(header,
                                                buffer->done ? VIRTIO_BALLOON_FLAG_DONE : VIRTIO_BALLOON_FLAG_CONT);
        virtio_balloon_response_header_set_id(header, driver.exchange_id);
        make_available(x, buffer);
    }
}

/* What is no request, or an unknown one, is answered by the request buffer alone (REQ-14, REQ-15). */
static void take_request(struct exchange *x, uint64_t length, const struct bytes *written)
{
    const struct virtio_balloon_host_request *request = (const struct virtio_balloon_host_request *)written->data;

    if (length != sizeof *request || written->length != sizeof *request ||
        virtio_balloon_host_request_cmd(request) != VIRTIO_BALLOON_CMD_GET_UNUSED_PAGES) {
        post_request_buffer(x);
        return;
    }
    driver.exchange = true;
    driver.done_sent = false;
    driver.exchange_id = (uint16_t)virtio_balloon_host_request_param(request); /* the low 16 bits (REQ-08) */
    driver.exchange_next = 0;
}

/* Free page hinting. */

/* Whether a buffer of the queue can be in flight beside those that are. */
static bool has_room(enum queue queue, unsigned others)
{
    return driver.in_flight_count[queue] + others < RING_BUFFERS;
}

/* 0, or the id that the device published: 4 bytes, little-endian as this guest is (HINT-01, HINT-30, HINT-31). */
static void send_command(struct exchange *x, uint32_t id)
{
    struct buffer *buffer = new_buffer(FREE_PAGE, 4, 0);

    if (!buffer)
        return;
    virtio_balloon_store_le32(memory_of(buffer), id);
    make_available(x, buffer);
}

/* The next block of pages to hint: free (HINT-13), whole, a power of two of them, aligned to its size (HINT-32). */
static struct run next_block(uint64_t from)
{
    for (uint64_t pfn = from; pfn < driver.page_count; pfn++) {
        uint64_t count = 0, size = 1;

        while (count < HINT_PAGES && pfn + count < driver.page_count && is_unused(pfn + count) &&
               !(driver.wish[pfn + count] & PAGE_HINTED))
            count++;
        if (!count)
            continue;
        while (2 * size <= count && pfn % (2 * size) == 0)
            size *= 2;
        return (struct run){pfn, size};
    }
    return (struct run){0};
}

/* Lend the pages to the device: one device-writable descriptor for each run (HINT-11, REPORT-08, REPORT-10). */
static void lend(struct exchange *x, enum queue queue, const struct runs *pages)
{
    uint64_t count = 0;
    struct buffer *buffer;

    for (size_t at = 0; at < pages->count; at++)
        count += pages->list[at].count;
    buffer = named_buffer(queue, 0, (uint32_t)(count * PAGE_BYTES));
    buffer->pages = *pages;
    make_available(x, buffer);
}

/*
 * Go on with the round: hint while there are pages (HINT-04), and leave room for the command that ends it. Then send 0
 * (HINT-06), and begin with the next id if there is one by now.
 */
static void go_on_hinting(struct exchange *x)
{
    struct run block = {0};

    while (driver.round == ROUND_HINTING && has_room(FREE_PAGE, 1)) {
        struct runs pages = {0};

        block = next_block(block.first);
        if (!block.count) {
            driver.round = ROUND_ENDING;
            break;
        }
        for (uint64_t pfn = block.first; pfn < block.first + block.count; pfn++) {
            driver.wish[pfn] |= PAGE_HINTED;
            add_page(&pages, pfn);
        }
        lend(x, FREE_PAGE, &pages);
    }
    if (driver.round == ROUND_ENDING && has_room(FREE_PAGE, 0)) {
        send_command(x, HINTS_STOP);
        driver.round = ROUND_IDLE;
    }
    /* An id is sent once for each time that it is published (HINT-03), and before any hint (HINT-02). */
    if (driver.round == ROUND_IDLE && driver.hint_register >= HINTS_FIRST_ID &&
        driver.hint_register != driver.hint_answered && has_room(FREE_PAGE, 1)) {
        driver.hint_answered = driver.hint_register;
        driver.round = ROUND_HINTING;
        send_command(x, driver.hint_answered);
        go_on_hinting(x);
    }
}

/* Read free_page_hint_cmd_id, which is the device's to write (HINT-14), and do as it says. */
static void read_hint_id(struct exchange *x, const struct bytes *config)
{
    const uint8_t *word = config->data + HINT_ID_OFFSET;
    uint32_t id;

    if (!has(driver.bit.hints) || config->length < HINT_ID_OFFSET + 4)
        return;
    id = virtio_balloon_load_le32(word);
    tell(x, json_pack("{s:s, s:i, s:o}", "event", "configuration-read", "offset", HINT_ID_OFFSET, "data",
                      bytes_value(word, 4)));
    if (id != driver.hint_register && driver.round == ROUND_HINTING)
        driver.round = ROUND_ENDING; /* STOP and DONE end the round (HINT-05), and so does another id */
    if (id < HINTS_FIRST_ID)
        driver.hint_answered = HINTS_STOP;
    if (id == HINTS_DONE) /* HINT-10 */
        for (uint64_t pfn = 0; pfn < driver.page_count; pfn++)
            driver.wish[pfn] &= (uint8_t)~PAGE_HINTED;
    driver.hint_register = id;
    go_on_hinting(x);
}

/* Page reporting. */

/*
 * Report free pages, in as few and as long ranges as there are (REPORT-06). They are nobody's until the report is back
 * (REPORT-04, REPORT-09), and hold poison_val by then if the device was told of it (REPORT-03).
 */
static void report(struct exchange *x)
{
    uint64_t pfn = 0;

    while (driver.running && has(driver.bit.reporting) && has_room(REPORTING, 0)) {
        struct runs pages = {0};

        for (; pfn < driver.page_count; pfn++) {
            const struct run *last = pages.count ? &pages.list[pages.count - 1] : NULL;

            if (!(driver.wish[pfn] & WISH_REPORT))
                continue;
            if (driver.state[pfn] != PAGE_FREE) {
                driver.wish[pfn] &= (uint8_t)~WISH_REPORT; /* it is not free any more */
                continue;
            }
            if (pages.count == REPORT_RANGES && last->first + last->count != pfn)
                break;
            driver.wish[pfn] &= (uint8_t)~WISH_REPORT;
            add_page(&pages, pfn);
        }
        if (!pages.count)
            return;
        poison(&pages);
        set_states(&pages, PAGE_REPORTED);
        lend(x, REPORTING, &pages);
    }
}

/* A guest that nobody tells which pages are free reports some of its own, once. */
static void report_own(struct exchange *x)
{
    uint64_t left = OWN_REPORT_PAGES;

    if (!driver.free_running || driver.reported_own || !has(driver.bit.reporting))
        return;
    driver.reported_own = true;
    for (uint64_t pfn = driver.pool; pfn-- > FIRST_FREE_PAGE && left;)
        if (driver.state[pfn] == PAGE_FREE) {
            driver.wish[pfn] |= WISH_REPORT;
            left--;
        }
    report(x);
}

/* The guest. */

static void guest_says(struct exchange *x, bool able, const char *text)
{
    tell(x, json_pack("{s:s, s:s}", "event", able ? "guest-answer" : "guest-refused", "text", text));
}

/* Compaction ends when the pages that were put in place of others are in the balloon, and those are out. */
static void go_on_compacting(struct exchange *x)
{
    if (!driver.compacting || driver.counts[PAGE_INFLATING] || driver.counts[PAGE_DEFLATING])
        return;
    if (driver.moving) {
        driver.moving = 0;
        balance(x);
    }
    if (!driver.counts[PAGE_DEFLATING]) {
        driver.compacting = false;
        guest_says(x, true, "");
        balance(x); /* the target may have changed meanwhile */
    }
}

static void give_back(struct exchange *x, const struct runs *pages)
{
    set_states(pages, PAGE_FREE);
    balance(x);
}

static void guest_allocate(struct exchange *x, const char *name, uint64_t pages, bool fragment)
{
    uint64_t wanted = fragment && pages <= MOST_PAGES ? 2 * pages : pages, taken = 0;
    struct allocation *mine;
    struct runs all = {0};
    json_t *written;

    if (wanted > driver.counts[PAGE_FREE]) {
        guest_says(x, false, "there are not so many free pages");
        return;
    }
    for (uint64_t pfn = FIRST_FREE_PAGE; pfn < driver.pool && taken < wanted; pfn++)
        if (driver.state[pfn] == PAGE_FREE) {
            add_page(&all, pfn);
            taken++;
        }
    if (taken < wanted) {
        clear_runs(&all);
        guest_says(x, false, "there are not so many free pages");
        return;
    }
    set_states(&all, PAGE_TAKEN);
    written = json_array();
    for (size_t at = 0; at < all.count; at++) {
        memset(driver.memory + all.list[at].first * PAGE_BYTES, 0xa5, all.list[at].count * PAGE_BYTES);
        append_run(written, all.list[at].first, all.list[at].count);
    }
    tell(x, json_pack("{s:s, s:o}", "event", "guest-used", "pages", written));
    mine = allocate(1, sizeof *mine);
    mine->name = copy_text(name);
    mine->next = driver.allocations;
    driver.allocations = mine;
    if (fragment) {
        struct runs freed = {0};
        uint64_t number = 0;

        for (size_t at = 0; at < all.count; at++)
            for (uint64_t pfn = all.list[at].first; pfn < all.list[at].first + all.list[at].count; pfn++)
                add_page(number++ % 2 ? &freed : &mine->pages, pfn);
        give_back(x, &freed);
        clear_runs(&freed);
        clear_runs(&all);
    } else {
        mine->pages = all;
    }
    guest_says(x, true, "");
}

/* Pages that a guest told to fill its memory takes: it keeps some to go on with, and a large one is not filled. */
static uint64_t spare_pages(void)
{
    uint64_t found = 0;

    for (uint64_t pfn = FIRST_FREE_PAGE; pfn < driver.pool; pfn++)
        found += driver.state[pfn] == PAGE_FREE;
    found = found > SPARE_PAGES ? found - SPARE_PAGES : 0;
    return found < MOST_FILLED ? found : MOST_FILLED;
}

static void guest_release(struct exchange *x, const char *name)
{
    struct allocation **at = &driver.allocations, *mine;

    while (*at && strcmp((*at)->name, name))
        at = &(*at)->next;
    mine = *at;
    if (!mine) {
        guest_says(x, false, "nothing was taken under this name");
        return;
    }
    *at = mine->next;
    give_back(x, &mine->pages);
    clear_runs(&mine->pages);
    free(mine->name);
    free(mine);
    guest_says(x, true, "");
}

/* Free pages go into the balloon first, and then as many others come out, so that it never shrinks (DEF-09). */
static void guest_compact(struct exchange *x)
{
    for (uint64_t pfn = 0; pfn < driver.page_count && driver.moving < COMPACT_PAGES; pfn++)
        if (driver.state[pfn] == PAGE_BALLOON) {
            driver.wish[pfn] |= WISH_DEFLATE;
            driver.moving++;
        }
    driver.compacting = true;
    balance(x);
    go_on_compacting(x);
}

/* Only with DEFLATE_ON_OOM may the balloon go below its target. */
static void guest_oom(struct exchange *x)
{
    uint64_t most = driver.counts[PAGE_BALLOON] < OOM_PAGES ? driver.counts[PAGE_BALLOON] : OOM_PAGES;

    if (has(driver.bit.oom)) {
        driver.short_of_memory = true;
        while (most) {
            uint64_t before = driver.counts[PAGE_DEFLATING];

            if (!send_pages(x, DEFLATE, most))
                break;
            most -= driver.counts[PAGE_DEFLATING] - before;
        }
    }
    guest_says(x, true, "");
}

/* The beginning and the end of the driver. */

static void forget_device(void)
{
    struct buffer *buffer;

    while ((buffer = driver.in_flight)) {
        driver.in_flight = buffer->next;
        release(buffer);
    }
    memset(driver.in_flight_count, 0, sizeof driver.in_flight_count);
    for (uint64_t pfn = 0; pfn < driver.page_count; pfn++) {
        if (driver.state[pfn] != PAGE_TAKEN && driver.state[pfn] != PAGE_ABSENT)
            set_state(pfn, 1, PAGE_FREE);
        driver.wish[pfn] &= WISH_UNUSED | WISH_REPORT;
    }
    driver.offered = driver.accepted = 0;
    driver.round = ROUND_IDLE;
    driver.hint_register = driver.hint_answered = HINTS_STOP;
    driver.reported_own = false;
    driver.running = driver.exchange = driver.short_of_memory = driver.compacting = false;
    driver.moving = 0;
    driver.target = driver.actual = 0;
}

static void forget_guest(void)
{
    struct allocation *mine;

    forget_device();
    while ((mine = driver.allocations)) {
        driver.allocations = mine->next;
        clear_runs(&mine->pages);
        free(mine->name);
        free(mine);
    }
    free(driver.state);
    free(driver.wish);
    if (driver.memory)
        munmap(driver.memory, driver.page_count * PAGE_BYTES);
    driver.state = driver.wish = driver.memory = NULL;
    driver.page_count = 0;
    driver.unused_told = driver.relies = false;
    memset(driver.counts, 0, sizeof driver.counts);
}

/* The commands. */

static void start(struct exchange *x)
{
    uint64_t protocol, page_count;
    struct runs holes;
    void *memory;

    if (!get_number(x, "protocol", UINT32_MAX, &protocol) ||
        !get_number(x, "memory_pages", MOST_PAGES, &page_count))
        return;
    if (protocol != 2) {
        refuse(x, "refused", "this program speaks version 2 of the protocol");
        return;
    }
    if (page_count < 4 * RING_BUFFERS * QUEUES) {
        refuse(x, "refused", "memory_pages: this guest needs 1 MiB at least");
        return;
    }
    driver.bit = get_features(x);
    driver.numbering = get_numbering(x, &driver.bit);
    if (x->refused || !get_holes(x, page_count, &holes))
        return;
    memory = mmap(NULL, page_count * PAGE_BYTES, PROT_READ | PROT_WRITE,
                  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED) {
        refuse(x, "refused", "memory_pages: there is not so much memory");
        free(holes.list);
        return;
    }
    forget_guest();
    driver.memory = memory;
    driver.page_count = page_count;
    driver.pool = page_count - (page_count / 4 < 1024 ? page_count / 4 : 1024);
    driver.state = allocate(page_count, 1);
    driver.wish = allocate(page_count, 1);
    driver.counts[PAGE_FREE] = page_count;
    set_states(&holes, PAGE_ABSENT);
    free(holes.list);
    put(x, "protocol", json_integer(2));
    put(x, "role", json_string("driver"));
    put(x, "name", json_string("c-example-driver"));
    put(x, "version", json_string("1"));
    put(x, "capabilities",
        json_pack("[s, s, s, s, s, s]", "synchronous", "raw-features", "reread", "memory-holes", "guest-memory",
                  driver.free_running ? "steer-guest" : "steer-pages"));
}

static void reset(struct exchange *x)
{
    (void)x;
    forget_device();
}

static void write_poison(struct exchange *x)
{
    uint8_t word[4];

    virtio_balloon_store_le32(word, POISON);
    tell(x, json_pack("{s:s, s:i, s:o}", "event", "configuration-written", "offset", POISON_OFFSET, "data",
                      bytes_value(word, sizeof word)));
}

/*
 * Accept what is offered and known (NEG-05), and no chunks and no requests without statistics
 * (NEG-03, NEG-04). The first buffers are there before DRIVER_OK (STATS-01, REQ-01).
 */
static void negotiate(struct exchange *x)
{
    uint64_t offered;
    struct bytes config;

    if (!get_bits(x, "offered", &offered) || !get_bytes(x, "configuration", &config))
        return;
    if (config.length < sizeof(struct virtio_balloon_config) || driver.running) {
        refuse(x, "refused", driver.running ? "a reset comes first" : "configuration: expected 8 bytes");
        free(config.data);
        return;
    }
    driver.offered = offered;
    driver.accepted = offered & all_of(&driver.bit);
    if (!has(driver.bit.stats)) {
        if (has(driver.bit.chunks))
            driver.accepted &= ~(UINT64_C(1) << driver.bit.chunks);
        if (has(driver.bit.requests))
            driver.accepted &= ~(UINT64_C(1) << driver.bit.requests);
    }
    if (driver.relies && has(driver.bit.reporting) && !has(driver.bit.poison))
        driver.accepted &= ~(UINT64_C(1) << driver.bit.reporting); /* REPORT-01 */
    put(x, "accepted", bits_value(driver.accepted));
    if (has(driver.bit.poison)) /* POISON-02, POISON-08; it is never written again (POISON-03) */
        write_poison(x);
    if (has(driver.bit.stats))
        send_statistics(x);
    if (has(driver.bit.requests))
        post_request_buffer(x);
    driver.running = true;
    tell(x, json_pack("{s:s}", "event", "driver-ok"));
    read_target(x, (const struct virtio_balloon_config *)config.data);
    read_hint_id(x, &config);
    free(config.data);
    balance(x);
    report(x);
}

/* Buffers are known by their names, and come back in any order (CONC-05); the length says nothing (BUF-06). */
static void used(struct exchange *x)
{
    uint64_t queue, length;
    const char *name;
    struct bytes written;
    struct buffer **at, *buffer;

    if (!get_number(x, "queue", UINT16_MAX, &queue) || !get_text(x, "buffer", &name) ||
        !get_number(x, "length", UINT32_MAX, &length) || !get_bytes(x, "written", &written))
        return;
    at = find_in_flight(queue, name);
    buffer = *at;
    if (!buffer) {
        refuse(x, "refused", "buffer: %.64s is not in flight", name);
        free(written.data);
        return;
    }
    *at = buffer->next;
    driver.in_flight_count[buffer->queue]--;
    if (buffer->queue == INFLATE)
        set_states(&buffer->pages, PAGE_BALLOON);
    else if (buffer->queue == DEFLATE) {
        poison(&buffer->pages);
        set_states(&buffer->pages, PAGE_FREE);
    } else if (buffer->queue == REPORTING)
        set_states(&buffer->pages, PAGE_FREE);
    else if (buffer->queue == FREE_PAGE)
        ; /* a hint is the guest's again with DONE, or when it takes the page back (HINT-07) */
    else if (buffer->queue == STATISTICS)
        send_statistics(x); /* STATS-03 */
    else if (buffer->writable)
        take_request(x, length, &written);
    else if (buffer->done) { /* REQ-13, REQ-17 */
        driver.exchange = false;
        post_request_buffer(x);
    }
    release(buffer);
    free(written.data);
    write_actual(x);
    balance(x);
    answer_request(x);
    go_on_hinting(x);
    report(x);
    go_on_compacting(x);
}

static void configuration_change(struct exchange *x)
{
    struct bytes config;

    if (!get_bytes(x, "data", &config))
        return;
    if (config.length < sizeof(struct virtio_balloon_config) || !driver.running) {
        refuse(x, "refused", driver.running ? "data: expected 8 bytes" : "negotiate comes first");
    } else {
        read_target(x, (const struct virtio_balloon_config *)config.data);
        read_hint_id(x, &config);
        balance(x);
        report_own(x);
    }
    free(config.data);
}

static void guest(struct exchange *x)
{
    const char *action;
    struct runs pages;
    uint8_t wish;

    if (driver.free_running) {
        refuse(x, "not-implemented", "with --free the guest chooses its pages itself");
        return;
    }
    if (!get_text(x, "action", &action))
        return;
    if (!strcmp(action, "inflate"))
        wish = WISH_INFLATE;
    else if (!strcmp(action, "deflate"))
        wish = WISH_DEFLATE;
    else if (!strcmp(action, "unused"))
        wish = WISH_UNUSED;
    else if (!strcmp(action, "report"))
        wish = WISH_REPORT;
    else if (!strcmp(action, "rely")) {
        driver.relies = true;
        return;
    } else {
        refuse(x, "not-implemented", "action: this guest does not know %.40s", action);
        return;
    }
    if (!get_pages(x, "pages", &pages))
        return;
    for (size_t at = 0; at < pages.count; at++)
        if (!exist(&pages.list[at]))
            refuse(x, "refused", "pages: this guest has pages 0 to %llu, but for holes",
                   (unsigned long long)driver.page_count - 1);
    if (!x->refused && wish == WISH_UNUSED) {
        driver.unused_told = true;
        for (uint64_t pfn = 0; pfn < driver.page_count; pfn++)
            driver.wish[pfn] &= (uint8_t)~WISH_UNUSED;
    }
    for (size_t at = 0; at < pages.count && !x->refused; at++)
        for (uint64_t pfn = pages.list[at].first; pfn < pages.list[at].first + pages.list[at].count; pfn++)
            driver.wish[pfn] |= wish;
    free(pages.list);
    if (!x->refused && driver.running) {
        balance(x);
        report(x);
        go_on_hinting(x);
    }
}

static void guest_command(struct exchange *x)
{
    const json_t *words = json_object_get(x->command, "words");
    const char *command = json_string_value(json_array_get(words, 0));
    const char *name = json_string_value(json_array_get(words, 1));
    const json_t *count = json_array_get(words, 2);
    json_int_t pages = json_integer_value(count);

    if (!driver.free_running) {
        refuse(x, "not-implemented", "without --free there is no guest to command");
    } else if (!command) {
        refuse(x, "refused", "words: expected a list that begins with the name of a command");
    } else if (!strcmp(command, "allocate") || !strcmp(command, "fragment")) {
        if (!name || !json_is_integer(count) || pages <= 0)
            guest_says(x, false, "expected a name and a number of pages");
        else
            guest_allocate(x, name, (uint64_t)pages, !strcmp(command, "fragment"));
    } else if (!strcmp(command, "fill")) {
        guest_allocate(x, name ? name : "", spare_pages(), false);
    } else if (!strcmp(command, "release")) {
        guest_release(x, name ? name : "");
    } else if (!strcmp(command, "compact")) {
        guest_compact(x);
    } else if (!strcmp(command, "drop-caches")) {
        guest_says(x, true, "");
    } else if (!strcmp(command, "oom")) {
        guest_oom(x);
    } else {
        guest_says(x, false, "this guest does not know the command");
    }
}

static bool in_memory(struct exchange *x, uint64_t address, uint64_t length)
{
    uint64_t end = driver.page_count * PAGE_BYTES;

    if (address <= end && length <= end - address)
        return true;
    refuse(x, "refused", "address: this guest has %llu bytes of memory", (unsigned long long)end);
    return false;
}

static void memory_read(struct exchange *x)
{
    uint64_t address, length;

    if (get_bits(x, "address", &address) && get_number(x, "length", 1 << 20, &length) &&
        in_memory(x, address, length))
        put(x, "data", bytes_value(driver.memory + address, length));
}

static void memory_write(struct exchange *x)
{
    uint64_t address;
    struct bytes data;

    if (!get_bits(x, "address", &address) || !get_bytes(x, "data", &data))
        return;
    if (in_memory(x, address, data.length))
        memcpy(driver.memory + address, data.data, data.length);
    free(data.data);
}

static void reread(struct exchange *x)
{
    uint64_t queue;
    const char *name;
    struct buffer *buffer;

    if (!get_number(x, "queue", UINT16_MAX, &queue) || !get_text(x, "buffer", &name))
        return;
    buffer = *find_in_flight(queue, name);
    if (buffer)
        put(x, "readable", bytes_value(memory_of(buffer), buffer->length));
    else
        refuse(x, "refused", "buffer: %.64s is not in flight", name);
}

/* This driver does nothing between commands, so there is nothing to wait for. */
static void observe(struct exchange *x)
{
    uint64_t milliseconds;

    get_number(x, "milliseconds", UINT32_MAX, &milliseconds);
}

static void stop(struct exchange *x)
{
    x->last = true;
}

int main(int count, char **arguments)
{
    static const struct verb verbs[] = {
        {"start", start, true},
        {"reset", reset, false},
        {"negotiate", negotiate, false},
        {"used", used, false},
        {"configuration-change", configuration_change, false},
        {"guest", guest, false},
        {"guest-command", guest_command, false},
        {"memory-read", memory_read, false},
        {"memory-write", memory_write, false},
        {"reread", reread, false},
        {"observe", observe, false},
        {"stop", stop, true},
    };
    int status;

    driver.free_running = count == 2 && !strcmp(arguments[1], "--free");
    if (count > 1 && !driver.free_running) {
        fputs("usage: driver [--free]\n", stderr);
        return 2;
    }
    status = serve("driver", verbs, sizeof verbs / sizeof *verbs, NULL);
    forget_guest();
    return status;
}
