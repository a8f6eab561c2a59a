#include "local.h"

#include "print.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { PATH = 4096 };

enum status local_print_folder(void)
{
    char path[PATH];

    if (!getcwd(path, sizeof path))
        return client_say(STATUS_FAULT, "%s", strerror(errno));
    puts(path);
    return STATUS_DONE;
}

enum status local_change_folder(const char *path)
{
    if (!path)
        path = getenv("HOME");
    if (!path || chdir(path) < 0)
        return client_say(STATUS_FAULT, "%s: %s", path ? path : "HOME",
                          path ? strerror(errno) : "not set");
    return local_print_folder();
}

enum status local_list(const char *path)
{
    struct dirent **entries;
    int n = scandir(path, &entries, NULL, alphasort);

    if (n < 0)
        return client_say(STATUS_FAULT, "%s: %s", path, strerror(errno));
    for (int i = 0; i < n; i++) {
        if (entries[i]->d_name[0] != '.') {
            print_name(stdout, entries[i]->d_name);
            putchar('\n');
        }
        free(entries[i]);
    }
    free(entries);
    return STATUS_DONE;
}
