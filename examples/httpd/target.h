/* What a request target names (RFC 9112, 3.2): its path, decoded, and its
 * query. */
#ifndef HTTP_TARGET_H
#define HTTP_TARGET_H

#include "parser.h"

#include <sys/types.h>

/** Splits "/path?query" or "http://host/path?query"; "*" is a path.
 * @param query .data is NULL without a '?'
 * @return 0, or the status to refuse it with */
int http_target_split(struct http_bytes target, struct http_bytes *path,
                      struct http_bytes *query);

/** Decodes the path's %XX and merges slashes.  The result starts with '/' and
 * has no NUL within and no segment "." or "..".
 * @param out has room for path.len + 1 bytes, as a NUL is added
 * @return its length; -400 for bad or NUL escapes; -404 for what no file below
 *         a directory can be called: dot segments and encoded slashes */
ssize_t http_path_decode(struct http_bytes path, char *out);

/** The value of a hexadecimal digit, or -1. */
int http_hex_digit(char c);

#endif /* HTTP_TARGET_H */
