#include "target.h"

#include "fields.h"

#include <string.h>

int http_hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

/* Drops "http://host", of which the path may be empty. */
static int drop_authority(struct http_bytes *target)
{
    static const char *const schemes[] = {"http://", "https://"};

    for (size_t i = 0; i < 2; i++) {
        size_t n = strlen(schemes[i]);
        size_t end = n;

        if (target->len <= n || !http_same_token(target->data, n, schemes[i]))
            continue;
        while (end < target->len && target->data[end] != '/' &&
               target->data[end] != '?')
            end++;
        if (end == n)
            return 400;
        target->data += end;
        target->len -= end;
        return 0;
    }
    return 400;
}

int http_target_split(struct http_bytes target, struct http_bytes *path,
                      struct http_bytes *query)
{
    const char *mark;

    *path = target;
    *query = (struct http_bytes){NULL, 0};
    if (target.len == 1 && target.data[0] == '*')
        return 0;
    if (target.data[0] != '/' && drop_authority(path) != 0)
        return 400;
    mark = memchr(path->data, '?', path->len);
    if (mark != NULL) {
        query->data = mark + 1;
        query->len = (size_t)(path->data + path->len - query->data);
        path->len = (size_t)(mark - path->data);
    }
    if (path->len == 0)
        *path = (struct http_bytes){"/", 1};
    return 0;
}

static int is_dots(const char *segment, size_t n)
{
    return (n == 1 || n == 2) && segment[0] == '.' && segment[n - 1] == '.';
}

/* One byte of the path, which may be written as three; or a refusal. */
static int decode_byte(struct http_bytes path, size_t *i)
{
    int high, low;

    if (path.data[*i] != '%')
        return (unsigned char)path.data[(*i)++];
    if (*i + 2 >= path.len)
        return -400;
    high = http_hex_digit(path.data[*i + 1]);
    low = http_hex_digit(path.data[*i + 2]);
    *i += 3;
    if (high < 0 || low < 0 || high + low == 0)
        return -400;
    return 16 * high + low == '/' ? -404 : 16 * high + low;
}

ssize_t http_path_decode(struct http_bytes path, char *out)
{
    size_t n = 0, segment = 0;

    for (size_t i = 0; i < path.len;) {
        int is_slash = path.data[i] == '/';
        int c = decode_byte(path, &i);

        if (c < 0)
            return c;
        if (is_slash && is_dots(out + segment, n - segment))
            return -404;
        if (is_slash && n > 0 && segment == n)
            continue;
        out[n++] = (char)c;
        if (is_slash)
            segment = n;
    }
    out[n] = '\0';
    return is_dots(out + segment, n - segment) ? -404 : (ssize_t)n;
}
