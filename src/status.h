/* SPDX-License-Identifier: MIT */
#ifndef STATUS_H
#define STATUS_H

#include <mlstm/status.h>

/* Sets the sentence of the last error; returns `status`. */
__attribute__((format(printf, 2, 3))) mlstm_status fail(mlstm_status status, const char *format,
                                                        ...);

/* Returns from a public function, with its name before the sentence, unless the condition holds. */
#define REQUIRE(condition, status, format, ...)                                                    \
    do {                                                                                           \
        if (!(condition))                                                                          \
            return fail(status, "%s: " format, __func__, __VA_ARGS__);                             \
    } while (0)

#define REQUIRE_POINTER(pointer)                                                                   \
    REQUIRE((pointer) != NULL, MLSTM_ERROR_INVALID_ARGUMENT, "%s is NULL", #pointer)

#define REQUIRE_COUNT(count, expected)                                                             \
    REQUIRE((count) == (expected), MLSTM_ERROR_MISMATCH, "expected %zu numbers, got %zu",          \
            (size_t)(expected), (size_t)(count))

#define REQUIRE_MEMORY(pointer)                                                                    \
    REQUIRE((pointer) != NULL, MLSTM_ERROR_OUT_OF_MEMORY, "%s", "the allocator gave no memory")

#endif
