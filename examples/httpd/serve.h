/* A connection's life: heads are read, exchanges made of them and answered,
 * one after the other.  This is the handler for a server of libsockserver,
 * whose data must be a struct http_service. */
#ifndef HTTP_SERVE_H
#define HTTP_SERVE_H

#include "exchange.h"

enum {
    /** For sks_server_set_wbufsize(): a head, and content that is smaller
     * still.  Larger content leaves with it in one system call, uncopied. */
    HTTP_WBUFSIZE = 1024,
    /** For sks_server_set_rbufsize(): more is taken where a head is long.
     * Allocators have a quick way for so much, which counts where waiting
     * connections give their buffers back. */
    HTTP_RBUFSIZE = 1024
};

/** The handler. */
extern const sks_handler http_handler;

/** Sets on a server what the handler counts on: its data, the sizes of its
 * buffers and its time limits.
 * @param service kept */
void http_prepare_server(sks_server *server, struct http_service *service);

#endif /* HTTP_SERVE_H */
