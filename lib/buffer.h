/* Bytes on their way: appended at the end, taken from the start.  Allocates on
 * first use; one thread at a time. */
#ifndef SKS__BUFFER_H
#define SKS__BUFFER_H

#include <stddef.h>

/* More than this at once is a mistake: 64 MiB. */
enum { SKS__BUFFER_MAX = 64 * 1024 * 1024 };

/* What packets and small replies begin with, so that the memory of one does for
 * the next. */
enum { SKS__BUFFER_SMALL = 512 };

/* Zeroed is empty.  The owner of the struct frees it with
 * sks__buffer_free(). */
struct sks__buffer {
    char *data;
    size_t start, end; /* what is held: data[start] to data[end - 1] */
    unsigned size;     /* of data */
    int lent;          /* data is somebody else's: see sks__buffer_lend() */
};

/* Begins an empty buffer with memory of the caller's, who keeps it until the
 * buffer is freed.  What outgrows it is allocated. */
static inline void sks__buffer_lend(struct sks__buffer *b, void *memory,
                                    size_t size)
{
    *b =
        (struct sks__buffer){.data = memory, .size = (unsigned)size, .lent = 1};
}

static inline size_t sks__buffer_len(const struct sks__buffer *b)
{
    return b->end - b->start;
}

/* What is held; never NULL. */
static inline const char *sks__buffer_bytes(const struct sks__buffer *b)
{
    return b->data != NULL ? b->data + b->start : "";
}

/* Makes room for n bytes more at the end: moves what is held to the front,
 * then grows.  0 or -ENOMEM, also beyond SKS__BUFFER_MAX, which changes
 * nothing. */
int sks__buffer_reserve(struct sks__buffer *b, size_t n);

/* 0 or -ENOMEM, which changes nothing. */
int sks__buffer_append(struct sks__buffer *b, const void *bytes, size_t n);

/* Drops the first n bytes, as many as are held at most. */
static inline void sks__buffer_drop(struct sks__buffer *b, size_t n)
{
    b->start += n;
    if (b->start == b->end)
        b->start = b->end = 0;
}

/* Takes up to n bytes into out, which may be NULL: how many were taken. */
size_t sks__buffer_take(struct sks__buffer *b, void *out, size_t n);

void sks__buffer_free(struct sks__buffer *b);

/* The same for one that is not used again. */
static inline void sks__buffer_close(struct sks__buffer *b)
{
    if (b->data != NULL && !b->lent)
        sks__buffer_free(b);
}

/* For a thread that frees buffers and soon needs others of the same size, many
 * times a moment: from now on it keeps the memory of up to most of them, the
 * one freed last is the first to be used again.  0 gives all of it back, and
 * must come before the thread ends. */
void sks__buffer_keep(unsigned most);

#endif /* SKS__BUFFER_H */
