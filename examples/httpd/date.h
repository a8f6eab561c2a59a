/* Moments in time as HTTP writes and reads them (RFC 9110, 5.6.7). */
#ifndef HTTP_DATE_H
#define HTTP_DATE_H

#include <stddef.h>
#include <time.h>

enum {
    HTTP_DATE_LEN = 29,  /**< of "Sun, 06 Nov 1994 08:49:37 GMT" */
    HTTP_CTIME_LEN = 24, /**< of "Sun Nov  6 08:49:37 1994" */
    HTTP_LOG_DATE_LEN = 26
};

/** Writes HTTP_DATE_LEN bytes, and no NUL. */
void http_date_format(time_t when, char *out);

/** Writes HTTP_CTIME_LEN bytes, and no NUL: as ctime(3), of the local time. */
void http_date_ctime(time_t when, char *out);

/** Writes "06/Nov/1994:08:49:37 +0000", HTTP_LOG_DATE_LEN bytes, no NUL. */
void http_date_log(time_t when, char *out);

/** The second that it is now, from a clock that is cheap to read. */
time_t http_date_second(void);

/** Reads any of the three forms that RFC 9110 knows.
 * @return 0 if it is none of them */
int http_date_parse(const char *text, size_t n, time_t *when);

#endif /* HTTP_DATE_H */
