/* The digest of a file, kept with it: an extended attribute, which also says
 * of which state of the file it is, so that a file which was changed by other
 * means, or copied, is read anew.  Where a file system has no attributes,
 * digests are made when asked for. */
#ifndef FILELIB_STAMP_H
#define FILELIB_STAMP_H

#include "protocol.h"

#include <sys/stat.h>

/** @return 1 if the file has a digest that is valid for status, else 0 */
int stamp_read(int fd, const struct stat *status,
               unsigned char digest[PROTOCOL_DIGEST]);

/** Keeps the digest if the system lets it. */
void stamp_write(int fd, const struct stat *status,
                 const unsigned char digest[PROTOCOL_DIGEST]);

#endif
