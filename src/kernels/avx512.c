/* SPDX-License-Identifier: MIT */
#define W 16
#define TABLE kernels_avx512
#define NAME "avx512"

#include "table.h"
