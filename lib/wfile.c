#include "wfile.h"

#include "fd.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What a buffer for a stream begins with, unless less may be held back. */
enum { FIRST_ROOM = 2048 };

void sks__wfile_open(sks_wfile *f, struct sks__stream *stream, size_t bufsize)
{
    *f = (sks_wfile){.stream = stream, .bufsize = bufsize};
}

void sks__wfile_open_packet(sks_wfile *f, size_t limit, void *room)
{
    *f = (sks_wfile){.bufsize = limit};
    if (room != NULL)
        sks__buffer_lend(&f->buffer, room, SKS__BUFFER_SMALL);
}

/* Sends n bytes, where nothing is held back. */
static inline int send_alone(sks_wfile *f, const void *bytes, size_t n)
{
    struct iovec iov = {(void *)bytes, n};

    return sks__stream_write(f->stream, &iov, 1, 0);
}

/* Sends what is held back and then n bytes, in one system call where it can.
 * The buffer is empty afterwards, whatever happened. */
static int send_through(sks_wfile *f, const void *bytes, size_t n, int more)
{
    struct sks__buffer *b = &f->buffer;
    struct iovec iov[2];
    int count = 0, rc;

    if (sks__buffer_len(b) > 0)
        iov[count++] = (struct iovec){b->data + b->start, sks__buffer_len(b)};
    if (n > 0)
        iov[count++] = (struct iovec){(void *)bytes, n};
    rc = sks__stream_write(f->stream, iov, count, more);
    b->start = b->end = 0;
    return rc;
}

/* Small pieces come in numbers: the buffer starts with room for some. */
static size_t first_room(const sks_wfile *f)
{
    size_t room = f->stream != NULL ? FIRST_ROOM : SKS__BUFFER_SMALL;

    return f->bufsize < room ? f->bufsize : room;
}

static int hold_back(sks_wfile *f, const void *bytes, size_t n)
{
    struct sks__buffer *b = &f->buffer;

    if (b->size - b->end < n) {
        size_t room = first_room(f);
        int rc = sks__buffer_reserve(b, n > room ? n : room);

        if (rc < 0)
            return rc;
    }
    memcpy(b->data + b->end, bytes, n);
    b->end += n;
    return 0;
}

static int collect(sks_wfile *f, const void *bytes, size_t n)
{
    if (n > f->bufsize - sks__buffer_len(&f->buffer))
        return SKS_ETOOLONG;
    return n > 0 ? hold_back(f, bytes, n) : 0;
}

int sks_wfile_write(sks_wfile *f, const void *buf, size_t n)
{
    size_t held = sks__buffer_len(&f->buffer);

    if (f->error < 0)
        return f->error;
    f->written = 1;
    if (f->stream == NULL)
        f->error = collect(f, buf, n);
    else if (n > 0 && n <= f->bufsize - held)
        f->error = hold_back(f, buf, n);
    else if (n > 0)
        f->error =
            held == 0 ? send_alone(f, buf, n) : send_through(f, buf, n, 0);
    return f->error;
}

int sks_wfile_puts(sks_wfile *f, const char *s)
{
    return sks_wfile_write(f, s, strlen(s));
}

/* Text that outgrew the stack's room for it. */
static int write_long(sks_wfile *f, size_t n, const char *format, va_list args)
{
    char *text = malloc(n + 1);
    int rc;

    if (text == NULL)
        return f->error = -ENOMEM;
    vsnprintf(text, n + 1, format, args);
    rc = sks_wfile_write(f, text, n);
    free(text);
    return rc;
}

int sks_wfile_printf(sks_wfile *f, const char *format, ...)
{
    char text[512];
    va_list args, again;
    int n, rc;

    if (f->error < 0)
        return f->error;
    va_start(args, format);
    va_copy(again, args);
    n = vsnprintf(text, sizeof text, format, args);
    if (n < 0)
        rc = f->error = -EINVAL;
    else if ((size_t)n < sizeof text)
        rc = sks_wfile_write(f, text, (size_t)n);
    else
        rc = write_long(f, (size_t)n, format, again);
    va_end(again);
    va_end(args);
    return rc;
}

/* A packet has no use for sendfile(2). */
static int collect_file(sks_wfile *f, int fd, off_t offset, off_t n)
{
    size_t room = f->bufsize - sks__buffer_len(&f->buffer);
    int rc;

    if (n > (off_t)room)
        return SKS_ETOOLONG;
    rc = sks__buffer_reserve(&f->buffer, (size_t)n);
    while (rc == 0 && n > 0) {
        ssize_t got = sks__fd_pread(fd, f->buffer.data + f->buffer.end,
                                    (size_t)n, offset);

        if (got <= 0)
            return got < 0 ? (int)got : -EIO;
        f->buffer.end += (size_t)got;
        offset += got;
        n -= got;
    }
    return rc;
}

int sks_wfile_sendfile(sks_wfile *f, int fd, off_t offset, off_t n)
{
    if (f->error < 0)
        return f->error;
    if (offset < 0 || n < 0)
        return f->error = -EINVAL;
    f->written = 1;
    if (f->stream == NULL)
        return f->error = collect_file(f, fd, offset, n);
    if (sks__buffer_len(&f->buffer) > 0)
        f->error = send_through(f, NULL, 0, n > 0);
    if (f->error == 0)
        f->error = sks__stream_sendfile(f->stream, fd, offset, n);
    return f->error;
}

int sks_wfile_flush(sks_wfile *f)
{
    if (f->error == 0 && f->stream != NULL && sks__buffer_len(&f->buffer) > 0)
        f->error = send_through(f, NULL, 0, 0);
    return f->error;
}

int sks__wfile_finish(sks_wfile *f)
{
    if (sks_wfile_flush(f) == 0 && f->stream != NULL)
        f->error = sks__stream_settle(f->stream);
    return f->error;
}
