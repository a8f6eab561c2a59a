#include "gzip.h"

#include <stdlib.h>
#include <zlib.h>

/* 15 bits of window, and 16 asks for gzip's framing. */
enum { WINDOW = 15 + 16, LEVEL = 6, MEMORY = 8 };

char *http_gzip(const void *data, size_t n, size_t *len)
{
    z_stream z = {0};
    char *out = malloc(n);
    int rc;

    if (out == NULL || deflateInit2(&z, LEVEL, Z_DEFLATED, WINDOW, MEMORY,
                                    Z_DEFAULT_STRATEGY) != Z_OK) {
        free(out);
        return NULL;
    }
    z.next_in = (Bytef *)(size_t)data;
    z.avail_in = (uInt)n;
    z.next_out = (Bytef *)out;
    z.avail_out = (uInt)n;
    rc = deflate(&z, Z_FINISH);
    *len = n - z.avail_out;
    deflateEnd(&z);
    /* No room for it: it is not shorter. */
    if (rc != Z_STREAM_END) {
        free(out);
        return NULL;
    }
    return out;
}
