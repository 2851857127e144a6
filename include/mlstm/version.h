/* SPDX-License-Identifier: MIT */
#ifndef MLSTM_VERSION_H
#define MLSTM_VERSION_H

/**
 * @file version.h
 * @brief Which library this is, and which kernels it runs.
 */

#include <stdint.h>

#include <mlstm/export.h>

#ifdef __cplusplus
extern "C" {
#endif

/** @defgroup version Version
 * @{ */

#define MLSTM_VERSION_MAJOR 0 /**< Raised when a program has to be changed or compiled again. */
#define MLSTM_VERSION_MINOR 4 /**< Raised when something is added. */
#define MLSTM_VERSION_PATCH 0 /**< Raised when something is mended. */

/**
 * The header's version as one number to compare, such as 400 for 0.4.0 and 10203 for 1.2.3; the
 * preprocessor can, too: `#if MLSTM_VERSION_NUMBER >= 400`. Minor and patch stay below 100.
 */
#define MLSTM_VERSION_NUMBER                                                                       \
    (MLSTM_VERSION_MAJOR * 10000 + MLSTM_VERSION_MINOR * 100 + MLSTM_VERSION_PATCH)

/**
 * The version of the library that is linked, as "0.4.0"; may differ from the header's where the
 * library is shared.
 *
 * @return a string that lives as long as the library
 */
MLSTM_API const char *mlstm_version(void);

/**
 * The same as a number to compare, that of ::MLSTM_VERSION_NUMBER when the library was built. A
 * shared library with a number below the header's may lack functions that the header has. Like
 * the rest of this header it may be called from any thread at any time.
 */
MLSTM_API int32_t mlstm_version_number(void);

/**
 * The instruction set whose kernels this process runs: "avx512", "avx2", "neon" or "portable".
 *
 * It is chosen once, when the library is first used: the best that the processor has, or the one
 * that the environment variable `MLSTM_ISA` names, where the processor has it.
 *
 * @return a string that lives as long as the library
 */
MLSTM_API const char *mlstm_isa(void);

/** @} */

#ifdef __cplusplus
}
#endif

#endif
