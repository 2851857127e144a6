/* SPDX-License-Identifier: MIT */
#include "status.h"

#include <stdarg.h>
#include <stdio.h>

static _Thread_local char last_error[512];

mlstm_status fail(mlstm_status status, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(last_error, sizeof last_error, format, arguments);
    va_end(arguments);
    return status;
}

const char *mlstm_last_error(void)
{
    return last_error;
}

const char *mlstm_status_name(mlstm_status status)
{
    switch (status) {
#define NAME_CASE(name, value, text)                                                               \
    case name: return #name;
        MLSTM_STATUS_MAP(NAME_CASE)
    default: return "unknown status";
    }
}

const char *mlstm_status_text(mlstm_status status)
{
    switch (status) {
#define TEXT_CASE(name, value, text)                                                               \
    case name: return text;
        MLSTM_STATUS_MAP(TEXT_CASE)
    default: return "unknown status";
    }
}
