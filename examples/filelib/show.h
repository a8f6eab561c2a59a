/* Files of the library as they are shown. */
#ifndef FILELIB_SHOW_H
#define FILELIB_SHOW_H

#include "client.h"

/** How to show them: names, names with sizes and times, or JSON objects. */
enum show { SHOW_NAMES, SHOW_LONG, SHOW_JSON };

/** Shows the library on standard output. */
enum status show_library(struct client *client, enum show how);

/** Shows one file. */
void show_file(enum show how, const char *name, int64_t size,
               const char *mtime);

#endif
