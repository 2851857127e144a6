/* SPDX-License-Identifier: MIT */
#include "number.h"

/* The conversion of a denormal would raise a flag, that of a signalling NaN could trap. */
double number_widen(float number)
{
    uint32_t bits;
    memcpy(&bits, &number, sizeof bits);
    const uint32_t exponent = bits >> 23 & 0xff, fraction = bits & 0x7fffff;
    const double sign = bits >> 31 ? -1.0 : 1.0;
    if (exponent == 0xff)
        return fraction ? (double)NAN : sign * (double)INFINITY;
    return sign * (exponent ? ldexp((double)(fraction | 0x800000), (int)exponent - 150)
                            : (double)fraction * 0x1p-149);
}
