/* SPDX-License-Identifier: MIT */
#define W 4
#define TABLE kernels_portable
#define NAME "portable"

#include "table.h"
