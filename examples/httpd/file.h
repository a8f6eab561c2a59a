/* A file as it is served: open, with its fields put together, and its content
 * in memory if it is small. */
#ifndef HTTP_FILE_H
#define HTTP_FILE_H

#include "mime.h"

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <time.h>

enum {
    HTTP_CONTENT_MAX = 16 * 1024,    /**< longer files are not kept in memory */
    HTTP_COMPRESS_MIN = 256,         /**< shorter ones are not compressed */
    HTTP_COMPRESS_MAX = 1024 * 1024, /**< nor are longer ones, on the fly */
    HTTP_ETAG_MAX = 64
};

/** Content codings, each with a neighbour's ending. */
enum http_coding { HTTP_IDENTITY, HTTP_BR, HTTP_ZSTD, HTTP_GZIP, HTTP_CODINGS };

/** "gzip". */
const char *http_coding_name(enum http_coding coding);

/** What makes two states of a file differ. */
struct http_stamp {
    dev_t device;
    ino_t inode;
    int64_t size;
    struct timespec modified;
    struct timespec changed;
};

/** A file.  All but what the cache marks as its own stays as it was made. */
struct http_file {
    int status;       /**< 0, or why it is not served */
    int is_directory; /**< and nothing else of it is known */
    int fd;           /**< -1: its content is in memory */
    int64_t size;
    time_t modified;
    struct http_stamp stamp; /**< of the file that it was made of */
    char etag[HTTP_ETAG_MAX];
    const char *type;
    int varies;  /**< the coding depends on Accept-Encoding */
    int is_made; /**< compressed by us */
    char *lines; /**< fields: validators, others, the type; then the length
                      and an empty line, for a whole response */
    size_t validators; /**< bytes of lines that a 304 has too */
    size_t untyped;    /**< bytes of lines without the type */
    size_t lines_len;  /**< bytes of lines without the length */
    size_t whole;      /**< bytes of lines, all of them */
    char *content;     /**< of size bytes, or NULL */

    /* Of the cache. */
    atomic_int refs;
    _Atomic int64_t checked; /* the second when it was last seen unchanged */
    struct http_file *next;  /* in its bucket */
    struct http_file *newer, *older;
    uint32_t hash;
    int is_listed;
    int is_small; /* and in memory */
    size_t cost;
    enum http_coding coding;
    char path[];
};

/** Opens what lies at path beneath root, in a coding.
 * @return a file with one reference, whatever became of it; NULL when out of
 *         memory */
struct http_file *http_file_open(int root, const struct http_mime *mime,
                                 enum http_coding coding, const char *path);

/** True if the file is still what it was when it was opened. */
int http_file_is_current(const struct http_file *file, int root);

/** Drops n references; the last one frees it. */
void http_file_release(struct http_file *file, int n);

#endif /* HTTP_FILE_H */
