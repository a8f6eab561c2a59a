/* Heads for the tests of what reads their fields. */
#ifndef HEADS_H
#define HEADS_H

#include "check.h"
#include "parser.h"

#include <stdio.h>

/** Parses "GET / HTTP/1.1" with Host and the fields, each with its "\r\n".
 * The head's bytes live until the next call. */
static inline struct http_head head_with(const char *fields)
{
    static char bytes[4096];
    struct http_head head;
    int n = snprintf(bytes, sizeof bytes, "GET / HTTP/1.1\r\nHost: a\r\n%s\r\n",
                     fields);

    http_head_init(&head);
    assert_int_equal(http_head_feed(&head, bytes, (size_t)n), HTTP_DONE);
    return head;
}

#endif /* HEADS_H */
