/* SPDX-License-Identifier: MIT */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <mlstm/mlstm.h>

/* consumer.c, whose main was renamed. */
int host_train(void);

static void require(int holds, const char *what)
{
    if (!holds) {
        fprintf(stderr, "not so: %s\n", what);
        exit(1);
    }
}

/* ISO C has no conversion of an object pointer to that of a function. */
static void look_up(void *plugin, const char *name, void *function)
{
    void *found = dlsym(plugin, name);
    require(found != NULL, name);
    memcpy(function, &found, sizeof found);
}

/*
 * usage: host VERSION PLUGIN PLUGIN-VERSION
 * The host's libmlstm and the plugin's train in turn, and each keeps its version and its errors.
 */
int main(int argc, char **argv)
{
    const char *(*plugin_version)(void), *(*plugin_error)(void);
    int (*plugin_train)(void);
    mlstm_cell *cell;

    require(argc == 4, "three arguments");
    require(host_train() == 0, "the host trains before the plugin is there");

    /* RTLD_GLOBAL: whatever the plugin exports can now be found by everybody. */
    void *plugin = dlopen(argv[2], RTLD_LAZY | RTLD_GLOBAL);
    require(plugin != NULL, plugin ? "" : dlerror());
    look_up(plugin, "plugin_version", &plugin_version);
    look_up(plugin, "plugin_error", &plugin_error);
    look_up(plugin, "plugin_train", &plugin_train);

    (void)mlstm_cell_create(-11, 1, &cell);
    require(strstr(plugin_error(), "-22") != NULL, "the plugin has its error");
    require(strstr(mlstm_last_error(), "-11") != NULL, "the host keeps its error");
    require(plugin_train() == 0, "the plugin trains");
    require(host_train() == 0, "the host trains with the plugin loaded");
    require(strcmp(mlstm_version(), argv[1]) == 0, "the host has its version");
    require(strcmp(plugin_version(), argv[3]) == 0, "the plugin has its version");

    require(dlclose(plugin) == 0, "the plugin is closed");
    require(host_train() == 0, "the host trains after the plugin is gone");
    return 0;
}
