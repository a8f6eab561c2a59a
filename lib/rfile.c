#include "rfile.h"

#include "fd.h"
#include "wfile.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { END_OF_FILE = 1 };

/* What a buffer begins with where a thread waits in its reads, and so holds it
 * meanwhile: most say little at a time. */
enum { FIRST_ROOM = 1024 };

/* From this size on a tunnel is worth its two descriptors. */
enum { TUNNEL_MIN = 128 * 1024, TUNNEL_CHUNK = 64 * 1024 };

void sks__rfile_open(sks_rfile *f, struct sks__stream *stream, sks_wfile *wfile,
                     size_t bufsize)
{
    *f = (sks_rfile){.stream = stream, .wfile = wfile, .bufsize = bufsize};
}

void sks__rfile_open_packet(sks_rfile *f, const struct sks__buffer *packet,
                            int cut)
{
    *f = (sks_rfile){
        .buffer = *packet,
        .end = cut ? SKS_ETOOLONG : END_OF_FILE,
    };
}

/* What to return when the buffer has nothing more: 0 at end of file, an error,
 * or 1: read. */
static int at_end(const sks_rfile *f)
{
    if (f->end == END_OF_FILE)
        return 0;
    return f->end == 0 ? 1 : f->end;
}

/* The error that a call before this one left, once. */
static int take_pending(sks_rfile *f)
{
    int error = f->pending;

    f->pending = 0;
    return error;
}

/* What is held back leaves before a wait. */
static void flush(const sks_rfile *f)
{
    if (sks__buffer_len(&f->wfile->buffer) > 0)
        sks_wfile_flush(f->wfile);
}

/* One read of the stream into out. */
static ssize_t receive(sks_rfile *f, void *out, size_t n)
{
    ssize_t got = sks__stream_read(f->stream, out, n);

    if (got == 0)
        f->end = END_OF_FILE;
    return got;
}

/* A connection that idles under a strategy of its own waits needs no buffer. */
static int await_without_buffers(sks_rfile *f)
{
    if (f->wfile->buffer.data != NULL)
        sks__buffer_free(&f->wfile->buffer);
    if (f->buffer.data != NULL)
        sks__buffer_free(&f->buffer);
    return sks__stream_await(f->stream);
}

/* A way to read a stream. */
typedef ssize_t reading(struct sks__stream *s, void *buf, size_t n);

/* For how many bytes in all there should be room before a read. */
static inline size_t room_for(const sks_rfile *f)
{
    return !f->stream->blocking || f->was_full || f->bufsize < FIRST_ROOM
               ? f->bufsize
               : (size_t)FIRST_ROOM;
}

/* One read of the stream into the buffer, which then has its room, and that for
 * `more` beyond what it holds. */
static inline ssize_t fill_by(sks_rfile *f, size_t more, reading *read)
{
    struct sks__buffer *b = &f->buffer;
    size_t held = sks__buffer_len(b), room = room_for(f);
    ssize_t got;
    int rc;

    if (held < room && more < room - held)
        more = room - held;
    rc = sks__buffer_reserve(b, more);
    if (rc < 0)
        return rc;
    got = read(f->stream, b->data + b->end, b->size - b->end);
    if (got > 0) {
        b->end += (size_t)got;
        f->was_full |= b->end == b->size;
    } else if (got == 0)
        f->end = END_OF_FILE;
    return got;
}

/* The first fill of a connection, without a wait: -EAGAIN if that was in vain.
 * Who connects mostly speaks at once, and it has come by now. */
static __attribute__((noinline)) ssize_t fill_early(sks_rfile *f, size_t more)
{
    return fill_by(f, more, sks__stream_read_early);
}

/* One read of the stream into the buffer, after a wait for it if that is
 * empty. */
static ssize_t fill(sks_rfile *f, size_t more)
{
    ssize_t rc = at_end(f);

    if (rc <= 0)
        return rc;
    flush(f);
    if (sks__buffer_len(&f->buffer) == 0 && !f->stream->blocking) {
        rc = f->stream->fresh ? fill_early(f, more) : -EAGAIN;
        if (rc != -EAGAIN)
            return rc;
        rc = await_without_buffers(f);
    }
    return rc < 0 ? rc : fill_by(f, more, sks__stream_read);
}

/* As sks_rfile_read1(), with an empty buffer: past it if the reader's is as
 * large. */
static ssize_t read_past(sks_rfile *f, void *buf, size_t n)
{
    ssize_t got;
    int rc;

    if (n >= f->bufsize && f->stream != NULL) {
        rc = at_end(f);
        if (rc <= 0)
            return rc;
        flush(f);
        return receive(f, buf, n);
    }
    got = fill(f, 1);
    return got <= 0 ? got : (ssize_t)sks__buffer_take(&f->buffer, buf, n);
}

static ssize_t read1(sks_rfile *f, void *buf, size_t n)
{
    if (n == 0 || sks__buffer_len(&f->buffer) > 0)
        return (ssize_t)sks__buffer_take(&f->buffer, buf, n);
    return read_past(f, buf, n);
}

ssize_t sks_rfile_read1(sks_rfile *f, void *buf, size_t n)
{
    int rc = take_pending(f);

    return rc < 0 ? rc : read1(f, buf, n);
}

/* A count if there is one; the error waits for the next call. */
static off_t count_or_error(sks_rfile *f, off_t done, off_t last)
{
    if (last >= 0 || done == 0)
        return done > 0 ? done : last;
    if (f->end != last)
        f->pending = (int)last;
    return done;
}

ssize_t sks_rfile_read(sks_rfile *f, void *buf, size_t n)
{
    size_t done = 0;
    ssize_t got = take_pending(f);

    while (got >= 0 && done < n) {
        got = read1(f, (char *)buf + done, n - done);
        if (got <= 0)
            break;
        done += (size_t)got;
    }
    return (ssize_t)count_or_error(f, (off_t)done, got);
}

ssize_t sks_rfile_peek(sks_rfile *f, size_t min, const void **data)
{
    struct sks__buffer *b = &f->buffer;
    ssize_t got = take_pending(f);

    while (got >= 0 && sks__buffer_len(b) < min) {
        got = fill(f, min - sks__buffer_len(b));
        if (got <= 0)
            break;
    }
    *data = sks__buffer_bytes(b);
    return got < 0 ? got : (ssize_t)sks__buffer_len(b);
}

/* How much of n bytes, or of any number if n is -1, is left to move. */
static size_t left_of(off_t n, off_t done, size_t most)
{
    return n < 0 || n - done > (off_t)most ? most : (size_t)(n - done);
}

/* Skips more than the buffer holds. */
static __attribute__((cold, noinline)) off_t skip_on(sks_rfile *f, off_t n)
{
    struct sks__buffer *b = &f->buffer;
    off_t done = 0;
    ssize_t got = take_pending(f);

    while (got >= 0 && done < n) {
        if (sks__buffer_len(b) == 0)
            got = fill(f, 1);
        if (got < 0 || sks__buffer_len(b) == 0)
            break;
        done += (off_t)sks__buffer_take(b, NULL,
                                        left_of(n, done, sks__buffer_len(b)));
    }
    return count_or_error(f, done, got);
}

off_t sks_rfile_skip(sks_rfile *f, off_t n)
{
    if (f->pending != 0 || n <= 0 || n > (off_t)sks__buffer_len(&f->buffer))
        return skip_on(f, n);
    sks__buffer_drop(&f->buffer, (size_t)n);
    return n;
}

/* The length of the first line in the buffer with its '\n', from `seen` bytes
 * on; 0 if there is none. */
static size_t line_in(const struct sks__buffer *b, size_t seen)
{
    const char *start = sks__buffer_bytes(b);
    size_t len = sks__buffer_len(b);
    const char *lf = seen < len ? memchr(start + seen, '\n', len - seen) : NULL;

    return lf == NULL ? 0 : (size_t)(lf - start) + 1;
}

ssize_t sks_rfile_readline(sks_rfile *f, char *buf, size_t size)
{
    const void *data;
    size_t seen = 0, len;

    if (size < 2)
        return -EINVAL;
    while ((len = line_in(&f->buffer, seen)) == 0) {
        ssize_t got;

        seen = sks__buffer_len(&f->buffer);
        if (seen >= size)
            return SKS_ETOOLONG;
        got = sks_rfile_peek(f, seen + 1, &data);
        if (got < 0)
            return got;
        if ((size_t)got == seen) {
            len = seen;
            break;
        }
    }
    if (len > size - 1)
        return SKS_ETOOLONG;
    sks__buffer_take(&f->buffer, buf, len);
    buf[len] = '\0';
    return (ssize_t)len;
}

/* Until a pipe or the like takes more: 0, or an error. */
static int await_file(const sks_rfile *f, int fd)
{
    static const struct sks__waiter own_thread;
    int rc = f->stream == NULL
                 ? sks__waiter_wait(&own_thread, fd, POLLOUT, -1)
                 : sks__waiter_wait(&f->stream->waiter, fd, POLLOUT,
                                    f->stream->timeout_ms);

    return rc > 0 ? 0 : rc == 0 ? SKS_ETIMEDOUT : rc;
}

/* Moves through the buffer until n bytes are done, or the stream ends; fills it
 * only if `refill`.  0 or an error. */
static int move_by_copy(sks_rfile *f, int fd, off_t n, int refill, off_t *done)
{
    struct sks__buffer *b = &f->buffer;

    while (n < 0 || *done < n) {
        ssize_t got = 0;

        if (sks__buffer_len(b) == 0 && refill)
            got = fill(f, 1);
        if (got < 0 || sks__buffer_len(b) == 0)
            return (int)got;
        got = sks__fd_write_all(fd, sks__buffer_bytes(b),
                                left_of(n, *done, sks__buffer_len(b)));
        if (got == -EAGAIN)
            got = await_file(f, fd);
        if (got < 0)
            return (int)got;
        *done += (off_t)sks__buffer_take(b, NULL, (size_t)got);
    }
    return 0;
}

/* Takes back the n bytes that the file did not; the buffer has room. */
static int recover(sks_rfile *f, struct sks__fd_tunnel *t, size_t n)
{
    ssize_t got =
        sks__fd_read_all(t->read_fd, f->buffer.data + f->buffer.end, n);

    if (got > 0)
        f->buffer.end += (size_t)got;
    return got < 0 ? (int)got : 0;
}

/* One chunk through the tunnel: what reached the file, or why nothing did. */
static ssize_t tunnel_chunk(sks_rfile *f, struct sks__fd_tunnel *t, int fd,
                            size_t n)
{
    ssize_t got, moved = 0, rc = 0;

    flush(f);
    got = sks__stream_fill(f->stream, t, n);
    if (got == 0)
        f->end = END_OF_FILE;
    while (moved < got) {
        rc = sks__fd_tunnel_drain(t, fd, (size_t)(got - moved));
        if (rc <= 0)
            break;
        moved += rc;
    }
    if (moved == got || got < 0)
        return got;
    got = recover(f, t, (size_t)(got - moved));
    return moved > 0 ? moved : got < 0 ? got : rc;
}

/* The same without the buffer, or at least some of it: the tunnel may not suit
 * these two descriptors (-EINVAL from either).  What the file does not take
 * comes back into the buffer, which must have room for it. */
static int move_by_tunnel(sks_rfile *f, int fd, off_t n, off_t *done)
{
    struct sks__fd_tunnel t;
    ssize_t got = at_end(f);

    if (got <= 0 || sks__buffer_reserve(&f->buffer, TUNNEL_CHUNK) < 0 ||
        sks__fd_tunnel_open(&t) < 0)
        return got < 0 ? (int)got : 0;
    while ((n < 0 || *done < n) && sks__buffer_len(&f->buffer) == 0) {
        got = tunnel_chunk(f, &t, fd, left_of(n, *done, TUNNEL_CHUNK));
        if (got <= 0)
            break;
        *done += got;
    }
    sks__fd_tunnel_close(&t);
    return got < 0 && got != -EINVAL && got != -EAGAIN ? (int)got : 0;
}

static int tunnel_pays(const sks_rfile *f, off_t n)
{
    return f->stream != NULL && f->stream->layer->fill != NULL &&
           (n < 0 || n >= TUNNEL_MIN);
}

off_t sks_rfile_recvfile(sks_rfile *f, int fd, off_t n)
{
    off_t done = 0;
    int rc = take_pending(f);

    if (rc < 0)
        return rc;
    rc = move_by_copy(f, fd, n, 0, &done);
    if (rc == 0 && tunnel_pays(f, n < 0 ? n : n - done))
        rc = move_by_tunnel(f, fd, n, &done);
    if (rc == 0)
        rc = move_by_copy(f, fd, n, 1, &done);
    return count_or_error(f, done, rc);
}
