/* SPDX-License-Identifier: MIT */
#include "combinations.h"

#include <assert.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

/* An option of a layer; or of the batch, that rows have lengths. */
struct option {
    const char *name;
    struct layer_options layer;
    bool lengths;
};

static const struct option options[] = {
    {"no bias", {.more_biases = -1}},
    {"two biases", {.more_biases = 1}},
    {"peepholes", {.peepholes = 1}},
    {"projection", {.projection = 3}},
    {"projection clip", {.projection_clip = 0.15f}},
    {"cell clip", {.cell_clip = 0.5f}},
    {"coupled", {.coupled = 1}},
    {"norm of gates", {.norm = MLSTM_NORM_GATES, .epsilon = 0.05f}},
    {"norm of products", {.norm = MLSTM_NORM_PRODUCTS, .epsilon = 0.05f}},
    {"zoneout of c", {.zoneout_c = 0.4f}},
    {"zoneout of h", {.zoneout_h = 0.3f}},
    {"dropout by step", {.dropout = 0.4f}},
    {"dropout by sequence", {.dropout = 0.4f, .dropout_mask = MLSTM_MASK_SEQUENCE}},
    {"dropout of h by step", {.recurrent_dropout = 0.3f}},
    {"dropout of h by sequence",
     {.recurrent_dropout = 0.3f, .recurrent_mask = MLSTM_MASK_SEQUENCE}},
    {"dropout of j by step", {.recurrent_dropout = 0.4f, .recurrent_what = MLSTM_DROP_CANDIDATE}},
    {"dropout of j by sequence",
     {.recurrent_dropout = 0.4f,
      .recurrent_what = MLSTM_DROP_CANDIDATE,
      .recurrent_mask = MLSTM_MASK_SEQUENCE}},
    {"residual", {.skip = MLSTM_SKIP_RESIDUAL}},
    {"highway", {.skip = MLSTM_SKIP_HIGHWAY}},
    {"both directions concatenated", {.merge = MLSTM_MERGE_CONCAT}},
    {"both directions summed", {.merge = MLSTM_MERGE_SUM}},
    {"learned state", {.learned = 1}},
    {"lengths", {0}, .lengths = true},
};

/* Options as words, each 0 or set. */
enum { WORDS = sizeof(struct layer_options) / sizeof(uint32_t) };
static_assert(WORDS == 18, "every option is a word");

/* Whether two options set nothing that is the same. */
static bool agree(const struct layer_options *a, const struct layer_options *b)
{
    uint32_t words_a[WORDS], words_b[WORDS];
    memcpy(words_a, a, sizeof words_a);
    memcpy(words_b, b, sizeof words_b);
    for (int i = 0; i < WORDS; i++)
        if (words_a[i] && words_b[i])
            return false;
    return true;
}

static void add_name(struct combination *c, const char *name)
{
    const size_t used = strlen(c->name);
    snprintf(c->name + used, sizeof c->name - used, "%s%s", used ? ", " : "", name);
}

/* Adds an option to those of a layer, with which it agrees. */
static void add_option(struct combination *c, int32_t layer, const struct option *option)
{
    uint32_t to[WORDS], from[WORDS];
    char name[64];
    memcpy(to, &c->shape.options[layer], sizeof to);
    memcpy(from, &option->layer, sizeof from);
    for (int i = 0; i < WORDS; i++)
        to[i] |= from[i];
    memcpy(&c->shape.options[layer], to, sizeof to);
    if (option->lengths)
        c->shape.lengths = c->lengths;
    if (option->layer.learned)
        c->shape.begins = 1;
    snprintf(name, sizeof name, "%d: %s", layer, option->name);
    add_name(c, name);
}

/* Makes layers with a skip as wide as what they read; where that cannot be, they lose it. */
static void fit_skips(struct shape *s)
{
    for (int32_t l = 0; l < s->layers; l++) {
        struct layer_options *o = &s->options[l];
        const int32_t times = o->merge == MLSTM_MERGE_CONCAT ? 2 : 1;
        if (layer_input(s, l) % times != 0)
            o->skip = MLSTM_SKIP_NONE;
        if (o->skip)
            *(o->projection ? &o->projection : &s->sizes[l + 1]) = layer_input(s, l) / times;
    }
}

static void finish(struct combination *c, void (*call)(const struct combination *c))
{
    fit_skips(&c->shape);
    if (c->shape.training)
        add_name(c, "training");
    call(c);
}

/* Two layers; rows that end before, with and after the window. */
static struct combination two_layers(int32_t seed, int32_t training)
{
    return (struct combination){
        .shape = {.batch = 5,
                  .steps = 4,
                  .layers = 2,
                  .sizes = {6, 5, 4},
                  .outputs = 3,
                  .sources = seed % 4,
                  .forget_bias = 1,
                  .training = training,
                  .seed = 77 + (uint64_t)seed},
        .lengths = {3, 0, 6, 1, 4},
        .seed = (uint64_t)seed,
    };
}

void for_each_option(void (*call)(const struct combination *c))
{
    for (int32_t i = 0; i < 2 * (int32_t)COUNT(options); i++) {
        struct combination c = two_layers(i, i % 2);
        add_option(&c, 0, &options[i / 2]);
        add_option(&c, 1, &options[i / 2]);
        finish(&c, call);
    }
}

static void both_in_both(int32_t a, int32_t b, int32_t training,
                         void (*call)(const struct combination *c))
{
    struct combination c = two_layers(a + b + training, training);
    for (int32_t layer = 0; layer < 2; layer++) {
        add_option(&c, layer, &options[a]);
        add_option(&c, layer, &options[b]);
    }
    finish(&c, call);
}

static void one_in_each(int32_t a, int32_t b, void (*call)(const struct combination *c))
{
    struct combination c = two_layers(a + 2 * b, 1);
    add_option(&c, 0, &options[a]);
    add_option(&c, 1, &options[b]);
    finish(&c, call);
}

void for_each_pair(void (*call)(const struct combination *c))
{
    for (int32_t a = 0; a < (int32_t)COUNT(options); a++)
        for (int32_t b = 0; b < a; b++) {
            one_in_each(a, b, call);
            one_in_each(b, a, call);
            if (!agree(&options[a].layer, &options[b].layer))
                continue;
            both_in_both(a, b, 0, call);
            both_in_both(a, b, 1, call);
        }
}

/* Other numbers than the table's. */
static void vary(struct random *random, struct layer_options *o, int32_t largest_size)
{
    float *const numbers[] = {&o->projection_clip,  &o->cell_clip, &o->epsilon,
                              &o->zoneout_c,        &o->zoneout_h, &o->dropout,
                              &o->recurrent_dropout};
    for (size_t i = 0; i < COUNT(numbers); i++)
        *numbers[i] *= random_between(random, 0.5f, 2);
    if (o->projection)
        o->projection = random_integer(random, 1, largest_size);
}

/* From nearly all that agree to nearly none. */
static void add_options(struct random *random, struct combination *c, int32_t layer,
                        int32_t largest_size)
{
    const int32_t count = COUNT(options), first = random_integer(random, 0, count - 1);
    const int32_t rarity = random_integer(random, 1, 10);
    for (int32_t i = first; i < first + count; i++)
        if (random_integer(random, 0, rarity) == 0 &&
            agree(&c->shape.options[layer], &options[i % count].layer))
            add_option(c, layer, &options[i % count]);
    vary(random, &c->shape.options[layer], largest_size);
}

struct shape random_shape(struct random *random, int32_t largest_size, int32_t sources)
{
    struct shape s = {.layers = random_integer(random, 1, MAX_LAYERS), .sources = sources};
    s.batch = random_integer(random, 1, 9);
    s.steps = random_integer(random, 1, 12);
    s.outputs = random_integer(random, 1, largest_size);
    s.forget_bias = random_between(random, -1, 2);
    for (int32_t l = 0; l <= s.layers; l++)
        s.sizes[l] = random_integer(random, 1, largest_size);
    return s;
}

void for_each_combination(int32_t count, int32_t largest_size,
                          void (*call)(const struct combination *c))
{
    for (int32_t i = 0; i < count; i++) {
        struct random random = {1000 + (uint64_t)i};
        struct combination c = {random_shape(&random, largest_size, i % 4), .seed = (uint64_t)i};
        struct shape *s = &c.shape;
        s->training = random_integer(&random, 0, 1);
        s->seed = (uint64_t)i << 30;
        for (int32_t row = 0; row < s->batch; row++)
            c.lengths[row] = random_integer(&random, 0, s->steps + 2);
        for (int32_t l = 0; l < s->layers; l++)
            add_options(&random, &c, l, largest_size);
        s->begins = random_integer(&random, 0, 1);
        finish(&c, call);
    }
}
