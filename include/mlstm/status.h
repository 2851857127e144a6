/* SPDX-License-Identifier: MIT */
#ifndef MLSTM_STATUS_H
#define MLSTM_STATUS_H

/**
 * @file status.h
 * @brief What a call answers, and the sentence that explains it.
 */

#include <stdint.h>

#include <mlstm/export.h>

#ifdef __cplusplus
extern "C" {
#endif

/** @defgroup status Statuses and errors
 * @{ */

/** Every status: name, value, general description. The values are fixed for ever. */
#define MLSTM_STATUS_MAP(X)                                                                        \
    X(MLSTM_OK, 0, "no error")                                                                     \
    X(MLSTM_ERROR_INVALID_ARGUMENT, 1, "an argument is NULL or outside its range")                 \
    X(MLSTM_ERROR_OUT_OF_MEMORY, 2, "the allocator gave no memory")                                \
    X(MLSTM_ERROR_TOO_LARGE, 3, "the sizes need more memory than can be addressed")                \
    X(MLSTM_ERROR_MISMATCH, 4, "sizes or handles do not belong together")                          \
    X(MLSTM_ERROR_OWNED, 5, "the cell already belongs to a stack")                                 \
    X(MLSTM_ERROR_ORDER, 6, "the call does not fit what was called before it")                     \
    X(MLSTM_ERROR_NOT_FOUND, 7, "there is nothing of that name")                                   \
    X(MLSTM_ERROR_NOT_FINITE, 8, "a number is NaN or infinite")                                    \
    X(MLSTM_ERROR_SYSTEM, 9, "the operating system refused")

/** The values of ::mlstm_status. */
enum mlstm_status_code {
#define MLSTM_STATUS_ENUMERATOR(name, value, text) name = value,
    MLSTM_STATUS_MAP(MLSTM_STATUS_ENUMERATOR)
#undef MLSTM_STATUS_ENUMERATOR
};

/** One of ::mlstm_status_code; ::MLSTM_OK is 0, every error is positive. */
typedef int32_t mlstm_status;

/**
 * The sentence of the last error on this thread, with the values that were wrong:
 * "layer 2 expects input size 4, got 5".
 *
 * @return a string of the calling thread, empty before the first error; the next failing call on
 *         this thread overwrites it, a call that succeeds leaves it alone
 */
MLSTM_API const char *mlstm_last_error(void);

/**
 * The name of a status, as in C: "MLSTM_ERROR_OUT_OF_MEMORY".
 *
 * @return a constant string, "unknown status" for a value that is none
 */
MLSTM_API const char *mlstm_status_name(mlstm_status status);

/**
 * What a status means in general: "the allocator gave no memory".
 *
 * @return a constant string, "unknown status" for a value that is none
 */
MLSTM_API const char *mlstm_status_text(mlstm_status status);

/** @} */

#ifdef __cplusplus
}
#endif

#endif
