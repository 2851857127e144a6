/* SPDX-License-Identifier: MIT */
#include "cell.h"

#include "alloc.h"
#include "number.h"
#include "status.h"

/* `function` is the public one that was called. */
static mlstm_status create(const char *function, const mlstm_allocator *allocator, int32_t input,
                           int32_t hidden, mlstm_cell **cell)
{
    if (!cell)
        return fail(MLSTM_ERROR_INVALID_ARGUMENT, "%s: cell is NULL", function);
    if (input < 1)
        return fail(MLSTM_ERROR_INVALID_ARGUMENT, "%s: input_size must be at least 1, got %d",
                    function, input);
    if (hidden < 1)
        return fail(MLSTM_ERROR_INVALID_ARGUMENT, "%s: hidden_size must be at least 1, got %d",
                    function, hidden);
    /* Kernels count rows and columns in int32_t, with room for a last panel that is not full. */
    if (hidden > INT32_MAX / 8 || input > INT32_MAX / 2 - hidden)
        return fail(MLSTM_ERROR_TOO_LARGE, "%s: a kernel of [%d + %d, 4 * %d] cannot be addressed",
                    function, input, hidden, hidden);
    mlstm_cell *made = allocate(allocator, sizeof *made);
    if (!made)
        return fail(MLSTM_ERROR_OUT_OF_MEMORY, "%s: the allocator gave no memory", function);
    *made = (mlstm_cell){
        .allocator = *allocator,
        .options = {
            .input = input, .hidden = hidden, .forget_bias = 1.0f, .biases = 1, .epsilon = 1e-5f}};
    *cell = made;
    return MLSTM_OK;
}

mlstm_status mlstm_cell_create(int32_t input_size, int32_t hidden_size, mlstm_cell **cell)
{
    return create(__func__, &default_allocator, input_size, hidden_size, cell);
}

mlstm_status mlstm_cell_create_with_allocator(const mlstm_allocator *allocator, int32_t input_size,
                                              int32_t hidden_size, mlstm_cell **cell)
{
    REQUIRE_POINTER(allocator);
    REQUIRE(allocator->allocate && allocator->release, MLSTM_ERROR_INVALID_ARGUMENT, "%s",
            "a function of the allocator is NULL");
    return create(__func__, allocator, input_size, hidden_size, cell);
}

void mlstm_cell_destroy(mlstm_cell *cell)
{
    if (!cell || cell->owned)
        return;
    const mlstm_allocator allocator = cell->allocator;
    release(&allocator, cell);
}

#define REQUIRE_OPEN(cell)                                                                         \
    REQUIRE_POINTER(cell);                                                                         \
    REQUIRE(!(cell)->owned, MLSTM_ERROR_OWNED, "%s",                                               \
            "the cell belongs to a stack: its options are settled")

#define REQUIRE_CHOICE(value, last)                                                                \
    REQUIRE((value) >= 0 && (value) <= (last), MLSTM_ERROR_INVALID_ARGUMENT,                       \
            "%s must be 0 to %d, got %d", #value, (int)(last), (int)(value))

mlstm_status mlstm_cell_set_forget_bias(mlstm_cell *cell, float forget_bias)
{
    REQUIRE_OPEN(cell);
    REQUIRE_FINITE(forget_bias);
    cell->options.forget_bias = forget_bias;
    return MLSTM_OK;
}

mlstm_status mlstm_cell_set_biases(mlstm_cell *cell, int32_t biases)
{
    REQUIRE_OPEN(cell);
    REQUIRE_CHOICE(biases, 2);
    cell->options.biases = biases;
    return MLSTM_OK;
}

mlstm_status mlstm_cell_set_peepholes(mlstm_cell *cell, int32_t peepholes)
{
    REQUIRE_OPEN(cell);
    REQUIRE_CHOICE(peepholes, 1);
    cell->options.peepholes = peepholes;
    return MLSTM_OK;
}

mlstm_status mlstm_cell_set_projection(mlstm_cell *cell, int32_t projection)
{
    REQUIRE_OPEN(cell);
    REQUIRE(projection >= 0, MLSTM_ERROR_INVALID_ARGUMENT, "projection must be at least 0, got %d",
            projection);
    REQUIRE(projection <= INT32_MAX / 8 && cell->options.input <= INT32_MAX / 2 - projection,
            MLSTM_ERROR_TOO_LARGE, "a kernel of [%d + %d, 4 * %d] cannot be addressed",
            cell->options.input, projection, cell->options.hidden);
    cell->options.projection = projection;
    return MLSTM_OK;
}

mlstm_status mlstm_cell_set_projection_clip(mlstm_cell *cell, float clip)
{
    REQUIRE_OPEN(cell);
    REQUIRE_NOT_NEGATIVE(clip);
    cell->options.projection_clip = clip;
    return MLSTM_OK;
}

mlstm_status mlstm_cell_set_cell_clip(mlstm_cell *cell, float clip)
{
    REQUIRE_OPEN(cell);
    REQUIRE_NOT_NEGATIVE(clip);
    cell->options.cell_clip = clip;
    return MLSTM_OK;
}

mlstm_status mlstm_cell_set_coupled(mlstm_cell *cell, int32_t coupled)
{
    REQUIRE_OPEN(cell);
    REQUIRE_CHOICE(coupled, 1);
    cell->options.coupled = coupled;
    return MLSTM_OK;
}

mlstm_status mlstm_cell_set_norm(mlstm_cell *cell, int32_t norm, float epsilon)
{
    REQUIRE_OPEN(cell);
    REQUIRE_CHOICE(norm, MLSTM_NORM_PRODUCTS);
    if (norm)
        REQUIRE_POSITIVE(epsilon);
    cell->options.norm = norm;
    if (norm)
        cell->options.epsilon = epsilon;
    return MLSTM_OK;
}

mlstm_status mlstm_cell_set_zoneout(mlstm_cell *cell, float c_rate, float h_rate)
{
    REQUIRE_OPEN(cell);
    REQUIRE_BELOW_1(c_rate);
    REQUIRE_BELOW_1(h_rate);
    cell->options.zoneout_c = c_rate;
    cell->options.zoneout_h = h_rate;
    return MLSTM_OK;
}

mlstm_status mlstm_cell_set_dropout(mlstm_cell *cell, float rate, int32_t mask)
{
    REQUIRE_OPEN(cell);
    REQUIRE_BELOW_1(rate);
    REQUIRE_CHOICE(mask, MLSTM_MASK_SEQUENCE);
    cell->options.dropout = rate;
    cell->options.dropout_mask = mask;
    return MLSTM_OK;
}

mlstm_status mlstm_cell_set_recurrent_dropout(mlstm_cell *cell, float rate, int32_t what,
                                              int32_t mask)
{
    REQUIRE_OPEN(cell);
    REQUIRE_BELOW_1(rate);
    REQUIRE_CHOICE(what, MLSTM_DROP_CANDIDATE);
    REQUIRE_CHOICE(mask, MLSTM_MASK_SEQUENCE);
    cell->options.recurrent_dropout = rate;
    cell->options.recurrent_what = what;
    cell->options.recurrent_mask = mask;
    return MLSTM_OK;
}

mlstm_status mlstm_cell_set_skip(mlstm_cell *cell, int32_t skip)
{
    REQUIRE_OPEN(cell);
    REQUIRE_CHOICE(skip, MLSTM_SKIP_HIGHWAY);
    cell->options.skip = skip;
    return MLSTM_OK;
}

mlstm_status mlstm_cell_set_bidirectional(mlstm_cell *cell, int32_t merge)
{
    REQUIRE_OPEN(cell);
    REQUIRE_CHOICE(merge, MLSTM_MERGE_SUM);
    cell->options.merge = merge;
    return MLSTM_OK;
}

mlstm_status mlstm_cell_set_learned_state(mlstm_cell *cell, int32_t learned)
{
    REQUIRE_OPEN(cell);
    REQUIRE_CHOICE(learned, 1);
    cell->options.learned = learned;
    return MLSTM_OK;
}

int32_t mlstm_cell_input_size(const mlstm_cell *cell)
{
    return cell ? cell->options.input : 0;
}

int32_t mlstm_cell_hidden_size(const mlstm_cell *cell)
{
    return cell ? cell->options.hidden : 0;
}

int32_t mlstm_cell_recurrent_size(const mlstm_cell *cell)
{
    return cell ? options_recurrent(&cell->options) : 0;
}

int32_t mlstm_cell_output_size(const mlstm_cell *cell)
{
    return cell ? options_recurrent(&cell->options) * options_times(&cell->options) : 0;
}

int32_t mlstm_cell_output_c_size(const mlstm_cell *cell)
{
    return cell ? cell->options.hidden * options_times(&cell->options) : 0;
}

float mlstm_cell_forget_bias(const mlstm_cell *cell)
{
    return cell ? cell->options.forget_bias : 0.0f;
}

int32_t mlstm_cell_biases(const mlstm_cell *cell)
{
    return cell ? cell->options.biases : 0;
}

int32_t mlstm_cell_peepholes(const mlstm_cell *cell)
{
    return cell ? cell->options.peepholes : 0;
}

int32_t mlstm_cell_projection(const mlstm_cell *cell)
{
    return cell ? cell->options.projection : 0;
}

float mlstm_cell_projection_clip(const mlstm_cell *cell)
{
    return cell ? cell->options.projection_clip : 0.0f;
}

float mlstm_cell_cell_clip(const mlstm_cell *cell)
{
    return cell ? cell->options.cell_clip : 0.0f;
}

int32_t mlstm_cell_coupled(const mlstm_cell *cell)
{
    return cell ? cell->options.coupled : 0;
}

int32_t mlstm_cell_norm(const mlstm_cell *cell, float *epsilon)
{
    if (cell && epsilon)
        *epsilon = cell->options.epsilon;
    return cell ? cell->options.norm : 0;
}

mlstm_status mlstm_cell_zoneout(const mlstm_cell *cell, float *c_rate, float *h_rate)
{
    REQUIRE_POINTER(cell);
    if (c_rate)
        *c_rate = cell->options.zoneout_c;
    if (h_rate)
        *h_rate = cell->options.zoneout_h;
    return MLSTM_OK;
}

float mlstm_cell_dropout(const mlstm_cell *cell, int32_t *mask)
{
    if (cell && mask)
        *mask = cell->options.dropout_mask;
    return cell ? cell->options.dropout : 0.0f;
}

float mlstm_cell_recurrent_dropout(const mlstm_cell *cell, int32_t *what, int32_t *mask)
{
    if (cell && what)
        *what = cell->options.recurrent_what;
    if (cell && mask)
        *mask = cell->options.recurrent_mask;
    return cell ? cell->options.recurrent_dropout : 0.0f;
}

int32_t mlstm_cell_skip(const mlstm_cell *cell)
{
    return cell ? cell->options.skip : 0;
}

int32_t mlstm_cell_bidirectional(const mlstm_cell *cell)
{
    return cell ? cell->options.merge : 0;
}

int32_t mlstm_cell_learned_state(const mlstm_cell *cell)
{
    return cell ? cell->options.learned : 0;
}
