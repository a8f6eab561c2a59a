/* sockserver-httpd: serves a directory over HTTP.  Build it with the project,
 * then run it and try it:
 *   build/bin/sockserver-httpd --data /ParisGabriel='Welcome to ParisGabriel'
 *   curl http://127.0.0.1:8000/time */
#include "cache.h"
#include "files.h"
#include "metrics.h"
#include "mime.h"
#include "options.h"
#include "pages.h"
#include "routes.h"
#include "serve.h"
#include "sessions.h"
#include "visits.h"

#include <sockserver/strategy.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

enum {
    CACHE_BYTES = 64 * 1024 * 1024,
    SESSIONS = 4096,
    SESSION_SECONDS = 1800,
    THREADS = 2048, /* of threading */
    FIXED_ROUTES = 6
};

/* All that the program holds. */
struct state {
    struct http_options options;
    struct http_mime *mime;
    struct http_files files;
    struct http_sessions *sessions;
    struct http_log log;
    struct http_route routes[HTTP_OPTION_MAX + FIXED_ROUTES];
    struct http_service service;
};

static int complain(const char *what, const char *why)
{
    fprintf(stderr, "sockserver-httpd: %s: %s\n", what, why);
    return 1;
}

static int open_log(struct state *p)
{
    const char *path = p->options.access_log;

    p->log.format = p->options.log_format;
    p->log.fd = STDERR_FILENO;
    if (path != NULL && strcmp(path, "-") == 0)
        p->log.fd = STDOUT_FILENO;
    else if (path != NULL)
        p->log.fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0644);
    if (p->log.fd < 0)
        return complain(path, strerror(errno));
    p->service.log = p->options.quiet ? NULL : &p->log;
    return 0;
}

static int open_files(struct state *p)
{
    struct http_files *f = &p->files;

    f->root = open(p->options.directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (f->root < 0)
        return complain(p->options.directory, strerror(errno));
    f->index = p->options.index;
    f->lists = p->options.lists;
    f->shows_dot_files = p->options.shows_dot_files;
    p->mime = http_mime_new("/etc/mime.types", p->options.content_type);
    if (p->mime != NULL)
        f->cache = http_cache_new(f->root, p->mime, CACHE_BYTES);
    p->service.metrics = http_metrics_new();
    p->sessions = http_sessions_new(SESSIONS, SESSION_SECONDS);
    if (f->cache == NULL || p->service.metrics == NULL || p->sessions == NULL)
        return complain("starting", "out of memory");
    return 0;
}

static void fill_routes(struct state *p)
{
    struct http_route *r = p->routes;

    for (size_t i = 0; i < p->options.data_count; i++)
        *r++ = (struct http_route){HTTP_GET, p->options.data_paths[i],
                                   http_pages_text,
                                   (char *)(size_t)p->options.data_texts[i]};
    *r++ = (struct http_route){HTTP_GET, "/time", http_pages_time, NULL};
    *r++ = (struct http_route){HTTP_GET, "/healthz", http_pages_health, NULL};
    *r++ = (struct http_route){HTTP_GET, "/metrics", http_metrics_serve,
                               p->service.metrics};
    *r++ =
        (struct http_route){HTTP_GET, "/visits", http_visits_show, p->sessions};
    *r++ = (struct http_route){HTTP_POST, "/visits", http_visits_log_in_or_out,
                               p->sessions};
    *r++ = (struct http_route){HTTP_GET, "/*", http_files_serve, &p->files};
    p->service.routes = p->routes;
    p->service.route_count = (size_t)(r - p->routes);
    p->service.limits = p->options.limits;
    p->service.fields = p->options.fields.data;
}

/* Where a worker has one connection, those who say nothing hold up those who
 * wait to be accepted: from three quarters of the workers on they are let go
 * sooner. */
static int64_t busy_from(const sks_strategy *strategy, const sks_server *server)
{
    int64_t workers = sks_server_max_workers(server);

    if (workers == 0 || (strategy->flags & SKS_MULTIPLEXES))
        return 0;
    return workers > 1 ? workers * 3 / 4 : 1;
}

/* Browsers keep connections, and clients may be slow: where each has a thread,
 * the library's own limit is soon met. */
static void choose_workers(struct program_options *o)
{
    if (o->max_workers == 0 && o->strategy == sks_threading())
        o->max_workers = THREADS;
}

/* Each connection takes a descriptor.  The usual limit is low for the sake of
 * programs that use select(2). */
static void raise_descriptors(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 &&
        limit.rlim_cur < limit.rlim_max) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
}

static int serve(struct state *p)
{
    struct program_options *shared = &p->options.shared;
    sks_server *server;
    char path[PATH_MAX];
    char doing[PATH_MAX + sizeof "serving  on"];
    const struct program_line line = {.doing = doing, .scheme = "http"};

    raise_descriptors();
    choose_workers(shared);
    server = program_new_server(shared, &http_handler);
    p->service.busy_from = busy_from(shared->strategy, server);
    http_prepare_server(server, &p->service);
    if (realpath(p->options.directory, path) == NULL)
        strcpy(path, "a directory");
    snprintf(doing, sizeof doing, "serving %s on", path);
    return program_serve(&http_program, shared, server, &line);
}

static void free_program(struct state *p)
{
    http_cache_free(p->files.cache);
    http_mime_free(p->mime);
    http_metrics_free(p->service.metrics);
    http_sessions_free(p->sessions);
    http_text_free(&p->options.fields);
    if (p->files.root >= 0)
        close(p->files.root);
    if (p->log.fd > STDERR_FILENO)
        close(p->log.fd);
}

int main(int argc, char **argv)
{
    struct state p = {.files = {.root = -1}};
    int status;

    http_options_read(&p.options, argc, argv);
    status = open_log(&p);
    if (status == 0)
        status = open_files(&p);
    if (status == 0) {
        fill_routes(&p);
        status = serve(&p);
    }
    free_program(&p);
    return status;
}
