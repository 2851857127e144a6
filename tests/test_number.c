/* SPDX-License-Identifier: MIT */
#include "number.h"

#include <fenv.h>

#include "support.h"

static float of_bits(uint32_t bits)
{
    float number;
    memcpy(&number, &bits, sizeof number);
    return number;
}

/* Of every exponent and either sign, as the processor has it; NaN stays NaN. */
static void widened_numbers_are_the_same(void **state)
{
    (void)state;
    static const uint32_t fractions[] = {0, 1, 0x2aaaaa, 0x400000, 0x7fffff};
    for (uint32_t top = 0; top < 512; top++)
        for (size_t i = 0; i < COUNT(fractions); i++) {
            const float number = of_bits(top << 23 | fractions[i]);
            const double expected = (double)number, got = number_widen(number);
            if (isnan(number))
                assert_true(isnan(got));
            else
                assert_memory_equal(&got, &expected, sizeof got);
        }
}

static void widening_raises_no_flag(void **state)
{
    (void)state;
    static const uint32_t bits[] = {1, 0x807fffff, 0x7f800001, 0x7fc00000, 0xff800000};
    for (size_t i = 0; i < COUNT(bits); i++) {
        const float number = of_bits(bits[i]);
        feclearexcept(FE_ALL_EXCEPT);
        number_widen(number);
        assert_int_equal(fetestexcept(FE_ALL_EXCEPT), 0);
    }
}

static void numbers_are_in_order(void **state)
{
    (void)state;
    static const float ascending[] = {-INFINITY, -FLT_MAX, -1, -FLT_MIN, -1e-45f, 0,
                                      1e-45f,    FLT_MIN,  1,  2,        FLT_MAX, INFINITY};
    for (size_t i = 1; i < COUNT(ascending); i++)
        assert_true(number_order(ascending[i - 1]) < number_order(ascending[i]));
    assert_int_equal(number_order(-0.0f), number_order(0.0f));
    assert_true(number_order(of_bits(0x7fc00000)) > number_order(INFINITY));
    assert_true(number_order(of_bits(0xffc00000)) < number_order(-INFINITY));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(widened_numbers_are_the_same),
        cmocka_unit_test(widening_raises_no_flag),
        cmocka_unit_test(numbers_are_in_order),
    };
    return cmocka_run_group_tests_name("number", tests, NULL, NULL);
}
