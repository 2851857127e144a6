/* SPDX-License-Identifier: MIT */
#ifndef MLSTM_VERSION_H
#define MLSTM_VERSION_H

/**
 * @file version.h
 * @brief Which library this is, and which kernels it runs.
 */

#include <mlstm/export.h>

#ifdef __cplusplus
extern "C" {
#endif

/** @defgroup version Version
 * @{ */

#define MLSTM_VERSION_MAJOR 0 /**< Raised when a program has to be changed or compiled again. */
#define MLSTM_VERSION_MINOR 3 /**< Raised when something is added. */
#define MLSTM_VERSION_PATCH 0 /**< Raised when something is mended. */

/**
 * The version of the library that is linked, as "0.3.0"; may differ from the header's where the
 * library is shared.
 *
 * @return a string that lives as long as the library
 */
MLSTM_API const char *mlstm_version(void);

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
