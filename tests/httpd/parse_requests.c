/* Judges requests for the differential test.  Reads them from its standard
 * input, each after a line with its length in bytes, and writes a line for
 * each: "accepted" and how many bytes head and body are, or "refused" and the
 * status, or "unfinished". */
#include "chunked.h"
#include "parser.h"
#include "target.h"

#include <stdio.h>
#include <stdlib.h>

/* The bytes of a chunked body; 0: unfinished, -1: bad. */
static long chunked_length(const char *bytes, size_t n)
{
    struct http_chunked k;
    size_t at = 0;

    http_chunked_init(&k);
    while (!k.done && at < n) {
        ptrdiff_t used = http_chunked_feed(&k, bytes + at, n - at);

        if (used < 0)
            return -1;
        at += (size_t)used;
        if ((size_t)k.left > n - at)
            return 0;
        at += (size_t)k.left;
        k.left = 0;
    }
    return k.done ? (long)at : 0;
}

static int check_target(const struct http_head *head)
{
    struct http_bytes path, query;
    int rc =
        http_target_split(http_head_bytes(head, head->target), &path, &query);

    return rc ? rc : HTTP_DONE;
}

static void judge(const char *bytes, size_t n)
{
    struct http_head head;
    long body = 0;
    int rc;

    http_head_init(&head);
    rc = http_head_feed(&head, bytes, n);
    if (rc == HTTP_DONE)
        rc = check_target(&head);
    if (rc >= 400) {
        printf("refused %d\n", rc);
        return;
    }
    if (rc == HTTP_DONE && head.chunked)
        body = chunked_length(bytes + head.at, n - head.at);
    else if (rc == HTTP_DONE && head.content_length > 0)
        body = head.content_length <= (int64_t)(n - head.at)
                   ? (long)head.content_length
                   : 0;
    if (body < 0)
        printf("refused 400\n");
    else if (rc == HTTP_MORE ||
             (body == 0 && (head.chunked || head.content_length > 0)))
        printf("unfinished\n");
    else
        printf("accepted %zu\n", head.at + (size_t)body);
}

int main(void)
{
    size_t n;

    while (scanf("%zu", &n) == 1 && getchar() == '\n') {
        char *bytes = malloc(n + 1);

        if (bytes == NULL || fread(bytes, 1, n, stdin) != n)
            return 1;
        judge(bytes, n);
        free(bytes);
    }
    return 0;
}
