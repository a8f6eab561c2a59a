/* The head of an HTTP/1 request: request line and fields (RFC 9112).  Allocates
 * nothing, waits for nothing, and accepts only what can be read in one way:
 * what others might read in another way is refused. */
#ifndef HTTP_PARSER_H
#define HTTP_PARSER_H

#include <stddef.h>
#include <stdint.h>

enum {
    HTTP_METHOD_MAX = 32,    /**< bytes of a method */
    HTTP_TARGET_MAX = 8192,  /**< bytes of a request target */
    HTTP_HEAD_MAX = 32768,   /**< bytes of all lines together */
    HTTP_FIELDS_MAX = 64,    /**< fields of a request */
    HTTP_EMPTY_LINES_MAX = 4 /**< empty lines before the request line */
};

/** What http_head_feed() answers beside a status of 400 or more. */
enum http_verdict { HTTP_MORE = 0, HTTP_DONE = 1 };

/** Fields that are found without a search. */
enum http_field_id {
    HTTP_OTHER,
    HTTP_ACCEPT,
    HTTP_ACCEPT_ENCODING,
    HTTP_CONNECTION,
    HTTP_CONTENT_LENGTH,
    HTTP_CONTENT_TYPE,
    HTTP_COOKIE,
    HTTP_EXPECT,
    HTTP_HOST,
    HTTP_IF_MATCH,
    HTTP_IF_MODIFIED_SINCE,
    HTTP_IF_NONE_MATCH,
    HTTP_IF_RANGE,
    HTTP_IF_UNMODIFIED_SINCE,
    HTTP_RANGE,
    HTTP_REFERER,
    HTTP_TRANSFER_ENCODING,
    HTTP_USER_AGENT,
    HTTP_FIELD_IDS
};

/** Bytes of a head, counted from its start. */
struct http_span {
    uint16_t at;
    uint16_t len;
};

/** A field; its value is without white space at either end. */
struct http_field {
    struct http_span name;
    struct http_span value;
    uint8_t id; /**< of ::http_field_id */
};

/** Bytes that somebody else keeps. */
struct http_bytes {
    const char *data; /**< NULL: there are none, as opposed to empty ones */
    size_t len;
};

/** A head while and after it is read.  The members below `at` are valid after
 * ::HTTP_DONE. */
struct http_head {
    const char *bytes; /**< where the head is now; the caller may move it */
    size_t scanned;    /**< of the parser: where to look for the line's end */
    size_t at;         /**< the line to read next; at last the head's length */
    uint8_t empty_lines;
    uint8_t first[HTTP_FIELD_IDS]; /**< index + 1 of the first such field */
    uint8_t field_count;
    uint8_t minor;            /**< of the version: 0 or 1 */
    uint8_t close;            /**< Connection: close was said */
    uint8_t keep_alive;       /**< Connection: keep-alive was said */
    uint8_t chunked;          /**< the body is in chunks */
    uint8_t expects_continue; /**< Expect: 100-continue was said */
    uint16_t host_count;      /**< of the parser */
    int64_t content_length;   /**< -1: not said */
    struct http_span line;    /**< the request line */
    struct http_span method;  /**< a token */
    struct http_span target;  /**< of visible ASCII, without '#' */
    struct http_field fields[HTTP_FIELDS_MAX];
};

/** Begins a new head. */
void http_head_init(struct http_head *head);

/** Reads on.  The same bytes may be given in any number of steps, each time
 * from the head's first byte on, wherever they lie now.
 * @param n all bytes that are there, which may be more than the head
 * @return ::HTTP_DONE, ::HTTP_MORE, or the status to refuse it with; the
 *         connection then has no known state and must end */
int http_head_feed(struct http_head *head, const char *bytes, size_t n);

/** A span's bytes. */
struct http_bytes http_head_bytes(const struct http_head *head,
                                  struct http_span span);

/** The value of the first such field; .data is NULL if there is none. */
struct http_bytes http_head_value(const struct http_head *head,
                                  enum http_field_id id);

/** The value of the next field with the id, for fields that may come more than
 * once; .data is NULL past the last.
 * @param i set to 0 before the first call */
struct http_bytes http_head_next(const struct http_head *head,
                                 enum http_field_id id, size_t *i);

/** True if c may stand in a token (RFC 9110, 5.6.2). */
int http_is_token_char(unsigned char c);

#endif /* HTTP_PARSER_H */
