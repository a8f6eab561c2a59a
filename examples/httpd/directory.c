#include "directory.h"

#include "beneath.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Where entries come from. */
struct source {
    int root;
    const char *path;
    int fd;
    int shows_dot_files;
};

/* What a link leads to, if that is beneath the root. */
static int look_behind(const struct source *from, const char *name,
                       struct stat *st)
{
    size_t n = strlen(from->path);
    char path[PATH_MAX];
    int fd, rc;

    if (snprintf(path, sizeof path, "%s%s%s", from->path,
                 n > 0 && from->path[n - 1] != '/' ? "/" : "",
                 name) >= (int)sizeof path)
        return -1;
    fd = http_open_beneath(from->root, path);
    if (fd < 0)
        return -1;
    rc = fstat(fd, st);
    close(fd);
    return rc;
}

/* Adds an entry if it is one to be shown; or an errno negated. */
static int add(struct http_directory *d, const struct source *from,
               const char *name)
{
    struct http_entry *e = &d->entries[d->count];
    struct stat st;

    if (fstatat(from->fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0 ||
        (S_ISLNK(st.st_mode) && look_behind(from, name, &st) < 0) ||
        (!S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode)))
        return 0;
    *e = (struct http_entry){strdup(name), S_ISDIR(st.st_mode), st.st_size,
                             st.st_mtime};
    if (e->name == NULL)
        return -ENOMEM;
    d->count++;
    return 0;
}

static int grow(struct http_directory *d)
{
    struct http_entry *more;

    if ((d->count & (d->count - 1)) != 0 && d->count > 0)
        return 0;
    more = realloc(d->entries, (d->count ? 2 * d->count : 1) * sizeof *more);
    if (more == NULL)
        return -ENOMEM;
    d->entries = more;
    return 0;
}

static int is_shown(const struct source *from, const char *name)
{
    if (*name != '.')
        return 1;
    return from->shows_dot_files && strcmp(name, ".") != 0 &&
           strcmp(name, "..") != 0;
}

static int read_entries(struct http_directory *d, DIR *dir,
                        const struct source *from)
{
    struct dirent *entry;
    int rc = 0;

    while (rc == 0 && (entry = readdir(dir))) {
        if (!is_shown(from, entry->d_name))
            continue;
        if (d->count == HTTP_ENTRIES_MAX) {
            d->is_cut = 1;
            return 0;
        }
        rc = grow(d);
        if (rc == 0)
            rc = add(d, from, entry->d_name);
    }
    return rc;
}

int http_directory_read(struct http_directory *d, int root, const char *path,
                        int shows_dot_files)
{
    struct source from = {root, path, http_open_beneath(root, path),
                          shows_dot_files};
    DIR *dir;
    int rc;

    if (from.fd < 0)
        return from.fd;
    dir = fdopendir(from.fd);
    if (dir == NULL) {
        rc = -errno;
        close(from.fd);
        return rc;
    }
    rc = read_entries(d, dir, &from);
    closedir(dir);
    return rc;
}

static int by_name(const void *a, const void *b)
{
    const struct http_entry *x = a, *y = b;

    if (x->is_directory != y->is_directory)
        return y->is_directory - x->is_directory;
    return strcmp(x->name, y->name);
}

static int by_size(const void *a, const void *b)
{
    const struct http_entry *x = a, *y = b;

    if (x->is_directory || y->is_directory || x->size == y->size)
        return by_name(a, b);
    return x->size < y->size ? -1 : 1;
}

static int by_time(const void *a, const void *b)
{
    const struct http_entry *x = a, *y = b;

    if (x->is_directory != y->is_directory || x->modified == y->modified)
        return by_name(a, b);
    return x->modified < y->modified ? -1 : 1;
}

static void reverse(struct http_entry *entries, size_t n)
{
    for (size_t i = 0; i < n / 2; i++) {
        struct http_entry swapped = entries[i];

        entries[i] = entries[n - 1 - i];
        entries[n - 1 - i] = swapped;
    }
}

void http_directory_sort(struct http_directory *d, enum http_order order,
                         int descending)
{
    size_t directories = 0;

    if (d->count == 0)
        return;
    qsort(d->entries, d->count, sizeof *d->entries,
          order == HTTP_BY_SIZE   ? by_size
          : order == HTTP_BY_TIME ? by_time
                                  : by_name);
    if (!descending)
        return;
    while (directories < d->count && d->entries[directories].is_directory)
        directories++;
    reverse(d->entries, directories);
    reverse(d->entries + directories, d->count - directories);
}

void http_directory_free(struct http_directory *d)
{
    for (size_t i = 0; i < d->count; i++)
        free(d->entries[i].name);
    free(d->entries);
    *d = (struct http_directory){0};
}
