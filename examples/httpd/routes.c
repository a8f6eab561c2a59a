#include "routes.h"

#include "reply.h"
#include "target.h"

#include <string.h>

static const struct {
    const char *name;
    enum http_method method;
} methods[] = {{"GET", HTTP_GET},        {"HEAD", HTTP_HEAD},
               {"POST", HTTP_POST},      {"PUT", HTTP_PUT},
               {"DELETE", HTTP_DELETE},  {"PATCH", HTTP_PATCH},
               {"OPTIONS", HTTP_OPTIONS}};

enum { METHODS = sizeof methods / sizeof *methods };

enum http_method http_method_of(struct http_bytes name)
{
    for (size_t i = 0; i < METHODS; i++)
        if (strlen(methods[i].name) == name.len &&
            memcmp(methods[i].name, name.data, name.len) == 0)
            return methods[i].method;
    return 0;
}

/* "GET, HEAD, OPTIONS". */
static void list_methods(unsigned allowed, char *out)
{
    *out = '\0';
    for (size_t i = 0; i < METHODS; i++) {
        if ((allowed & methods[i].method) == 0)
            continue;
        if (*out != '\0')
            strcat(out, ", ");
        strcat(out, methods[i].name);
    }
}

/* Whether what begins behind a slash is "*" and nothing more. */
static int is_rest(const char *segment)
{
    return segment[0] == '*' && segment[1] == '\0';
}

int http_route_has_parameters(const char *pattern)
{
    for (; *pattern != '\0'; pattern++)
        if (*pattern == '/' && (pattern[1] == ':' || is_rest(pattern + 1)))
            return 1;
    return 0;
}

int http_route_match(const char *pattern, const char *path, size_t len,
                     struct http_bytes *parameters)
{
    const char *end = path + len;
    char before = '\0';

    while (*pattern != '\0') {
        if (before == '/' && is_rest(pattern)) {
            *parameters = (struct http_bytes){path, (size_t)(end - path)};
            return 1;
        }
        if (before == '/' && *pattern == ':') {
            const char *slash = memchr(path, '/', (size_t)(end - path));

            slash = slash ? slash : end;
            if (slash == path)
                return 0;
            *parameters++ = (struct http_bytes){path, (size_t)(slash - path)};
            path = slash;
            pattern += strcspn(pattern, "/");
        } else if (path == end || *pattern != *path++) {
            return 0;
        } else {
            pattern++;
        }
        before = pattern[-1];
    }
    return path == end;
}

static int reply_allowed(struct http_exchange *x, unsigned allowed)
{
    char list[64];
    char line[80] = "Allow: ";

    list_methods(allowed | HTTP_OPTIONS, list);
    if (x->method == HTTP_OPTIONS) {
        http_reply_begin(x, 204);
        http_reply_field(x, "Allow", list);
        return http_reply_empty(x);
    }
    strcat(strcat(line, list), "\r\n");
    return http_reply_error(x, 405, line);
}

static unsigned with_head(unsigned allowed)
{
    return allowed & HTTP_GET ? allowed | HTTP_HEAD : allowed;
}

/* "*" is the server as a whole. */
static int serve_asterisk(struct http_exchange *x)
{
    unsigned allowed = 0;

    if (x->method != HTTP_OPTIONS)
        return http_reply_error(x, 400, "");
    for (size_t i = 0; i < x->service->route_count; i++)
        allowed |= with_head(x->service->routes[i].methods);
    return reply_allowed(x, allowed);
}

static int run(struct http_exchange *x, const struct http_route *route)
{
    int rc = route->serve(x, route->data);

    if (rc >= 0 && !x->replied)
        return http_reply_error(x, rc >= 400 ? rc : 500, "");
    return rc < 0 ? rc : 0;
}

/* Cheap, and right where it says no. */
static int may_match(const char *pattern, const char *path)
{
    return *pattern != '/' || pattern[1] == path[1] || pattern[1] == ':' ||
           pattern[1] == '*';
}

int http_routes_serve(struct http_exchange *x)
{
    unsigned allowed = 0;

    if (x->path[0] == '*')
        return serve_asterisk(x);
    for (size_t i = 0; i < x->service->route_count; i++) {
        const struct http_route *route = &x->service->routes[i];

        if (!may_match(route->pattern, x->path) ||
            !http_route_match(route->pattern, x->path, x->path_len,
                              x->parameters))
            continue;
        if (with_head(route->methods) & x->method)
            return run(x, route);
        allowed |= with_head(route->methods);
    }
    if (allowed == 0)
        return http_reply_error(x, 404, "");
    return reply_allowed(x, allowed);
}
