/* What is in a directory, sorted. */
#ifndef HTTP_DIRECTORY_H
#define HTTP_DIRECTORY_H

#include <stddef.h>
#include <stdint.h>
#include <time.h>

enum { HTTP_ENTRIES_MAX = 10000 /**< more are left out */ };

/** What entries are sorted by. */
enum http_order { HTTP_BY_NAME, HTTP_BY_SIZE, HTTP_BY_TIME };

/** A file, or a directory. */
struct http_entry {
    char *name;
    int is_directory;
    int64_t size;
    time_t modified;
};

/** Starts as {0}. */
struct http_directory {
    struct http_entry *entries;
    size_t count;
    int is_cut; /**< there were more */
};

/** Reads a directory.  Names that begin with a dot are left out unless asked
 * for, and so is all that is neither a file nor a directory, and links that
 * lead out of root.
 * @param root descriptor of a directory
 * @param path of the one to read, beneath root
 * @return 0, or an errno negated */
int http_directory_read(struct http_directory *directory, int root,
                        const char *path, int shows_dot_files);

/** Sorts it, directories first. */
void http_directory_sort(struct http_directory *directory,
                         enum http_order order, int descending);

/** Frees what it holds. */
void http_directory_free(struct http_directory *directory);

#endif /* HTTP_DIRECTORY_H */
