/* Reads the folder and writes down what it holds. */
#include "listing.h"

#include "folder.h"
#include "protocol.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct entry {
    char *name;
    int64_t size;
    struct timespec changed;
};

struct entries {
    struct entry *all;
    size_t n, room;
    size_t bytes; /* of their lines, at most */
};

/* Of a line: a size, a time, two spaces and a line's end. */
enum { LINE_REST = 64, HEAD = 96 };

static void free_entries(struct entries *entries)
{
    for (size_t i = 0; i < entries->n; i++)
        free(entries->all[i].name);
    free(entries->all);
}

static int reserve(struct entries *entries)
{
    size_t room = entries->room ? 2 * entries->room : 64;
    struct entry *all;

    if (entries->n < entries->room)
        return 0;
    all = realloc(entries->all, room * sizeof *all);
    if (!all)
        return -ENOMEM;
    entries->all = all;
    entries->room = room;
    return 0;
}

static int add(struct entries *entries, const char *name,
               const struct stat *status)
{
    struct entry entry = {.size = status->st_size, .changed = status->st_mtim};

    if (reserve(entries) < 0)
        return -ENOMEM;
    entry.name = strdup(name);
    if (!entry.name)
        return -ENOMEM;
    entries->all[entries->n++] = entry;
    entries->bytes += 3 * strlen(name) + LINE_REST;
    return 0;
}

static int collect(struct entries *entries, const struct library *library)
{
    DIR *folder = folder_read(library->fd);
    struct dirent *entry;
    struct stat status;
    int rc = 0;

    if (!folder)
        return -errno;
    while (rc == 0 && (entry = readdir(folder)))
        if (library_check_name(entry->d_name) == 0 &&
            fstatat(library->fd, entry->d_name, &status, AT_SYMLINK_NOFOLLOW) ==
                0 &&
            S_ISREG(status.st_mode))
            rc = add(entries, entry->d_name, &status);
    closedir(folder);
    return rc;
}

static int compare(const void *a, const void *b)
{
    return strcmp(((const struct entry *)a)->name,
                  ((const struct entry *)b)->name);
}

static size_t print_body(char *text, const struct entries *entries)
{
    char *end = text;

    for (size_t i = 0; i < entries->n; i++) {
        const struct entry *entry = &entries->all[i];

        end +=
            snprintf(end, LINE_REST, "%jd %jd.%09ld ", (intmax_t)entry->size,
                     (intmax_t)entry->changed.tv_sec, entry->changed.tv_nsec);
        end += name_encode(end, entry->name, strlen(entry->name));
        *end++ = '\n';
    }
    return (size_t)(end - text);
}

static int print_head(char *text, size_t body, size_t files)
{
    if (files == 0)
        return snprintf(text, HEAD, "200 0 files=0 : the library is empty\n");
    return snprintf(text, HEAD, "200 %zu files=%zu : %zu file%s\n", body, files,
                    files, files == 1 ? "" : "s");
}

/* The head tells the length of the body, which is therefore printed first and
 * moved up to it. */
static int print(struct listing *listing, const struct entries *entries)
{
    char head[HEAD];
    size_t body;
    int len;

    listing->text = malloc(HEAD + entries->bytes + 1);
    if (!listing->text)
        return -ENOMEM;
    body = print_body(listing->text + HEAD, entries);
    len = print_head(head, body, entries->n);
    memcpy(listing->text, head, (size_t)len);
    memmove(listing->text + len, listing->text + HEAD, body);
    listing->n = (size_t)len + body;
    listing->text[listing->n] = '\0';
    return 0;
}

int listing_make(struct listing **out, const struct library *library)
{
    struct listing *listing = calloc(1, sizeof *listing);
    struct entries entries = {0};
    int rc = listing ? collect(&entries, library) : -ENOMEM;

    if (rc == 0) {
        if (entries.n > 0)
            qsort(entries.all, entries.n, sizeof *entries.all, compare);
        rc = print(listing, &entries);
    }
    free_entries(&entries);
    if (rc < 0)
        listing_free(listing);
    else
        *out = listing;
    return rc;
}

void listing_free(struct listing *listing)
{
    if (listing)
        free(listing->text);
    free(listing);
}
