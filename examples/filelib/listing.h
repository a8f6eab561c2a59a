/* The reply to LIST, made once for as long as the folder stays as it is. */
#ifndef FILELIB_LISTING_H
#define FILELIB_LISTING_H

#include "library.h"

#include <stddef.h>

/** A listing as it travels, its first line included, and a NUL behind it. */
struct listing {
    char *text;
    size_t n;
    unsigned held; /**< guarded by whoever caches it */
};

/** Reads the folder.  @return 0, or an errno negated */
int listing_make(struct listing **out, const struct library *library);

void listing_free(struct listing *listing);

/** Holds the latest listing; one for each process. */
struct listing_cache;

/** @return a cache to listing_cache_free(); NULL when out of memory */
struct listing_cache *listing_cache_new(const struct library *library);

/** Accepts NULL. */
void listing_cache_free(struct listing_cache *cache);

/** The folder as it is now.  What only a network file system's server or a
 * memory mapping changed may show a second later.  Any thread.
 * @return 0 and a listing to listing_cache_release(), or an errno negated */
int listing_cache_get(struct listing_cache *cache, struct listing **out);

void listing_cache_release(struct listing_cache *cache,
                           struct listing *listing);

#endif
