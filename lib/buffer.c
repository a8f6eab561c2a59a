#include "buffer.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* Memory that lies idle; what follows the link is undefined. */
struct spare {
    struct spare *next;
};

/* The calling thread's, all of one size. */
struct spares {
    struct spare *first;
    size_t size;
    unsigned count, most;
};

static _Thread_local struct spares spares;

/* n bytes, or NULL. */
static void *take_spare(size_t n)
{
    struct spares *own = &spares;
    struct spare *spare = own->first;

    if (spare == NULL || own->size != n)
        return NULL;
    own->first = spare->next;
    own->count--;
    return spare;
}

/* True if the memory is kept, else it is still the caller's. */
static int keep_spare(void *data, size_t size)
{
    struct spares *own = &spares;
    struct spare *spare = data;

    if (own->count >= own->most || size < sizeof *spare)
        return 0;
    if (own->count > 0 && own->size != size)
        return 0;
    own->size = size;
    own->count++;
    spare->next = own->first;
    own->first = spare;
    return 1;
}

void sks__buffer_keep(unsigned most)
{
    spares.most = most;
    while (spares.count > most)
        free(take_spare(spares.size));
}

/* Memory of its own for a buffer whose memory is lent. */
static char *own_memory(const struct sks__buffer *b, size_t size)
{
    char *data = take_spare(size);

    if (data == NULL)
        data = malloc(size);
    if (data != NULL && b->data != NULL)
        memcpy(data, b->data, b->end);
    return data;
}

static int grow(struct sks__buffer *b, size_t need)
{
    size_t size = (size_t)b->size * 2;
    char *data;

    if (size < need)
        size = need;
    data = b->lent ? own_memory(b, size) : realloc(b->data, size);
    if (data == NULL)
        return -ENOMEM;
    b->data = data;
    b->size = (unsigned)size;
    b->lent = 0;
    return 0;
}

/* As sks__buffer_reserve(), where there is memory but too little room. */
static __attribute__((cold)) int make_room(struct sks__buffer *b, size_t n)
{
    size_t held = sks__buffer_len(b);

    if (n > SKS__BUFFER_MAX - held)
        return -ENOMEM;
    if (b->start > 0 && b->data != NULL) {
        memmove(b->data, b->data + b->start, held);
        b->start = 0;
        b->end = held;
    }
    return b->size - held >= n ? 0 : grow(b, held + n);
}

int sks__buffer_reserve(struct sks__buffer *b, size_t n)
{
    if (b->size - b->end >= n)
        return 0;
    if (b->data != NULL)
        return make_room(b, n);
    b->data = take_spare(n);
    if (b->data == NULL && n <= SKS__BUFFER_MAX)
        b->data = malloc(n);
    if (b->data == NULL)
        return -ENOMEM;
    b->size = (unsigned)n;
    return 0;
}

int sks__buffer_append(struct sks__buffer *b, const void *bytes, size_t n)
{
    int rc = sks__buffer_reserve(b, n);

    if (rc < 0 || n == 0)
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
    sks__buffer_drop(b, n);
    return n;
}

void sks__buffer_free(struct sks__buffer *b)
{
    char *data = b->data;
    size_t size = b->size;
    int lent = b->lent;

    if (data == NULL)
        return; /* nothing to write, which copies a page after a fork */
    *b = (struct sks__buffer){.data = NULL};
    if (!lent && !keep_spare(data, size))
        free(data);
}
