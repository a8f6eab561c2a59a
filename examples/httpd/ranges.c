#include "ranges.h"

#include "fields.h"

/* Reads digits; those beyond any file's size count as very many.  0 if there
 * are none. */
static int read_number(struct http_bytes *text, int64_t *number)
{
    size_t digits = 0;

    *number = 0;
    for (; text->len > 0 && *text->data >= '0' && *text->data <= '9';
         text->data++, text->len--, digits++)
        *number = *number > INT64_MAX / 10 - 1
                      ? INT64_MAX / 10
                      : 10 * *number + (*text->data - '0');
    return digits > 0;
}

/* "first-last", "first-" or "-suffix": 0 if it is none of them. */
static int read_range(struct http_bytes text, int64_t size,
                      struct http_range *range)
{
    int64_t first, last;
    int has_first = read_number(&text, &first), has_last;

    if (text.len == 0 || *text.data != '-')
        return 0;
    text.data++;
    text.len--;
    has_last = read_number(&text, &last);
    if (text.len > 0 || (!has_first && !has_last) ||
        (has_first && has_last && last < first))
        return 0;
    if (!has_first) {
        first = last < size ? size - last : 0;
        /* A suffix of no bytes is in no content. */
        first = last == 0 ? size : first;
        has_last = 0;
    }
    if (!has_last || last >= size)
        last = size - 1;
    *range = (struct http_range){first, last - first + 1};
    return 1;
}

int http_ranges_parse(struct http_bytes value, int64_t size,
                      struct http_range ranges[HTTP_RANGES_MAX])
{
    int64_t sum = 0;
    int count = 0, seen = 0;
    struct http_bytes item;

    if (value.len < 6 || !http_same_token(value.data, 6, "bytes="))
        return 0;
    value.data += 6;
    value.len -= 6;
    for (; http_list_next(&value, &item); seen++) {
        struct http_range range;

        if (seen == HTTP_RANGES_MAX || !read_range(item, size, &range))
            return 0;
        if (range.first >= size)
            continue;
        sum += range.length;
        ranges[count++] = range;
    }
    if (seen == 0)
        return 0;
    if (count == 0)
        return -1;
    return count > 1 && sum > size ? 0 : count;
}
