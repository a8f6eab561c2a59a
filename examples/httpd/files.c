#include "files.h"

#include "fields.h"
#include "listing.h"
#include "reply.h"
#include "send.h"

#include <limits.h>
#include <string.h>

/* Room for an index name and for a neighbour's ending. */
enum { PATH_ROOM = PATH_MAX - 300 };

/* True if a segment of the path begins with a dot. */
static int has_dot_file(const char *path)
{
    int starts = 1;

    for (; *path != '\0'; path++) {
        if (starts && *path == '.')
            return 1;
        starts = *path == '/';
    }
    return 0;
}

static struct http_file *look_up(const struct http_exchange *x,
                                 struct http_files *files,
                                 enum http_coding coding, const char *path)
{
    return http_cache_get(files->cache, coding, path, x->started_us / 1000000);
}

/* Sends the file at path in the coding that the client likes best of those
 * that there are; identity is held already. */
static int send_best(struct http_exchange *x, struct http_files *files,
                     const char *path, const struct http_file *identity)
{
    int wanted[HTTP_CODINGS];
    int rc;

    for (int i = 0; i < HTTP_CODINGS; i++)
        wanted[i] = http_coding_quality(&x->head,
                                        http_coding_name((enum http_coding)i));
    for (;;) {
        enum http_coding best = HTTP_IDENTITY;
        struct http_file *f;

        for (int i = 1; i < HTTP_CODINGS; i++)
            if (wanted[i] > wanted[best])
                best = (enum http_coding)i;
        if (best == HTTP_IDENTITY)
            return wanted[best] > 0 ? http_send_file(x, identity) : 406;
        f = look_up(x, files, best, path);
        wanted[best] = 0;
        if (f != NULL && f->status == 0) {
            rc = http_send_file(x, f);
            http_cache_release(f);
            return rc;
        }
        if (f != NULL)
            http_cache_release(f);
    }
}

static int send_path(struct http_exchange *x, struct http_files *files,
                     const char *path, const struct http_file *f)
{
    if (f->varies && x->head.first[HTTP_ACCEPT_ENCODING])
        return send_best(x, files, path, f);
    return http_send_file(x, f);
}

/* To the same path with a slash; the query goes with it. */
static int redirect_to_slash(struct http_exchange *x)
{
    struct http_text location = {0};
    int rc = 503;

    http_text_url(&location, x->path, x->path_len);
    http_text_puts(&location, "/");
    if (x->query.data != NULL) {
        http_text_puts(&location, "?");
        http_text_add(&location, x->query.data, x->query.len);
    }
    http_text_add(&location, "", 1);
    if (!location.failed)
        rc = http_reply_redirect(x, 308, location.data);
    http_text_free(&location);
    return rc;
}

/* The index of a directory, or a listing of it.  Names are tried where the
 * path is, as stacks may be small. */
static int serve_directory(struct http_exchange *x, struct http_files *files)
{
    const char *path = x->path + 1;

    for (size_t i = 0; files->index[i] != NULL; i++) {
        struct http_file *f;
        int rc = 0;

        strcpy(x->path + x->path_len, files->index[i]);
        f = look_up(x, files, HTTP_IDENTITY, path);
        if (f != NULL && f->status == 0 && !f->is_directory)
            rc = send_path(x, files, path, f);
        if (f != NULL)
            http_cache_release(f);
        if (x->replied || rc != 0)
            return rc;
    }
    x->path[x->path_len] = '\0';
    return files->lists ? http_listing_serve(x, files, path) : 404;
}

int http_files_serve(struct http_exchange *x, void *data)
{
    struct http_files *files = data;
    const char *path = x->path + 1;
    struct http_file *f;
    int rc;

    if (x->path_len > PATH_ROOM ||
        (!files->shows_dot_files && has_dot_file(path)))
        return 404;
    if (x->path[x->path_len - 1] == '/')
        return serve_directory(x, files);
    f = look_up(x, files, HTTP_IDENTITY, path);
    if (f == NULL)
        return 503;
    if (f->is_directory)
        rc = redirect_to_slash(x);
    else
        rc = f->status ? f->status : send_path(x, files, path, f);
    http_cache_release(f);
    return rc;
}
