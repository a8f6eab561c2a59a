/* The framing of a chunked body (RFC 9112, 7.1), taken apart byte by byte:
 * allocates nothing and waits for nothing. */
#ifndef HTTP_CHUNKED_H
#define HTTP_CHUNKED_H

#include <stddef.h>
#include <stdint.h>

enum {
    HTTP_CHUNK_LINE_MAX = 256, /**< bytes of a size line with extensions */
    HTTP_TRAILER_MAX = 4096    /**< bytes of all trailer fields */
};

/** Where in the framing a reader is. */
struct http_chunked {
    int state;
    int digits;
    int64_t size;     /**< of the chunk, while its line is read */
    uint32_t line;    /**< bytes of the line so far */
    uint32_t trailer; /**< bytes of the trailer so far */
    int64_t left;     /**< bytes of data to come in this chunk */
    int done;         /**< the last chunk and the trailer are through */
};

/** Begins a body. */
void http_chunked_init(struct http_chunked *chunked);

/** Reads framing, up to the data of a chunk or to the end of the body.
 * Afterwards .left tells how much data comes next, which the caller takes and
 * subtracts from it, or .done is set; if neither, more bytes are needed.
 * @return how many bytes were framing, or -1: refuse it */
ptrdiff_t http_chunked_feed(struct http_chunked *chunked, const char *bytes,
                            size_t n);

#endif /* HTTP_CHUNKED_H */
