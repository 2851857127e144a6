/* SPDX-License-Identifier: MIT */
#include "support.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

static void names_and_texts(void **state)
{
    (void)state;
    static const struct {
        mlstm_status status;
        const char *name, *text;
    } rows[] = {
#define ROW(name, value, text) {value, #name, text},
        MLSTM_STATUS_MAP(ROW)
#undef ROW
            {-1, "unknown status", "unknown status"},
        {10, "unknown status", "unknown status"},
        {INT32_MAX, "unknown status", "unknown status"},
        {INT32_MIN, "unknown status", "unknown status"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        assert_string_equal(mlstm_status_name(rows[i].status), rows[i].name);
        assert_string_equal(mlstm_status_text(rows[i].status), rows[i].text);
    }
}

static void values_are_fixed(void **state)
{
    (void)state;
    const int32_t values[] = {MLSTM_OK,
                              MLSTM_ERROR_INVALID_ARGUMENT,
                              MLSTM_ERROR_OUT_OF_MEMORY,
                              MLSTM_ERROR_TOO_LARGE,
                              MLSTM_ERROR_MISMATCH,
                              MLSTM_ERROR_OWNED,
                              MLSTM_ERROR_ORDER,
                              MLSTM_ERROR_NOT_FOUND,
                              MLSTM_ERROR_NOT_FINITE,
                              MLSTM_ERROR_SYSTEM};
    for (size_t i = 0; i < COUNT(values); i++)
        assert_int_equal(values[i], i);
    assert_int_equal(MLSTM_READOUT_C, 1);
    assert_int_equal(MLSTM_READOUT_H, 2);
    assert_int_equal(MLSTM_ZEROS, 0);
    assert_int_equal(MLSTM_UNIFORM, 1);
    assert_int_equal(MLSTM_GLOROT_UNIFORM, 2);
}

static void success_leaves_the_sentence(void **state)
{
    (void)state;
    mlstm_cell *cell;
    assert_status(mlstm_cell_create(-7, 4, &cell), MLSTM_ERROR_INVALID_ARGUMENT);
    assert_non_null(strstr(mlstm_last_error(), "-7"));
    assert_ok(mlstm_cell_create(7, 4, &cell));
    assert_non_null(strstr(mlstm_last_error(), "-7"));
    assert_status(mlstm_cell_set_forget_bias(NULL, 1), MLSTM_ERROR_INVALID_ARGUMENT);
    assert_null(strstr(mlstm_last_error(), "-7"));
    mlstm_cell_destroy(cell);
}

static void *other_thread(void *argument)
{
    char(*sentences)[200] = argument;
    mlstm_cell *cell;
    snprintf(sentences[0], sizeof sentences[0], "%s", mlstm_last_error());
    mlstm_cell_create(-8, 4, &cell);
    snprintf(sentences[1], sizeof sentences[1], "%s", mlstm_last_error());
    return NULL;
}

static void each_thread_has_its_sentence(void **state)
{
    (void)state;
    char sentences[2][200];
    pthread_t thread;
    mlstm_cell *cell;
    mlstm_cell_create(-7, 4, &cell);
    assert_int_equal(pthread_create(&thread, NULL, other_thread, sentences), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_string_equal(sentences[0], "");
    assert_non_null(strstr(sentences[1], "-8"));
    assert_non_null(strstr(mlstm_last_error(), "-7"));
}

static void version_is_the_header_s(void **state)
{
    (void)state;
    char version[40];
    snprintf(version, sizeof version, "%d.%d.%d", MLSTM_VERSION_MAJOR, MLSTM_VERSION_MINOR,
             MLSTM_VERSION_PATCH);
    assert_string_equal(mlstm_version(), version);
    assert_int_equal(mlstm_version_number(), MLSTM_VERSION_NUMBER);
    assert_non_null(strstr("avx512 avx2 neon portable", mlstm_isa()));
}

/* For comparisons a later version must be the larger number, also to the preprocessor. */
static void version_numbers_are_ordered(void **state)
{
    (void)state;
#if MLSTM_VERSION_NUMBER < 400
    fail_msg("the preprocessor reads %d", MLSTM_VERSION_NUMBER);
#endif
    assert_true(MLSTM_VERSION_MINOR < 100 && MLSTM_VERSION_PATCH < 100);
    assert_int_equal(MLSTM_VERSION_NUMBER / 10000, MLSTM_VERSION_MAJOR);
    assert_int_equal(MLSTM_VERSION_NUMBER / 100 % 100, MLSTM_VERSION_MINOR);
    assert_int_equal(MLSTM_VERSION_NUMBER % 100, MLSTM_VERSION_PATCH);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_and_texts),
        cmocka_unit_test(values_are_fixed),
        cmocka_unit_test(success_leaves_the_sentence),
        cmocka_unit_test(each_thread_has_its_sentence),
        cmocka_unit_test(version_is_the_header_s),
        cmocka_unit_test(version_numbers_are_ordered),
    };
    return cmocka_run_group_tests_name("status", tests, NULL, NULL);
}
