/* Range fields (RFC 9110, 14). */
#ifndef HTTP_RANGES_H
#define HTTP_RANGES_H

#include "parser.h"

enum { HTTP_RANGES_MAX = 16 /**< parts of one response */ };

/** Bytes of a content. */
struct http_range {
    int64_t first;
    int64_t length;
};

/** Reads the value of a Range field.
 * @param size of the whole content
 * @return how many ranges there are in the content; 0: send all of it, as the
 *         value is not understood, asks for too many parts, or for more than
 *         all; -1: none of them is in the content */
int http_ranges_parse(struct http_bytes value, int64_t size,
                      struct http_range ranges[HTTP_RANGES_MAX]);

#endif /* HTTP_RANGES_H */
