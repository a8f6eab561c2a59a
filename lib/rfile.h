/* What a client sends, buffered: a stream's bytes, or one packet's. */
#ifndef SKS__RFILE_H
#define SKS__RFILE_H

#include "buffer.h"
#include "stream.h"

#include <sockserver.h>

/* Embedded in its request, which frees it with sks__rfile_close(). */
struct sks_rfile {
    struct sks__stream *stream; /* NULL: all there is is in the buffer */
    sks_wfile *wfile;           /* flushed before a wait */
    struct sks__buffer buffer;
    size_t bufsize; /* what one read asks for, at first maybe less */
    int was_full;   /* a read filled the buffer */
    int end;     /* what follows the buffer: 0 is not known yet, 1 end of file,
                    < 0 the error that a cut packet ends with */
    int pending; /* an error that the next call returns: the one before had
                    bytes to tell of */
};

void sks__rfile_open(sks_rfile *f, struct sks__stream *stream, sks_wfile *wfile,
                     size_t bufsize);

/* Reads a packet, all that the buffer holds; takes its memory over.  cut: the
 * packet's end is lost. */
void sks__rfile_open_packet(sks_rfile *f, const struct sks__buffer *packet,
                            int cut);

static inline void sks__rfile_close(sks_rfile *f)
{
    sks__buffer_close(&f->buffer);
}

#endif /* SKS__RFILE_H */
