/* Several files by one command. */
#ifndef FILELIB_SEVERAL_H
#define FILELIB_SEVERAL_H

#include "client.h"

/** Downloads the files whose names match one of the words, into the current
 * folder.  A word that is quoted is a name.
 * @return STATUS_DONE, or that of the first that failed; what interrupts one
 *         ends all */
enum status several_get(struct client *client, char **words, size_t n,
                        const char *quoted);

/** Uploads the local files that match one of the words, under their names. */
enum status several_put(struct client *client, char **words, size_t n,
                        const char *quoted);

#endif
