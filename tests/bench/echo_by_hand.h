/* SPDX-License-Identifier: MIT */
#ifndef ECHO_BY_HAND_H
#define ECHO_BY_HAND_H

#include "bench.h"

#include <stdbool.h>

/* The echo task's only shape, for the programs that are written for it. */
enum { T = 15, B = 5, L = 3 };

/* Each of them defines these two and its bench_name; the rest of the protocol is in echo_by_hand.c. */

/* Takes the parameters. */
void echo_begin(const bench_work *work);
/* An iteration on one window, which goes on from the last one or begins at zero; gives the loss. */
float echo_iterate(const float *x, const int32_t *labels, bool goes_on);

#endif
