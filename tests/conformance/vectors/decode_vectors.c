/* Decodes one vector of each structure with code of its own, and compares with numbers written by hand. */
#include "balloon_vectors.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void expect(const char *what, uint64_t seen, uint64_t wanted) {
    if (seen != wanted) {
        fprintf(stderr, "%s is %llu, expected %llu\n", what, (unsigned long long)seen, (unsigned long long)wanted);
        exit(1);
    }
}

static uint64_t little(const uint8_t *at, int bytes) {
    uint64_t number = 0;
    while (bytes--)
        number = number << 8 | at[bytes];
    return number;
}

static const struct balloon_step *step_of(const char *id, size_t number, const char *structure) {
    for (size_t i = 0; i < BALLOON_VECTOR_COUNT; i++)
        if (!strcmp(balloon_vectors[i].id, id) && number <= balloon_vectors[i].step_count) {
            const struct balloon_step *step = &balloon_vectors[i].steps[number - 1];
            if (step->structure && !strcmp(step->structure, structure))
                return step;
        }
    fprintf(stderr, "step %zu of %s is no %s\n", number, id, structure);
    exit(1);
}

static void message(void) {
    const struct balloon_step *step = step_of("inflate-two-runs", 5, "response-message");
    expect("length of the message", step->length, 40);
    expect("cmd", step->data[0], 0);
    expect("flag", step->data[1], 0);
    expect("id", little(step->data + 2, 2), 0);
    expect("data_len", little(step->data + 4, 4), 32);
    expect("first page", little(step->data + 8, 8) >> 12, 0x1000);
    expect("pages", little(step->data + 16, 8) >> 12, 16);
    expect("reserved", (little(step->data + 8, 8) | little(step->data + 16, 8)) & 0xfff, 0);
    expect("second page", little(step->data + 24, 8) >> 12, 0x2400);
    expect("second pages", little(step->data + 32, 8) >> 12, 3);
}

static void array(void) {
    const struct balloon_step *step = step_of("actual-reads-back", 1, "pfn-array");
    expect("length of the array", step->length, 12);
    expect("pfn[0]", little(step->data, 4), 0x1000);
    expect("pfn[1]", little(step->data + 4, 4), 0x1001);
    expect("pfn[2]", little(step->data + 8, 4), 0x1234);
}

static void statistics(void) {
    const struct balloon_step *step = step_of("inflate-two-runs", 1, "statistics");
    expect("length of the statistics", step->length, 10);
    expect("tag", little(step->data, 2), 4);
    expect("value", little(step->data + 2, 8), 16777216);
}

static void request(void) {
    const struct balloon_step *step = step_of("available-deflate-first-inflate-second-last", 8, "host-request");
    expect("length of the request", step->length, 16);
    expect("cmd", little(step->data, 2), 0);
    expect("reserved", little(step->data + 2, 4) | little(step->data + 6, 2), 0);
    expect("param", little(step->data + 8, 8), 0x1234);
}

static void configuration(void) {
    const struct balloon_step *step = step_of("configuration-layout", 6, "configuration");
    expect("length of the configuration", step->length, 8);
    expect("num_pages", little(step->data, 4), 4660);
    expect("actual", little(step->data + 4, 4), 3);
}

int main(void) {
    message();
    array();
    statistics();
    request();
    configuration();
    puts("5 structures decoded");
    return 0;
}
