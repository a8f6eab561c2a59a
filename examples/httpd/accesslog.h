/* A line for each request, written in one piece.  Whatever came from a client
 * is escaped, so that nothing in a request can end a line or a field. */
#ifndef HTTP_ACCESSLOG_H
#define HTTP_ACCESSLOG_H

#include "exchange.h"
#include "text.h"

#include <time.h>

/** How a line looks. */
enum http_log_format { HTTP_LOG_COMMON, HTTP_LOG_COMBINED, HTTP_LOG_JSON };

/** Where lines go. */
struct http_log {
    int fd;
    enum http_log_format format;
};

/** Puts the line for an exchange together; it ends with '\n'. */
void http_log_line(struct http_text *line, enum http_log_format format,
                   const struct http_exchange *x, const char *client,
                   time_t when, int64_t took_us);

/** Writes the line for an exchange.  Any thread. */
void http_log_write(const struct http_log *log, const struct http_exchange *x,
                    int64_t took_us);

#endif /* HTTP_ACCESSLOG_H */
