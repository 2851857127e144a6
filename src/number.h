/* SPDX-License-Identifier: MIT */
#ifndef NUMBER_H
#define NUMBER_H

/*
 * Checks of settings that are numbers, the same in every floating-point mode of the caller: NaN
 * raises no flag, and a denormal is refused, for it is 0 in the library's mode and may be none in
 * the caller's.
 */

#include <float.h>
#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "status.h"

/* By its bits, as a comparison may take a denormal for 0. */
static inline bool is_zero(float number)
{
    uint32_t bits;
    memcpy(&bits, &number, sizeof bits);
    return bits << 1 == 0;
}

/* Normal and above 0. */
static inline bool is_positive(float number)
{
    return isgreaterequal(number, FLT_MIN) && number <= FLT_MAX;
}

#define REQUIRE_FINITE(number)                                                                     \
    REQUIRE(isfinite(number), MLSTM_ERROR_INVALID_ARGUMENT, "%s must be finite, got %g", #number,  \
            (double)(number))

#define REQUIRE_POSITIVE(number)                                                                   \
    REQUIRE(is_positive(number), MLSTM_ERROR_INVALID_ARGUMENT,                                     \
            "%s must be finite, above 0 and no denormal, got %g", #number, (double)(number))

#define REQUIRE_NOT_NEGATIVE(number)                                                               \
    REQUIRE(is_zero(number) || is_positive(number), MLSTM_ERROR_INVALID_ARGUMENT,                  \
            "%s must be finite, at least 0 and no denormal, got %g", #number, (double)(number))

#define REQUIRE_BELOW_1(number)                                                                    \
    REQUIRE(is_zero(number) || (is_positive(number) && (number) < 1.0f),                           \
            MLSTM_ERROR_INVALID_ARGUMENT,                                                          \
            "%s must be at least 0, below 1 and no denormal, got %g", #number, (double)(number))

#define REQUIRE_0_TO_1(number)                                                                     \
    REQUIRE(is_zero(number) || (is_positive(number) && (number) <= 1.0f),                          \
            MLSTM_ERROR_INVALID_ARGUMENT, "%s must be 0 to 1 and no denormal, got %g", #number,    \
            (double)(number))

#endif
