/* Writing to a file, in however many steps it takes. */
#ifndef FILELIB_WRITE_ALL_H
#define FILELIB_WRITE_ALL_H

#include <stddef.h>

/** Writes n bytes where the file is, also if signals come between.
 * @return 0, or an errno negated; some of the bytes may be written then */
int write_all(int fd, const char *bytes, size_t n);

#endif
