/* SPDX-License-Identifier: MIT */
#include <mlstm/mlstm.h>

/* consumer.c, whose main was renamed. */
int plugin_train(void);

const char *plugin_version(void);
const char *plugin_error(void);

const char *plugin_version(void)
{
    return mlstm_version();
}

/* The sentence of this library's last error, after one of its own. */
const char *plugin_error(void)
{
    mlstm_cell *cell;
    (void)mlstm_cell_create(-22, 1, &cell);
    return mlstm_last_error();
}
