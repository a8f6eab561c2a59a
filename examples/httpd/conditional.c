#include "conditional.h"

#include "date.h"
#include "fields.h"

#include <string.h>

enum comparison { STRONG, WEAK };

static int same_tag(struct http_bytes tag, const char *etag, enum comparison c)
{
    if (tag.len >= 2 && tag.data[0] == 'W' && tag.data[1] == '/') {
        if (c == STRONG)
            return 0;
        tag.data += 2;
        tag.len -= 2;
    }
    return tag.len == strlen(etag) && memcmp(tag.data, etag, tag.len) == 0;
}

/* True if one of the tags in all fields with the id is the tag, or "*". */
static int lists_tag(const struct http_head *head, enum http_field_id id,
                     const char *etag, enum comparison c)
{
    struct http_bytes value, item;
    size_t i = 0;

    while ((value = http_head_next(head, id, &i)).data)
        while (http_list_next(&value, &item))
            if ((item.len == 1 && *item.data == '*') || same_tag(item, etag, c))
                return 1;
    return 0;
}

/* A date that cannot be read counts as none. */
static int read_date(const struct http_head *head, enum http_field_id id,
                     time_t *when)
{
    struct http_bytes value = http_head_value(head, id);

    return value.data != NULL && http_date_parse(value.data, value.len, when);
}

int http_precondition(const struct http_head *head, const char *etag,
                      time_t modified, int is_read)
{
    time_t when;

    if (head->first[HTTP_IF_MATCH]) {
        if (!lists_tag(head, HTTP_IF_MATCH, etag, STRONG))
            return 412;
    } else if (read_date(head, HTTP_IF_UNMODIFIED_SINCE, &when) &&
               modified > when) {
        return 412;
    }
    if (head->first[HTTP_IF_NONE_MATCH]) {
        if (lists_tag(head, HTTP_IF_NONE_MATCH, etag, WEAK))
            return is_read ? 304 : 412;
    } else if (is_read && read_date(head, HTTP_IF_MODIFIED_SINCE, &when) &&
               modified <= when) {
        return 304;
    }
    return 0;
}

int http_if_range(const struct http_head *head, const char *etag,
                  time_t modified, time_t now)
{
    struct http_bytes value = http_head_value(head, HTTP_IF_RANGE);
    time_t when;

    if (value.data == NULL)
        return 1;
    if (value.len > 0 && (*value.data == '"' || *value.data == 'W'))
        return same_tag(value, etag, STRONG);
    /* Within its last second a file may change and keep its date. */
    return http_date_parse(value.data, value.len, &when) && when == modified &&
           now - modified >= 2;
}
