/* The route that serves a directory. */
#ifndef HTTP_FILES_H
#define HTTP_FILES_H

#include "cache.h"
#include "exchange.h"

/** A directory and how it is served. */
struct http_files {
    int root;                 /**< its descriptor */
    struct http_cache *cache; /**< of it */
    const char *const *index; /**< names to try in a directory, then NULL */
    int lists;                /**< shows directories without an index */
    int shows_dot_files;      /**< serves names that begin with a dot */
};

/** Route with a pattern that ends in "*", for GET; data is a struct
 * http_files. */
int http_files_serve(struct http_exchange *x, void *data);

#endif /* HTTP_FILES_H */
