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

/* Collects a packet of at most limit bytes. */
void sks__wfile_open_packet(sks_wfile *f, size_t limit);

void sks__wfile_close(sks_wfile *f);

#endif /* SKS__WFILE_H */
