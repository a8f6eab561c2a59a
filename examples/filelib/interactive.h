/* Commands one after the other: typed at a prompt, or piped in. */
#ifndef FILELIB_INTERACTIVE_H
#define FILELIB_INTERACTIVE_H

#include "client.h"

/** Runs commands until quit or the end of the input; one that fails does not
 * end it.
 * @return STATUS_DONE at a prompt; else that of the first that failed */
enum status interactive_run(struct client *client);

#endif
