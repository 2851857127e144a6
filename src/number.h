/* SPDX-License-Identifier: MIT */
#ifndef NUMBER_H
#define NUMBER_H

/*
 * Checks of settings that are numbers. They look at bits alone, which raises no flag and is the
 * same in every floating-point mode of the caller. A denormal is refused where a setting must not
 * be negative, for it is 0 in the library's mode and may be none in the caller's.
 */

#include <float.h>
#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "status.h"

/* Integers in the order of the numbers; NaN is beyond the infinities. */
static inline int32_t number_order(float number)
{
    int32_t bits;
    memcpy(&bits, &number, sizeof bits);
    return bits < 0 ? INT32_MIN - bits : bits;
}

/* For a sentence: the same number as a double. */
double number_widen(float number);

static inline bool is_within(float number, float low, float high)
{
    return number_order(number) >= number_order(low) && number_order(number) <= number_order(high);
}

static inline bool is_finite(float number)
{
    return is_within(number, -FLT_MAX, FLT_MAX);
}

/* Normal and above 0. */
static inline bool is_positive(float number)
{
    return is_within(number, FLT_MIN, FLT_MAX);
}

/* No denormal, and not negative. */
static inline bool is_zero_to(float number, float high)
{
    return number_order(number) == 0 || is_within(number, FLT_MIN, high);
}

#define REQUIRE_FINITE(number)                                                                     \
    REQUIRE(is_finite(number), MLSTM_ERROR_INVALID_ARGUMENT, "%s must be finite, got %g", #number, \
            number_widen(number))

#define REQUIRE_POSITIVE(number)                                                                   \
    REQUIRE(is_positive(number), MLSTM_ERROR_INVALID_ARGUMENT,                                     \
            "%s must be finite, above 0 and no denormal, got %g", #number, number_widen(number))

#define REQUIRE_NOT_NEGATIVE(number)                                                               \
    REQUIRE(is_zero_to(number, FLT_MAX), MLSTM_ERROR_INVALID_ARGUMENT,                             \
            "%s must be finite, at least 0 and no denormal, got %g", #number,                      \
            number_widen(number))

#define REQUIRE_BELOW_1(number)                                                                    \
    REQUIRE(is_zero_to(number, 1.0f - FLT_EPSILON / 2), MLSTM_ERROR_INVALID_ARGUMENT,              \
            "%s must be at least 0, below 1 and no denormal, got %g", #number,                     \
            number_widen(number))

#define REQUIRE_0_TO_1(number)                                                                     \
    REQUIRE(is_zero_to(number, 1.0f), MLSTM_ERROR_INVALID_ARGUMENT,                                \
            "%s must be 0 to 1 and no denormal, got %g", #number, number_widen(number))

#endif
