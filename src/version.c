/* SPDX-License-Identifier: MIT */
#include <mlstm/version.h>

#include "kernels/kernels.h"

#define TEXT(number) #number
#define VERSION(major, minor, patch) TEXT(major) "." TEXT(minor) "." TEXT(patch)

const char *mlstm_version(void)
{
    return VERSION(MLSTM_VERSION_MAJOR, MLSTM_VERSION_MINOR, MLSTM_VERSION_PATCH);
}

int32_t mlstm_version_number(void)
{
    return MLSTM_VERSION_NUMBER;
}

const char *mlstm_isa(void)
{
    return kernels_get()->name;
}
