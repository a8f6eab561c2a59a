/* Files that were asked for lately, bounded in number and bytes; what was not
 * found is kept too.  Each is looked at again at most once a second. */
#ifndef HTTP_CACHE_H
#define HTTP_CACHE_H

#include "file.h"

struct http_cache;

/** Makes a cache of files beneath a directory.
 * @param root      its descriptor, which stays the caller's
 * @param mime      kept
 * @param bytes_max of all that it keeps
 * @return NULL when out of memory */
struct http_cache *http_cache_new(int root, const struct http_mime *mime,
                                  size_t bytes_max);

/** Frees it with all files that nobody holds, but for the few small ones that
 * other threads have at hand, until those end. */
void http_cache_free(struct http_cache *cache);

/** The file at path, in a coding.  Any thread.
 * @param second of any clock; what was looked at in another one is looked at
 *               again
 * @return it, to http_cache_release(); NULL when out of memory */
struct http_file *http_cache_get(struct http_cache *cache,
                                 enum http_coding coding, const char *path,
                                 int64_t second);

/** Gives a file back.  Any thread, also when the cache is freed. */
void http_cache_release(struct http_file *file);

#endif /* HTTP_CACHE_H */
