#include "buffer.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static int grow(struct sks__buffer *b, size_t need)
{
    size_t size = b->size <= SIZE_MAX / 2 ? b->size * 2 : SIZE_MAX;
    char *data;

    if (size < need)
        size = need;
    data = realloc(b->data, size);
    if (data == NULL)
        return -ENOMEM;
    b->data = data;
    b->size = size;
    return 0;
}

int sks__buffer_reserve(struct sks__buffer *b, size_t n)
{
    size_t held = sks__buffer_len(b);

    if (b->size - b->end >= n)
        return 0;
    if (n > SKS__BUFFER_MAX - held)
        return -ENOMEM;
    if (b->start > 0) {
        memmove(b->data, b->data + b->start, held);
        b->start = 0;
        b->end = held;
    }
    return b->size - held >= n ? 0 : grow(b, held + n);
}

int sks__buffer_append(struct sks__buffer *b, const void *bytes, size_t n)
{
    int rc = 0;

    if (n == 0)
        return 0;
    if (b->size - b->end < n)
        rc = sks__buffer_reserve(b, n);
    if (rc < 0)
        return rc;
    memcpy(b->data + b->end, bytes, n);
    b->end += n;
    return 0;
}

size_t sks__buffer_take(struct sks__buffer *b, void *out, size_t n)
{
    size_t held = sks__buffer_len(b);

    if (n > held)
        n = held;
    if (out != NULL && n > 0)
        memcpy(out, b->data + b->start, n);
    b->start += n;
    if (b->start == b->end)
        b->start = b->end = 0;
    return n;
}

void sks__buffer_free(struct sks__buffer *b)
{
    if (b->data == NULL)
        return; /* nothing to write, which copies a page after a fork */
    free(b->data);
    memset(b, 0, sizeof *b);
}
