#include "fields.h"

#include <string.h>

int http_is_space(char c)
{
    return c == ' ' || c == '\t';
}

struct http_bytes http_trimmed(const char *text, size_t n)
{
    for (; n > 0 && http_is_space(*text); n--)
        text++;
    while (n > 0 && http_is_space(text[n - 1]))
        n--;
    return (struct http_bytes){text, n};
}

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

int http_same_token(const char *text, size_t n, const char *token)
{
    size_t i = 0;

    while (i < n && token[i] != '\0' && lower(text[i]) == token[i])
        i++;
    return i == n && token[i] == '\0';
}

/* Bytes up to the separator, quoted strings aside. */
static size_t length_until(const char *text, size_t n, char separator)
{
    int quoted = 0;
    size_t i;

    for (i = 0; i < n && (quoted || text[i] != separator); i++) {
        if (text[i] == '"')
            quoted = !quoted;
        else if (quoted && text[i] == '\\' && i + 1 < n)
            i++;
    }
    return i;
}

/* Takes the first part of what is left. */
static struct http_bytes take(struct http_bytes *rest, char separator)
{
    size_t len = length_until(rest->data, rest->len, separator);
    struct http_bytes part = http_trimmed(rest->data, len);

    len += len < rest->len;
    rest->data += len;
    rest->len -= len;
    return part;
}

int http_list_next(struct http_bytes *list, struct http_bytes *item)
{
    while (list->len > 0) {
        *item = take(list, ',');
        if (item->len > 0)
            return 1;
    }
    return 0;
}

/* "0.5" in thousandths; what is no such number counts as 0. */
static int read_quality(const char *text, size_t n)
{
    int value, unit = 100;

    if (n == 0 || n > 5 || (text[0] != '0' && text[0] != '1') ||
        (n > 1 && text[1] != '.'))
        return 0;
    value = 1000 * (text[0] - '0');
    for (size_t i = 2; i < n; i++, unit /= 10) {
        if (text[i] < '0' || text[i] > '9')
            return 0;
        value += unit * (text[i] - '0');
    }
    return value > 1000 ? 0 : value;
}

/* Splits "text/html;level=1;q=0.4" into its first part and its quality. */
static struct http_bytes weighed(struct http_bytes item, int *quality)
{
    struct http_bytes first = take(&item, ';');

    *quality = 1000;
    while (item.len > 0) {
        struct http_bytes parameter = take(&item, ';');

        if (parameter.len >= 2 && lower(parameter.data[0]) == 'q' &&
            parameter.data[1] == '=')
            *quality = read_quality(parameter.data + 2, parameter.len - 2);
    }
    return first;
}

/* How specific a media range is that covers the type; 0: it does not. */
static int covers(struct http_bytes range, const char *type,
                  const char *subtype)
{
    struct http_bytes head = take(&range, '/');

    if (http_same_token(head.data, head.len, "*"))
        return 1;
    if (!http_same_token(head.data, head.len, type))
        return 0;
    if (http_same_token(range.data, range.len, "*"))
        return 2;
    return http_same_token(range.data, range.len, subtype) ? 3 : 0;
}

int http_accept_quality(const struct http_head *head, const char *type,
                        const char *subtype)
{
    struct http_bytes value, item;
    int best = 0, quality = 0;
    size_t i = 0;

    if (head->first[HTTP_ACCEPT] == 0)
        return 1000;
    while ((value = http_head_next(head, HTTP_ACCEPT, &i)).data) {
        while (http_list_next(&value, &item)) {
            int q;
            int rank = covers(weighed(item, &q), type, subtype);

            if (rank > best) {
                best = rank;
                quality = q;
            }
        }
    }
    return quality;
}

int http_coding_quality(const struct http_head *head, const char *coding)
{
    int identity = strcmp(coding, "identity") == 0;
    int named = -1, others = -1;
    struct http_bytes value, item;
    size_t i = 0;

    while ((value = http_head_next(head, HTTP_ACCEPT_ENCODING, &i)).data) {
        while (http_list_next(&value, &item)) {
            int q;
            struct http_bytes name = weighed(item, &q);

            if (http_same_token(name.data, name.len, coding))
                named = q;
            else if (http_same_token(name.data, name.len, "*"))
                others = q;
        }
    }
    if (named >= 0)
        return named;
    /* The star excludes identity only by saying 0 (RFC 9110, 12.5.3). */
    if (identity)
        return others == 0 ? 0 : 1;
    return others > 0 ? others : 0;
}

int http_prefers_json(const struct http_head *head)
{
    return head->first[HTTP_ACCEPT] > 0 &&
           http_accept_quality(head, "application", "json") >
               http_accept_quality(head, "text", "html");
}
