/* SPDX-License-Identifier: MIT */
#define W 4
#define TABLE kernels_neon
#define NAME "neon"

#include "table.h"
