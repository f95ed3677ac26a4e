/* Prints all that the header says of every vector: a line each, and a line for each of its steps. */
#include "balloon_vectors.h"

#include <inttypes.h>
#include <stdio.h>

static void text(const char *value) {
    printf("|%s", value ? value : "-");
}

static void features(const struct balloon_features *sets) {
    if (sets)
        printf("|%" PRIx64 ",%" PRIx64 ",%d", sets->offered, sets->accepted, sets->features_ok);
    else
        printf("|-");
}

static void runs(const struct balloon_run *run, size_t count) {
    printf("|");
    for (size_t i = 0; i < count; i++)
        printf("%" PRIx64 "+%" PRIx64 " ", run[i].first, run[i].count);
}

static void print_step(const struct balloon_step *step) {
    printf("step");
    text(step->by);
    text(step->action);
    text(step->condition);
    text(step->shows);
    text(step->buffer);
    text(step->word);
    printf("|%d|%zu|", step->queue, step->length);
    for (size_t i = 0; i < step->length; i++)
        printf("%02x", step->data[i]);
    printf("|");
    for (size_t i = 0; i < step->cuts; i++)
        printf("%" PRIu32 " ", step->cut[i]);
    printf("|%d|%" PRIu32 "|%" PRIu64, step->notify, step->number, step->value);
    features(step->features);
    runs(step->pages, step->page_runs);
    runs(step->kept, step->kept_runs);
    printf("|");
    for (size_t i = 0; i < step->segment_count; i++) {
        const struct balloon_segment *segment = &step->segments[i];
        printf("%" PRIx64 ",%d,%" PRIu32 ",%d ", segment->address, segment->placed, segment->length, segment->writable);
    }
    printf("\n");
}

int main(void) {
    for (size_t v = 0; v < BALLOON_VECTOR_COUNT; v++) {
        const struct balloon_vector *vector = &balloon_vectors[v];
        printf("vector");
        text(vector->id);
        text(vector->area);
        text(vector->title);
        text(vector->profile);
        text(vector->kind);
        text(vector->sides);
        text(vector->requirements);
        text(vector->breaks);
        features(&vector->features);
        printf("|%" PRIu64, vector->memory_pages);
        runs(vector->holes, vector->hole_count);
        printf("|%zu\n", vector->step_count);
        for (size_t s = 0; s < vector->step_count; s++)
            print_step(&vector->steps[s]);
    }
}
