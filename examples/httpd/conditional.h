/* Preconditions (RFC 9110, 13). */
#ifndef HTTP_CONDITIONAL_H
#define HTTP_CONDITIONAL_H

#include "parser.h"

#include <time.h>

/** Weighs If-Match, If-Unmodified-Since, If-None-Match and If-Modified-Since
 * in the order of RFC 9110, 13.2.2.
 * @param etag     of what would be sent, with its quotes
 * @param is_read  the method is GET or HEAD
 * @return 0 to go on, 304 or 412 */
int http_precondition(const struct http_head *head, const char *etag,
                      time_t modified, int is_read);

/** True if If-Range, if there is one, lets Range count.  A date does so only
 * if it is surely a strong validator. */
int http_if_range(const struct http_head *head, const char *etag,
                  time_t modified, time_t now);

#endif /* HTTP_CONDITIONAL_H */
