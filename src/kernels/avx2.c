/* SPDX-License-Identifier: MIT */
#define W 8
#define TABLE kernels_avx2
#define NAME "avx2"

#include "table.h"
