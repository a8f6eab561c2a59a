/* Whether there is room for an upload: the largest file, the quota, and what
 * is to stay free on the disk. */
#ifndef FILELIB_SPACE_H
#define FILELIB_SPACE_H

#include "library.h"

/** Whether a file of this size may come at all: 0 or -EFBIG. */
int space_check_size(const struct library *library, int64_t size);

/** Whether the disk has room for so many more bytes: 0 or -ENOSPC. */
int space_check_disk(const struct library *library, int64_t bytes);

/** Whether the quota has room for so many more bytes than are there, or fewer:
 * 0 or -EDQUOT. */
int space_check_quota(const struct library *library, int64_t bytes);

/** Keeps others, also those in other processes, from adding files to a library
 * with a quota until space_unlock().  May wait for them.
 * @return what space_unlock() wants, or an errno negated */
int space_lock(const struct library *library);

void space_unlock(int lock);

#endif
