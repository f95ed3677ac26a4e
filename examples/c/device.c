/*
 * A virtio-balloon device behind the protocol over standard streams: with chunk transfer, or with what today's
 * devices have, which is free page hinting, page poison and page reporting.
 *
 * Written from the requirements; the comments name those that a piece of code keeps. Guest memory is
 * one byte a page here: where this device notes that a page was given back, one with real memory
 * calls madvise() or punches a hole; where it notes that a page is left out of a copy, one that migrates its
 * guest clears the page's bit in a dirty bitmap.
 */
#include "lines.h"
#include "queues.h"
#include "virtio_balloon_chunk.h"

#include <stdlib.h>
#include <string.h>

#define MOST_WISHES 64
#define MOST_TAG 15
#define MOST_PAGES (UINT64_C(1) << 32)

enum page_flag {
    PAGE_DISCARDED = 1, /* given back to the host, and not looked at since */
    PAGE_HINTED = 2,    /* reported unused in answer to the last request: need not be migrated */
    PAGE_ABSENT = 4,    /* in a hole of guest memory */
    PAGE_LEFT_OUT = 8,  /* of the copy: hinted, and not written by the guest since */
    PAGE_WRITTEN = 16,  /* by the guest since the command id was published */
};

/* A descriptor chain: the descriptors that are readable, and where those are that are writable. */
struct buffer {
    struct buffer *next;
    enum queue queue;
    unsigned index; /* of the queue */
    char *name;
    struct bytes *parts;
    size_t part_count;
    size_t length; /* of the readable part */
    uint32_t writable;
    struct segment *rooms; /* the device-writable descriptors whose address is stated */
    size_t room_count;
};

static struct {
    struct features bit;
    struct numbering numbering;
    uint64_t offered, accepted;
    bool features_ok, driver_ok;

    uint8_t *pages;
    uint64_t page_count;
    uint8_t config[CONFIG_BYTES];

    struct buffer *available[QUEUES]; /* in the available ring, oldest first */
    struct buffer *held[QUEUES];      /* taken out of it and not returned yet, oldest first */
    struct buffer *returned;          /* kept for reread until the next command */

    uint64_t statistics[MOST_TAG + 1];
    bool told[MOST_TAG + 1];

    uint64_t wishes[MOST_WISHES]; /* ids of requests the operator waits for, oldest first */
    size_t wish_count;
    bool request_open;
    uint64_t request_id;
    bool writes_tracked;

    bool copying, copied; /* a copy of guest memory is made; one is complete */
    bool hints_wanted;    /* by the operator, before there was a driver */
    bool asking, taking;  /* the id is published; the driver sent it, and its hints count */
    uint32_t current_id, next_id;
} device;

static bool has(int bit)
{
    return is_set(device.accepted, bit);
}

/* Buffers. */

static void append(struct buffer **list, struct buffer *buffer)
{
    while (*list)
        list = &(*list)->next;
    buffer->next = NULL;
    *list = buffer;
}

static struct buffer *take_first(struct buffer **list)
{
    struct buffer *first = *list;

    if (first)
        *list = first->next;
    return first;
}

static void forget(struct buffer **list)
{
    struct buffer *buffer;

    while ((buffer = take_first(list))) {
        for (size_t at = 0; at < buffer->part_count; at++)
            free(buffer->parts[at].data);
        free(buffer->parts);
        free(buffer->rooms);
        free(buffer->name);
        free(buffer);
    }
}

static struct buffer *find(struct buffer *list, enum queue queue, const char *name)
{
    while (list && (list->queue != queue || strcmp(list->name, name)))
        list = list->next;
    return list;
}

static struct buffer *find_in_flight(enum queue queue, const char *name)
{
    struct buffer *buffer = find(device.available[queue], queue, name);

    return buffer ? buffer : find(device.held[queue], queue, name);
}

/* Copy from the readable part, whatever the cut into descriptors is (QUEUE-05); false beyond its end. */
static bool read_at(const struct buffer *buffer, size_t offset, void *to, size_t length)
{
    uint8_t *target = to;

    if (offset > buffer->length || length > buffer->length - offset)
        return false;
    for (size_t at = 0; length; at++) {
        const struct bytes *part = &buffer->parts[at];
        size_t here;

        if (offset >= part->length) {
            offset -= part->length;
            continue;
        }
        here = part->length - offset < length ? part->length - offset : length;
        memcpy(target, part->data + offset, here);
        target += here;
        length -= here;
        offset = 0;
    }
    return true;
}

/* Return a buffer with what was written to it, 0 bytes for one that is only readable (BUF-03); notify the driver (QUEUE-12). */
static void use(struct exchange *x, struct buffer *buffer, const void *written, uint32_t length)
{
    tell(x, json_pack("{s:s, s:i, s:s, s:I, s:o, s:b}", "event", "used", "queue", (int)buffer->index, "buffer",
                      buffer->name, "length", (json_int_t)length, "written", bytes_value(written, length), "notify",
                      1));
    append(&device.returned, buffer);
}

/* Pages. */

/* Mark pages; those of a run that is empty or not wholly in memory are left alone (CHUNK-09, SAFE-11). */
static void mark(uint64_t first, uint64_t count, enum page_flag flag)
{
    if (!count || first >= device.page_count || count > device.page_count - first)
        return;
    for (uint64_t pfn = first; pfn < first + count; pfn++)
        if (device.pages[pfn] & PAGE_ABSENT)
            return;
    for (uint64_t pfn = first; pfn < first + count; pfn++)
        device.pages[pfn] |= (uint8_t)flag;
}

/*
 * The pages that lie whole in a device-writable descriptor, and in guest memory (REPORT-14): first to end - 1. What
 * the bytes there say has no meaning (REPORT-18).
 */
static struct run whole_pages(const struct segment *room)
{
    uint64_t first = room->address / 4096 + (room->address % 4096 != 0), end;

    if (room->address > UINT64_MAX - room->length)
        return (struct run){0};
    end = (room->address + room->length) / 4096;
    end = end < device.page_count ? end : device.page_count;
    return (struct run){first, end > first ? end - first : 0};
}

/*
 * Act on the chunks of a message. The reserved bits mean nothing (CHUNK-06), a chunk that cannot be is
 * stepped over and the others count (CHUNK-08). What is read ends where the buffer or data_len ends
 * (SAFE-07). A message without a whole header, or of another length than whole chunks, has no effect
 * (SAFE-06, SAFE-08).
 */
static void mark_chunks(const struct buffer *message, enum page_flag flag)
{
    struct virtio_balloon_response_header header;
    struct virtio_balloon_chunk chunk;
    uint32_t data_len;

    if (!read_at(message, 0, &header, sizeof header))
        return;
    data_len = virtio_balloon_response_header_data_len(&header);
    if (data_len % sizeof chunk || data_len > VIRTIO_BALLOON_MAX_DATA_BYTES)
        return;
    for (size_t at = 0; at < data_len; at += sizeof chunk) {
        if (!read_at(message, sizeof header + at, &chunk, sizeof chunk))
            return;
        mark(virtio_balloon_chunk_pfn(&chunk), virtio_balloon_chunk_pages(&chunk), flag);
    }
}

/* Entries are unsigned (PFN-07); those outside memory are skipped, and so is a partial one (PFN-06, PFN-09). */
static void mark_array(const struct buffer *array)
{
    uint8_t entry[VIRTIO_BALLOON_PFN_BYTES];

    for (size_t at = 0; read_at(array, at, entry, sizeof entry); at += sizeof entry)
        mark(virtio_balloon_load_le32(entry), 1, PAGE_DISCARDED);
}

/* The queues. */

/* Pages are given back before the buffer is (INF-07), as often as they are named (INF-06, CHUNK-10). */
static void serve_inflate(struct exchange *x, struct buffer *buffer)
{
    if (has(device.bit.chunks))
        mark_chunks(buffer, PAGE_DISCARDED);
    else
        mark_array(buffer);
    use(x, buffer, NULL, 0);
}

/* The host gives memory to a page again when the guest touches it, so nothing is to be done (DEF-07, DEF-08). */
static void serve_deflate(struct exchange *x, struct buffer *buffer)
{
    use(x, buffer, NULL, 0);
}

/* A buffer of statistics is held until somebody asks for fresh ones (STATS-09); unknown tags are ignored (STATS-07). */
static void serve_statistics(struct exchange *x, struct buffer *buffer)
{
    struct virtio_balloon_stat entry;

    for (size_t at = 0; read_at(buffer, at, &entry, sizeof entry); at += sizeof entry) {
        uint16_t tag = virtio_balloon_stat_tag(&entry);

        if (tag > MOST_TAG)
            continue;
        device.statistics[tag] = virtio_balloon_stat_value(&entry);
        device.told[tag] = true;
    }
    /* A driver has one in flight; of one that has more the older come back. */
    while (device.held[STATISTICS])
        use(x, take_first(&device.held[STATISTICS]), NULL, 0);
    append(&device.held[STATISTICS], buffer);
}

/* Issue the oldest request that the operator waits for, one at a time (REQ-05). */
static void issue_request(struct exchange *x)
{
    struct virtio_balloon_host_request request = {0}; /* the reserved words are zero (REQ-04) */
    struct buffer *buffer;

    if (device.request_open || !device.wish_count || !device.held[HOST_REQUEST])
        return;
    buffer = take_first(&device.held[HOST_REQUEST]);
    device.request_open = true;
    device.request_id = device.wishes[0];
    device.wish_count--;
    memmove(device.wishes, device.wishes + 1, device.wish_count * sizeof *device.wishes);
    for (uint64_t pfn = 0; pfn < device.page_count; pfn++)
        device.pages[pfn] &= (uint8_t)~PAGE_HINTED;
    /* What a hint says was true before the guest wrote again, so writes are tracked first (UNUSED-07). */
    device.writes_tracked = true;
    virtio_balloon_host_request_set_cmd(&request, VIRTIO_BALLOON_CMD_GET_UNUSED_PAGES);
    virtio_balloon_host_request_set_param(&request, device.request_id);
    use(x, buffer, &request, sizeof request);
}

/* A message counts while its request is open (REQ-19); its pages are hints and stay (UNUSED-01). */
static void take_answer(const struct buffer *message)
{
    struct virtio_balloon_response_header header;

    if (!read_at(message, 0, &header, sizeof header) || !device.request_open ||
        virtio_balloon_response_header_cmd(&header) != VIRTIO_BALLOON_CMD_GET_UNUSED_PAGES ||
        virtio_balloon_response_header_id(&header) != (device.request_id & UINT16_MAX) ||
        virtio_balloon_response_header_data_len(&header) % sizeof(struct virtio_balloon_chunk))
        return; /* not an answer, or one whose length cannot be right (SAFE-06) */
    switch (virtio_balloon_response_header_flag(&header)) {
    case VIRTIO_BALLOON_FLAG_DONE:
        device.request_open = false; /* REQ-20; it may be without chunks (REQ-18) */
        mark_chunks(message, PAGE_HINTED);
        break;
    case VIRTIO_BALLOON_FLAG_CONT:
        mark_chunks(message, PAGE_HINTED);
        break;
    default: /* neither: an error of the driver */
        break;
    }
}

static void serve_host_request(struct exchange *x, struct buffer *buffer)
{
    if (!buffer->length && buffer->writable >= sizeof(struct virtio_balloon_host_request)) {
        append(&device.held[HOST_REQUEST], buffer);
    } else {
        /* A buffer that is neither a request buffer nor a message comes back as it is (SAFE-03). */
        if (!buffer->writable)
            take_answer(buffer);
        use(x, buffer, NULL, 0);
    }
    issue_request(x);
}

/* Free page hinting. */

static size_t config_length(void)
{
    return has(device.bit.poison) ? CONFIG_BYTES : has(device.bit.hints) ? POISON_OFFSET : HINT_ID_OFFSET;
}

static void announce_config(struct exchange *x)
{
    tell(x, json_pack("{s:s, s:o}", "event", "configuration-changed", "data",
                      bytes_value(device.config, config_length())));
}

/* Show a command id, STOP or DONE, and say so (HINT-23). */
static void publish(struct exchange *x, uint32_t value)
{
    virtio_balloon_store_le32(device.config + HINT_ID_OFFSET, value);
    device.asking = value >= HINTS_FIRST_ID;
    device.taking = false;
    device.current_id = value;
    announce_config(x);
}

/* Ask for hints under an id of its own (HINT-16, HINT-24, HINT-27). From here on the guest's writes are tracked. */
static void ask_for_hints(struct exchange *x)
{
    uint32_t id = device.next_id;
    uint8_t forgotten = device.copying ? PAGE_WRITTEN : PAGE_WRITTEN | PAGE_LEFT_OUT;

    device.next_id = id == UINT32_MAX ? HINTS_FIRST_ID : id + 1;
    for (uint64_t pfn = 0; pfn < device.page_count; pfn++)
        device.pages[pfn] &= (uint8_t)~forgotten;
    device.copying = true;
    device.copied = false;
    publish(x, id);
}

/* The driver begins its round with the current id and ends it with another number, which should be 0. */
static void take_command(uint32_t id)
{
    if (device.asking && id == device.current_id) {
        device.asking = false;
        device.taking = true;
    } else {
        device.taking = false;
    }
}

/* Leave pages out of the copy: under the current id alone (HINT-17), and not those written since (HINT-19). */
static void take_hint(const struct segment *room)
{
    struct run pages = whole_pages(room);

    for (uint64_t pfn = pages.first; device.taking && pfn < pages.first + pages.count; pfn++)
        if (!(device.pages[pfn] & (PAGE_WRITTEN | PAGE_ABSENT)))
            device.pages[pfn] |= PAGE_LEFT_OUT; /* HINT-28 */
}

/* A command, or hints, or neither: whatever it is, it comes back (HINT-22). */
static void serve_free_page(struct exchange *x, struct buffer *buffer)
{
    uint8_t id[4];

    if (buffer->length == sizeof id && !buffer->writable && read_at(buffer, 0, id, sizeof id))
        take_command(virtio_balloon_load_le32(id));
    for (size_t at = 0; !buffer->part_count && at < buffer->room_count; at++)
        take_hint(&buffer->rooms[at]);
    use(x, buffer, NULL, 0);
}

/* Page reporting. */

/*
 * Give the memory back (REPORT-15), and then the report (REPORT-13, REPORT-16). It comes back as zeros: if the driver
 * fills its pages with something else, they stay as they are (REPORT-12).
 */
static void serve_report(struct exchange *x, struct buffer *buffer)
{
    bool zeros = !has(device.bit.poison) || !virtio_balloon_load_le32(device.config + POISON_OFFSET);

    for (size_t at = 0; zeros && !buffer->part_count && at < buffer->room_count; at++) {
        struct run pages = whole_pages(&buffer->rooms[at]);

        for (uint64_t pfn = pages.first; pfn < pages.first + pages.count; pfn++)
            mark(pfn, 1, PAGE_DISCARDED);
    }
    use(x, buffer, NULL, 0); /* REPORT-17 */
}

/* Each queue is served by itself: a buffer that is held keeps no other from being returned (CONC-06). */
static void look_at(struct exchange *x, enum queue queue)
{
    static void (*const serve_one[QUEUES])(struct exchange *, struct buffer *) = {
        [INFLATE] = serve_inflate,
        [DEFLATE] = serve_deflate,
        [STATISTICS] = serve_statistics,
        [HOST_REQUEST] = serve_host_request,
        [FREE_PAGE] = serve_free_page,
        [REPORTING] = serve_report,
    };
    struct buffer *buffer;

    /* Nothing is returned before DRIVER_OK (QUEUE-10). */
    while (device.driver_ok && (buffer = take_first(&device.available[queue])))
        serve_one[queue](x, buffer);
}

/* Forget the features, the buffers and the requests (RESET-01, RESET-02, RESET-03); the balloon is empty. */
static void forget_driver(void)
{
    for (int queue = 0; queue < QUEUES; queue++) {
        forget(&device.available[queue]);
        forget(&device.held[queue]);
    }
    forget(&device.returned);
    device.accepted = 0;
    device.features_ok = device.driver_ok = false;
    device.request_open = device.writes_tracked = false;
    device.wish_count = 0;
    memset(device.told, 0, sizeof device.told);
    virtio_balloon_config_set_actual((struct virtio_balloon_config *)device.config, 0);
    /* A copy goes on without hints, and no id is used again (HINT-25); the value of before is forgotten (POISON-07). */
    memset(device.config + HINT_ID_OFFSET, 0, CONFIG_BYTES - HINT_ID_OFFSET);
    device.asking = device.taking = device.hints_wanted = false;
}

/* The commands. */

static void start(struct exchange *x)
{
    uint64_t protocol, page_count;
    struct runs holes;

    if (!get_number(x, "protocol", UINT32_MAX, &protocol) ||
        !get_number(x, "memory_pages", MOST_PAGES - 1, &page_count))
        return;
    if (protocol != 2) {
        refuse(x, "refused", "this program speaks version 2 of the protocol");
        return;
    }
    device.bit = get_features(x);
    device.numbering = get_numbering(x, &device.bit);
    device.offered = all_of(&device.bit);
    if (x->refused || !get_holes(x, page_count, &holes))
        return;
    forget_driver();
    memset(device.config, 0, sizeof device.config);
    device.copying = device.copied = false;
    device.next_id = HINTS_FIRST_ID;
    free(device.pages);
    device.pages = allocate(page_count, sizeof *device.pages);
    device.page_count = page_count;
    for (size_t at = 0; at < holes.count; at++)
        memset(device.pages + holes.list[at].first, PAGE_ABSENT, holes.list[at].count);
    free(holes.list);
    put(x, "protocol", json_integer(2));
    put(x, "role", json_string("device"));
    put(x, "name", json_string("c-example-device"));
    put(x, "version", json_string("1"));
    put(x, "capabilities",
        json_pack("[s, s, s, s, s, s, s, s, s, s, s, s, s, s, s, s]", "synchronous", "raw-features", "reread",
                  "memory-holes", "operator-target", "operator-unused-pages", "operator-statistics",
                  "operator-hint", "operator-stop-hints", "operator-end-hints", "discards", "descriptors",
                  "addresses", "host-statistics", "write-pages", "skips"));
    put(x, "offered", bits_value(device.offered));
}

static void reset(struct exchange *x)
{
    forget_driver();
    put(x, "offered", bits_value(device.offered));
}

/* FEATURES_OK stays for every legal subset of what was offered, and for nothing else (NEG-06, NEG-07). */
static void negotiate(struct exchange *x)
{
    uint64_t accepted;

    if (!get_bits(x, "accepted", &accepted))
        return;
    if (device.features_ok) {
        refuse(x, "refused", "the features are negotiated already; a reset comes first");
        return;
    }
    device.accepted = accepted;
    device.features_ok = !(accepted & ~device.offered) &&
                         (has(device.bit.stats) || !(has(device.bit.chunks) || has(device.bit.requests)));
    put(x, "features_ok", json_boolean(device.features_ok));
}

/* Look at every queue, notified or not (QUEUE-04). */
static void driver_ok(struct exchange *x)
{
    if (!device.features_ok) {
        refuse(x, "refused", "the features are not negotiated");
        return;
    }
    device.driver_ok = true;
    for (int queue = 0; queue < QUEUES; queue++)
        look_at(x, queue);
    if (device.hints_wanted && has(device.bit.hints))
        ask_for_hints(x);
    device.hints_wanted = false;
}

/* Whether guest memory is wherever a descriptor points. */
static bool is_reachable(const struct segment *segment)
{
    uint64_t first = segment->address >> 12, last = (segment->address + segment->length - 1) >> 12;

    if (!segment->stated || !segment->length)
        return true;
    if (last < first || last >= device.page_count)
        return false;
    for (uint64_t pfn = first; pfn <= last; pfn++)
        if (device.pages[pfn] & PAGE_ABSENT)
            return false;
    return true;
}

/* Read descriptor at of a buffer; without segments it is the only one, of all its bytes. */
static bool get_part(struct exchange *x, size_t at, size_t whole, struct segment *segment)
{
    if (json_object_get(x->command, "segments"))
        return get_segment(x, at, segment);
    *segment = (struct segment){.length = (uint32_t)whole};
    return whole <= UINT32_MAX;
}

/*
 * Cut the readable part as the driver did, and note where the rest is. If a descriptor points where no memory is,
 * nothing of the buffer can be read or written: it is empty then, and named no page (SAFE-01).
 */
static bool cut_into_parts(struct exchange *x, struct buffer *buffer, const struct bytes *readable)
{
    const json_t *segments = json_object_get(x->command, "segments");
    size_t count = segments ? json_array_size(segments) : readable->length != 0, done = 0;
    bool reachable = true;

    buffer->length = readable->length;
    buffer->parts = allocate(count, sizeof *buffer->parts);
    buffer->rooms = allocate(count, sizeof *buffer->rooms);
    for (size_t at = 0; at < count; at++) {
        struct bytes *part = &buffer->parts[buffer->part_count];
        struct segment segment;

        if (!get_part(x, at, readable->length, &segment) ||
            (!segment.writable && segment.length > readable->length - done)) {
            refuse(x, "refused", "the lengths of the descriptors do not make up the readable part");
            return false;
        }
        reachable = reachable && is_reachable(&segment);
        if (segment.writable) {
            if (segment.stated)
                buffer->rooms[buffer->room_count++] = segment;
            continue;
        }
        buffer->part_count++;
        /* Memory of its own for each, so that a step beyond its end is found. */
        part->length = segment.length;
        part->data = allocate(part->length, 1);
        memcpy(part->data, readable->data + done, part->length);
        done += part->length;
    }
    if (done != readable->length)
        refuse(x, "refused", "the lengths of the descriptors do not make up the readable part");
    if (!reachable)
        buffer->length = buffer->writable = 0;
    return !x->refused;
}

static void available(struct exchange *x)
{
    uint64_t index, writable;
    const char *name;
    int queue;
    struct bytes readable;
    struct buffer *buffer;

    if (!get_number(x, "queue", UINT16_MAX, &index) || !get_text(x, "buffer", &name) ||
        !get_number(x, "writable", UINT32_MAX, &writable))
        return;
    queue = queue_at(&device.numbering, index, device.offered, device.accepted);
    if (!device.features_ok || queue < 0) {
        refuse(x, "refused", "queue: there is no virtqueue %llu", (unsigned long long)index);
        return;
    }
    if (find_in_flight(queue, name)) {
        refuse(x, "refused", "buffer: %.64s is in flight already", name);
        return;
    }
    if (!get_bytes(x, "readable", &readable))
        return;
    buffer = allocate(1, sizeof *buffer);
    buffer->queue = queue;
    buffer->index = (unsigned)index;
    buffer->name = copy_text(name);
    buffer->writable = (uint32_t)writable;
    if (cut_into_parts(x, buffer, &readable))
        append(&device.available[queue], buffer);
    else
        forget(&buffer);
    free(readable.data);
    if (!x->refused && !json_is_false(json_object_get(x->command, "notify")))
        look_at(x, queue);
}

static void configuration_read(struct exchange *x)
{
    uint64_t offset, length;
    uint8_t *data;

    if (!get_number(x, "offset", UINT32_MAX, &offset) || !get_number(x, "length", 4096, &length))
        return;
    data = allocate(length, 1);
    for (uint64_t at = 0; at < length && offset + at < sizeof device.config; at++)
        data[at] = device.config[offset + at];
    put(x, "data", bytes_value(data, length));
    free(data);
}

/* The driver's words are actual and poison_val (POISON-06); what it writes elsewhere is ignored (CFG-09, HINT-29). */
static void configuration_write(struct exchange *x)
{
    uint64_t offset;
    struct bytes data;

    if (!get_number(x, "offset", UINT32_MAX, &offset) || !get_bytes(x, "data", &data))
        return;
    for (size_t at = 0; at < data.length; at++) {
        uint64_t to = offset + at;

        if ((to >= offsetof(struct virtio_balloon_config, actual) && to < HINT_ID_OFFSET) ||
            (has(device.bit.poison) && to >= POISON_OFFSET && to < CONFIG_BYTES))
            device.config[to] = data.data[at];
    }
    free(data.data);
}

/* The driver is notified when num_pages changes (CFG-07), once it is there to be notified (CFG-13). */
static void set_target(struct exchange *x, uint64_t pages)
{
    struct virtio_balloon_config *config = (struct virtio_balloon_config *)device.config;

    if (pages > UINT32_MAX) {
        refuse(x, "refused", "value: num_pages has 32 bits");
        return;
    }
    if (virtio_balloon_config_num_pages(config) == pages)
        return;
    virtio_balloon_config_set_num_pages(config, (uint32_t)pages);
    if (device.driver_ok)
        announce_config(x);
}

/* Of a driver that cannot hint nothing is asked; before there is a driver the wish waits. */
static void want_hints(struct exchange *x)
{
    if (device.driver_ok && has(device.bit.hints))
        ask_for_hints(x);
    else if (!device.driver_ok)
        device.hints_wanted = true;
}

/* Do without hints for now (HINT-15). */
static void stop_hints(struct exchange *x)
{
    device.hints_wanted = false;
    if (virtio_balloon_load_le32(device.config + HINT_ID_OFFSET) >= HINTS_FIRST_ID)
        publish(x, HINTS_STOP);
}

/* The copy is complete, and the guest may have its pages (HINT-21); nothing is done with them any more (HINT-20). */
static void end_hints(struct exchange *x)
{
    device.hints_wanted = false;
    if (!device.copying || !has(device.bit.hints))
        return;
    device.copying = false;
    device.copied = true;
    publish(x, HINTS_DONE);
}

static void operator(struct exchange *x)
{
    const char *action;
    uint64_t value;

    if (!get_text(x, "action", &action) || !get_bits(x, "value", &value))
        return;
    if (!strcmp(action, "target")) {
        set_target(x, value);
    } else if (!strcmp(action, "unused-pages")) {
        if (device.wish_count == MOST_WISHES) {
            refuse(x, "refused", "too many requests wait to be answered");
            return;
        }
        device.wishes[device.wish_count++] = value;
        look_at(x, HOST_REQUEST);
        issue_request(x);
    } else if (!strcmp(action, "statistics")) {
        look_at(x, STATISTICS);
        if (device.held[STATISTICS])
            use(x, take_first(&device.held[STATISTICS]), NULL, 0);
    } else if (!strcmp(action, "hint")) {
        want_hints(x);
    } else if (!strcmp(action, "stop-hints")) {
        stop_hints(x);
    } else if (!strcmp(action, "end-hints")) {
        end_hints(x);
    } else {
        refuse(x, "not-implemented", "action: this device's operator does not know %.40s", action);
    }
}

/* Answer with those of the pages that have a flag, and take the flag from them if taken says so. */
static json_t *flagged(const struct runs *asked, enum page_flag flag, bool taken)
{
    json_t *found = json_array();

    for (size_t at = 0; at < asked->count; at++) {
        uint64_t end = asked->list[at].first + asked->list[at].count, from;

        end = end < device.page_count ? end : device.page_count;
        for (uint64_t pfn = asked->list[at].first; pfn < end;) {
            for (from = pfn; pfn < end && device.pages[pfn] & flag; pfn++)
                if (taken)
                    device.pages[pfn] &= (uint8_t)~flag;
            if (pfn > from)
                append_run(found, from, pfn - from);
            else
                pfn++;
        }
    }
    return found;
}

static void discarded(struct exchange *x)
{
    struct runs asked;

    if (!get_pages(x, "pages", &asked))
        return;
    put(x, "discarded", flagged(&asked, PAGE_DISCARDED, true));
    free(asked.list);
}

static void skipped(struct exchange *x)
{
    struct runs asked;

    if (!get_pages(x, "pages", &asked))
        return;
    if (device.copied) {
        put(x, "skipped", flagged(&asked, PAGE_LEFT_OUT, false));
    } else { /* there is no copy of which anything could be told */
        put(x, "skipped", json_array());
        put(x, "unknown", json_incref(json_object_get(x->command, "pages")));
    }
    free(asked.list);
}

/* What the guest writes brings a page back, and into the copy again (HINT-19). */
static void write_pages(struct exchange *x)
{
    struct runs pages;
    struct bytes data;

    if (!get_pages(x, "pages", &pages))
        return;
    if (get_bytes(x, "data", &data)) {
        for (size_t at = 0; at < pages.count; at++)
            for (uint64_t pfn = pages.list[at].first;
                 pfn < pages.list[at].first + pages.list[at].count && pfn < device.page_count; pfn++) {
                device.pages[pfn] &= (uint8_t)~PAGE_DISCARDED;
                if (device.copying)
                    device.pages[pfn] = (uint8_t)((device.pages[pfn] & ~PAGE_LEFT_OUT) | PAGE_WRITTEN);
            }
        free(data.data);
    }
    free(pages.list);
}

static void host_statistics(struct exchange *x)
{
    json_t *found = json_array();

    for (int tag = 0; tag <= MOST_TAG; tag++)
        if (device.told[tag])
            json_array_append_new(found, json_pack("[i, o]", tag, bits_value(device.statistics[tag])));
    put(x, "statistics", found);
}

static void reread(struct exchange *x)
{
    uint64_t index;
    const char *name;
    struct buffer *buffer = NULL;
    uint8_t *data;
    int queue;

    if (!get_number(x, "queue", UINT16_MAX, &index) || !get_text(x, "buffer", &name))
        return;
    queue = queue_at(&device.numbering, index, device.offered, device.accepted);
    if (queue >= 0)
        buffer = find_in_flight(queue, name);
    if (!buffer && queue >= 0)
        buffer = find(device.returned, queue, name);
    if (!buffer) {
        refuse(x, "refused", "buffer: there is no %.64s on that virtqueue", name);
        return;
    }
    data = allocate(buffer->length, 1);
    read_at(buffer, 0, data, buffer->length);
    put(x, "readable", bytes_value(data, buffer->length));
    free(data);
}

/* This device does nothing between commands, so there is nothing to wait for. */
static void observe(struct exchange *x)
{
    uint64_t milliseconds;

    get_number(x, "milliseconds", UINT32_MAX, &milliseconds);
}

static void stop(struct exchange *x)
{
    x->last = true;
}

/* Buffers that were returned are kept for as long as the suite may ask for them: until another command. */
static void before(const char *command)
{
    if (strcmp(command, "reread"))
        forget(&device.returned);
}

int main(void)
{
    static const struct verb verbs[] = {
        {"start", start, true},
        {"reset", reset, false},
        {"negotiate", negotiate, false},
        {"driver-ok", driver_ok, false},
        {"available", available, false},
        {"configuration-read", configuration_read, false},
        {"configuration-write", configuration_write, false},
        {"operator", operator, false},
        {"discarded", discarded, false},
        {"skipped", skipped, false},
        {"write-pages", write_pages, false},
        {"host-statistics", host_statistics, false},
        {"reread", reread, false},
        {"observe", observe, false},
        {"stop", stop, true},
    };
    int status = serve("device", verbs, sizeof verbs / sizeof *verbs, before);

    forget_driver();
    free(device.pages);
    return status;
}
