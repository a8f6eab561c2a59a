#include "file.h"

#include "beneath.h"
#include "date.h"
#include "gzip.h"
#include "text.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const struct {
    const char *name;
    const char *ending;
} codings[HTTP_CODINGS] = {[HTTP_IDENTITY] = {"identity", ""},
                           [HTTP_BR] = {"br", ".br"},
                           [HTTP_ZSTD] = {"zstd", ".zst"},
                           [HTTP_GZIP] = {"gzip", ".gz"}};

const char *http_coding_name(enum http_coding coding)
{
    return codings[coding].name;
}

/* Opens the neighbour of path that has an ending. */
static int open_neighbour(int root, const char *path, const char *ending)
{
    char name[PATH_MAX];
    int n = snprintf(name, sizeof name, "%s%s", path, ending);

    if (n < 0 || (size_t)n >= sizeof name)
        return -ENAMETOOLONG;
    return http_open_beneath(root, name);
}

/* Opens path with an ending added, and looks at it. */
static int open_one(int root, const char *path, const char *ending,
                    struct stat *st)
{
    int fd = *ending ? open_neighbour(root, path, ending)
                     : http_open_beneath(root, path);

    if (fd >= 0 && fstat(fd, st) < 0) {
        int rc = -errno;

        close(fd);
        return rc;
    }
    return fd;
}

static struct http_stamp stamp_of(const struct stat *st)
{
    return (struct http_stamp){st->st_dev, st->st_ino, st->st_size, st->st_mtim,
                               st->st_ctim};
}

static int same_moment(struct timespec a, struct timespec b)
{
    return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec;
}

static int same_stamp(const struct http_stamp *a, const struct http_stamp *b)
{
    return a->device == b->device && a->inode == b->inode &&
           a->size == b->size && same_moment(a->modified, b->modified) &&
           same_moment(a->changed, b->changed);
}

/* All of a file of n bytes; NULL if it cannot be had. */
static char *read_content(int fd, size_t n)
{
    char *content = malloc(n + 1);
    size_t done = 0;

    while (content != NULL && done < n) {
        ssize_t got = pread(fd, content + done, n - done, (off_t)done);

        if (got > 0) {
            done += (size_t)got;
        } else if (got == 0 || errno != EINTR) {
            free(content);
            return NULL;
        }
    }
    return content;
}

static void put_lines(struct http_file *f, enum http_coding coding)
{
    struct http_text t = {0};
    char date[HTTP_DATE_LEN];

    http_date_format(f->modified, date);
    http_text_printf(&t, "ETag: %s\r\nLast-Modified: %.*s\r\n", f->etag,
                     HTTP_DATE_LEN, date);
    if (f->varies)
        http_text_puts(&t, "Vary: Accept-Encoding\r\n");
    f->validators = t.len;
    http_text_puts(&t, "Accept-Ranges: bytes\r\n");
    if (coding != HTTP_IDENTITY)
        http_text_printf(&t, "Content-Encoding: %s\r\n", codings[coding].name);
    f->untyped = t.len;
    http_text_printf(&t, "Content-Type: %s%s\r\n", f->type,
                     http_mime_charset(f->type));
    f->lines_len = t.len;
    http_text_printf(&t, "Content-Length: %lld\r\n\r\n", (long long)f->size);
    f->whole = t.len;
    if (t.failed) {
        http_text_free(&t);
        f->status = 503;
    }
    f->lines = t.data;
}

/* The coding is part of the tag: a strong one tells them apart. */
static void describe(struct http_file *f, enum http_coding coding,
                     const struct stat *st)
{
    f->modified = st->st_mtime;
    snprintf(f->etag, sizeof f->etag, "\"%llx-%llx-%llx%s%s\"",
             (unsigned long long)st->st_ino,
             (unsigned long long)st->st_mtim.tv_sec * 1000000000ULL +
                 (unsigned long long)st->st_mtim.tv_nsec,
             (unsigned long long)st->st_size,
             coding == HTTP_IDENTITY ? "" : codings[coding].ending,
             f->is_made ? "-made" : "");
    put_lines(f, coding);
}

static void refuse(struct http_file *f, int status)
{
    if (f->fd >= 0)
        close(f->fd);
    f->fd = -1;
    f->status = status;
}

/* Replaces a file that is open by its compressed content. */
static void compress_it(struct http_file *f)
{
    char *plain = NULL;
    size_t n = 0;

    if (f->size >= HTTP_COMPRESS_MIN && f->size <= HTTP_COMPRESS_MAX)
        plain = read_content(f->fd, (size_t)f->size);
    if (plain != NULL)
        f->content = http_gzip(plain, (size_t)f->size, &n);
    free(plain);
    refuse(f, f->content ? 0 : 404);
    f->size = (int64_t)n;
}

static void load(struct http_file *f, int root, const struct http_mime *mime)
{
    enum http_coding coding = f->coding;
    const char *path = f->path;
    struct stat st;

    f->type = http_mime_find(mime, path);
    f->varies = http_mime_is_compressible(f->type);
    f->fd = open_one(root, path, codings[coding].ending, &st);
    if (f->fd < 0 && coding == HTTP_GZIP) {
        f->is_made = 1;
        f->fd = open_one(root, path, "", &st);
    }
    if (f->fd < 0) {
        f->status = http_open_status(f->fd);
        return;
    }
    f->stamp = stamp_of(&st);
    f->size = st.st_size;
    if (S_ISDIR(st.st_mode)) {
        refuse(f, coding == HTTP_IDENTITY ? 0 : 404);
        f->is_directory = 1;
        return;
    }
    if (!S_ISREG(st.st_mode)) {
        refuse(f, 403);
        return;
    }
    if (f->is_made)
        compress_it(f);
    else if (f->size <= HTTP_CONTENT_MAX)
        f->content = read_content(f->fd, (size_t)f->size);
    if (f->content != NULL && f->fd >= 0)
        refuse(f, 0);
    if (f->status == 0)
        describe(f, coding, &st);
}

struct http_file *http_file_open(int root, const struct http_mime *mime,
                                 enum http_coding coding, const char *path)
{
    size_t n = strlen(path) + 1;
    struct http_file *f = calloc(1, sizeof *f + n);

    if (f == NULL)
        return NULL;
    memcpy(f->path, path, n);
    f->coding = coding;
    f->fd = -1;
    atomic_init(&f->refs, 1);
    load(f, root, mime);
    f->cost = sizeof *f + n + f->whole + (f->content ? (size_t)f->size : 0);
    return f;
}

int http_file_is_current(const struct http_file *f, int root)
{
    enum http_coding coding = f->coding;
    struct stat st;
    struct http_stamp now;
    int fd = open_one(root, f->path, codings[coding].ending, &st);
    int is_made = 0;

    if (fd < 0 && coding == HTTP_GZIP) {
        is_made = 1;
        fd = open_one(root, f->path, "", &st);
    }
    if (fd < 0)
        return f->status == http_open_status(fd);
    close(fd);
    now = stamp_of(&st);
    return is_made == f->is_made && same_stamp(&now, &f->stamp);
}

void http_file_release(struct http_file *f, int n)
{
    if (atomic_fetch_sub(&f->refs, n) > n)
        return;
    if (f->fd >= 0)
        close(f->fd);
    free(f->lines);
    free(f->content);
    free(f);
}
