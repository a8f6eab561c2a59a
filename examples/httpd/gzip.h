/* Compressing what is worth it. */
#ifndef HTTP_GZIP_H
#define HTTP_GZIP_H

#include <stddef.h>

/** Compresses n bytes for Content-Encoding: gzip.
 * @param len receives the length of the result
 * @return the result, to free(); NULL if it would not be shorter, or memory
 *         ran out */
char *http_gzip(const void *data, size_t n, size_t *len);

#endif /* HTTP_GZIP_H */
