/* All of the HTTP server that takes apart what clients send, fed with bytes: a
 * head and its body, whole and in two pieces, and then everything that reads
 * its fields and its target. */
#include "chunked.h"
#include "conditional.h"
#include "cookies.h"
#include "date.h"
#include "fields.h"
#include "form.h"
#include "parser.h"
#include "ranges.h"
#include "target.h"
#include "text.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(int condition)
{
    if (!condition)
        abort();
}

/* The verdict must not depend on where packets end, but that a refusal may come
 * early and then tell of a length. */
static void feed_in_two(const char *bytes, size_t n, int whole,
                        const struct http_head *expected)
{
    for (size_t cut = 0; cut < n; cut += 1 + n / 64) {
        struct http_head head;
        int rc;

        http_head_init(&head);
        rc = http_head_feed(&head, bytes, cut);
        if (rc == HTTP_MORE)
            rc = http_head_feed(&head, bytes, n);
        require(rc == whole || (rc >= 400 && whole >= 400) ||
                (rc >= 400 && whole == HTTP_MORE));
        if (rc == HTTP_DONE)
            require(head.at == expected->at &&
                    head.field_count == expected->field_count &&
                    head.content_length == expected->content_length);
    }
}

static void read_chunks(const char *bytes, size_t n, size_t step)
{
    struct http_chunked k;
    size_t at = 0;

    http_chunked_init(&k);
    while (!k.done && at < n) {
        size_t more = n - at < step ? n - at : step;
        ptrdiff_t used = http_chunked_feed(&k, bytes + at, more);

        if (used < 0)
            return;
        require((size_t)used <= more && k.left >= 0);
        at += (size_t)used;
        more = n - at;
        if ((int64_t)more > k.left)
            more = (size_t)k.left;
        at += more;
        k.left -= (int64_t)more;
    }
}

static void read_target(struct http_bytes target)
{
    struct http_bytes path, query;
    char *decoded;
    ssize_t n;

    if (http_target_split(target, &path, &query) != 0)
        return;
    decoded = malloc(path.len + 1);
    require(decoded != NULL);
    n = http_path_decode(path, decoded);
    if (n >= 0) {
        require(strlen(decoded) == (size_t)n && (size_t)n <= path.len);
        require(*decoded == '/' || *decoded == '*');
        require(strstr(decoded, "/../") == NULL);
        require(n < 3 || strcmp(decoded + n - 3, "/..") != 0);
    }
    free(decoded);
    if (query.data != NULL) {
        char value[16];

        http_form_value(query, "sort", value, sizeof value);
    }
}

static void read_fields(const struct http_head *head)
{
    struct http_range ranges[HTTP_RANGES_MAX];
    struct http_text text = {0};
    struct http_bytes range = http_head_value(head, HTTP_RANGE);
    int count;

    http_prefers_json(head);
    http_coding_quality(head, "gzip");
    http_precondition(head, "\"tag\"", 784111777, 1);
    http_if_range(head, "\"tag\"", 784111777, 784111999);
    http_cookie_find(head, "session");
    http_form_is_body(head);
    count = range.data ? http_ranges_parse(range, 1000, ranges) : 0;
    for (int i = 0; i < count; i++)
        require(ranges[i].first >= 0 && ranges[i].length > 0 &&
                ranges[i].first + ranges[i].length <= 1000);
    for (int i = 0; i < head->field_count; i++) {
        struct http_bytes value = http_head_bytes(head, head->fields[i].value);

        http_text_html(&text, value.data, value.len);
        http_text_json(&text, value.data, value.len);
    }
    http_text_free(&text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *bytes = (const char *)data;
    struct http_head head;
    int rc;

    http_head_init(&head);
    rc = http_head_feed(&head, bytes, size);
    require(rc == HTTP_MORE || rc == HTTP_DONE || (rc >= 400 && rc < 600));
    feed_in_two(bytes, size, rc, &head);
    read_chunks(bytes, size, SIZE_MAX);
    if (rc != HTTP_DONE)
        return 0;
    require(head.at <= size && head.at <= HTTP_HEAD_MAX);
    read_target(http_head_bytes(&head, head.target));
    read_fields(&head);
    if (head.chunked)
        read_chunks(bytes + head.at, size - head.at, 3);
    return 0;
}
