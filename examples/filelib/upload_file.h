/* The file that an upload writes, from nothing to its place in the folder. */
#ifndef FILELIB_UPLOAD_FILE_H
#define FILELIB_UPLOAD_FILE_H

#include "leftovers.h"
#include "library.h"
#include "protocol.h"

/** An open file.  Whoever opened it closes it. */
struct upload_file {
    const struct library *library;
    int fd;
    char temporary[LEFTOVER_NAME]; /**< its hidden name; "" if it has none */
};

/** Makes a new one.  @return 0 or an error */
int upload_file_new(struct upload_file *file, const struct library *library);

/** Opens the one that was kept under this name and takes its lock.
 * @return 0 or an error: -ENOENT, -EBUSY */
int upload_file_reopen(struct upload_file *file, const struct library *library,
                       const char *kept);

/** Puts it in place as name and makes that last, then closes it.  After an
 * error nothing of it is left. */
int upload_file_place(struct upload_file *file, const char *name, int replace,
                      const unsigned char digest[PROTOCOL_DIGEST]);

/** Closes it and leaves nothing. */
void upload_file_drop(struct upload_file *file);

/** Closes it and keeps it under this hidden name, if it can. */
void upload_file_keep(struct upload_file *file, const char *kept);

#endif
