/* Reading a folder that is held by a descriptor. */
#ifndef FILELIB_FOLDER_H
#define FILELIB_FOLDER_H

#include <dirent.h>
#include <stdint.h>

/** Starts to read the folder, from its first entry and on its own: others may
 * read it at the same time.
 * @return entries to closedir(); NULL with errno set */
DIR *folder_read(int folder);

/** The bytes of all regular files, those that uploads keep included.
 * @return the sum, or an errno negated */
int64_t folder_size(int folder);

#endif
