/* A connection's life: heads are read, exchanges made of them and answered,
 * one after the other.  This is the handler for a server of libsockserver,
 * whose data must be a struct http_service. */
#ifndef HTTP_SERVE_H
#define HTTP_SERVE_H

#include "exchange.h"

enum {
    /** For sks_server_set_wbufsize(): a head and small content, as copying them
     * costs less than making the kernel gather two pieces.  Larger content
     * leaves with the head in one system call, uncopied. */
    HTTP_WBUFSIZE = 2048,
    /** For sks_server_set_rbufsize(): more is taken where a head is long.  Both
     * are the same so that waiting connections, which give their buffers back,
     * can find any of them. */
    HTTP_RBUFSIZE = HTTP_WBUFSIZE
};

/** The handler. */
extern const sks_handler http_handler;

/** Sets on a server what the handler counts on: its data, the sizes of its
 * buffers and its time limits.
 * @param service kept */
void http_prepare_server(sks_server *server, struct http_service *service);

#endif /* HTTP_SERVE_H */
