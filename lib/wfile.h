/* What a client receives: sent at once, held back in a buffer, or collected
 * into one packet. */
#ifndef SKS__WFILE_H
#define SKS__WFILE_H

#include "buffer.h"
#include "stream.h"

#include <sockserver.h>

/* Embedded in its request, which frees it with sks__wfile_close(). */
struct sks_wfile {
    struct sks__stream *stream; /* NULL: a packet is collected */
    struct sks__buffer buffer;
    size_t bufsize; /* the most that is held back, or fits in the packet */
    int error;      /* sticks */
    int written;    /* something was, be it empty */
};

void sks__wfile_open(sks_wfile *f, struct sks__stream *stream, size_t bufsize);

/* Collects a packet of at most limit bytes.  room: SKS__BUFFER_SMALL bytes that
 * stay until it is closed, for a small one; or NULL. */
void sks__wfile_open_packet(sks_wfile *f, size_t limit, void *room);

/* Flushes, until all that was written is with the system: 0 or an error. */
int sks__wfile_finish(sks_wfile *f);

static inline void sks__wfile_close(sks_wfile *f)
{
    sks__buffer_close(&f->buffer);
}

#endif /* SKS__WFILE_H */
