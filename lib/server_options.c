/* What is set before bind.  A bad value is remembered, and the next call that
 * can return it does. */
#include "buffer.h"
#include "server.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* The setter's place to complain: the first fault sticks. */
static void refuse(sks_server *server, int rc, const char *what,
                   const char *why)
{
    if (server->fault == 0)
        server->fault = sks__server_fail(server, rc, "%s %s", what, why);
}

/* True if the option may be set now. */
static int may_set(sks_server *server, const char *option)
{
    if (server == NULL)
        return 0;
    if (server->bound || server->closed) {
        refuse(server, SKS_ESTATE, option,
               "cannot be set once the server is bound");
        return 0;
    }
    return 1;
}

/* least: -1 where that means for ever. */
static int may_set_int(sks_server *server, int n, int least, const char *option)
{
    if (!may_set(server, option))
        return 0;
    if (n < least)
        refuse(server, -EINVAL, option,
               least < 0 ? "is below -1" : "is below 0");
    return n >= least;
}

static int may_set_size(sks_server *server, size_t n, size_t least,
                        const char *option)
{
    if (!may_set(server, option))
        return 0;
    if (n < least)
        refuse(server, -EINVAL, option, "is 0");
    else if (n > SKS__BUFFER_MAX)
        refuse(server, -EINVAL, option, "is over 64 MiB");
    return n >= least && n <= SKS__BUFFER_MAX;
}

/* --- endpoints --- */

static void add_endpoint(sks_server *server, enum sks__endpoint_kind kind,
                         const char *name, int number)
{
    struct sks__endpoint *all =
        realloc(server->endpoints, (server->endpoint_count + 1) * sizeof *all);
    struct sks__endpoint *e;

    if (all == NULL) {
        refuse(server, -ENOMEM, "an address:", sks_strerror(-ENOMEM));
        return;
    }
    server->endpoints = all;
    e = &all[server->endpoint_count];
    e->kind = kind;
    e->number = number;
    e->name = name != NULL ? strdup(name) : NULL;
    if (name != NULL && e->name == NULL) {
        refuse(server, -ENOMEM, "an address:", sks_strerror(-ENOMEM));
        return;
    }
    server->endpoint_count++;
}

/* Of a server of adopted sockets nobody said which kind new ones should be. */
static int may_add(sks_server *server, const char *what)
{
    if (!may_set(server, what))
        return 0;
    if (server->socktype == 0)
        refuse(server, -EINVAL, what,
               "cannot be added to a server of adopted sockets");
    return server->socktype != 0;
}

void sks_server_add_address(sks_server *server, const char *host, int port)
{
    if (may_add(server, "an address"))
        add_endpoint(server, SKS__ENDPOINT_INET, host, port);
}

void sks_server_add_path(sks_server *server, const char *path)
{
    if (may_add(server, "a path"))
        add_endpoint(server, SKS__ENDPOINT_PATH, path != NULL ? path : "", 0);
}

void sks_server_add_fd(sks_server *server, int fd)
{
    if (may_set(server, "a descriptor"))
        add_endpoint(server, SKS__ENDPOINT_FD, NULL, fd);
}

/* --- tables --- */

/* Copies a table whose first member is its size: a shorter one, of a program
 * that is older than the library, lacks the last members, which stay NULL; a
 * longer one may have none that we do not know. */
static int copy_table(void *to, size_t known, const void *from, size_t least)
{
    const char *bytes = from;
    size_t size;

    memcpy(&size, from, sizeof size);
    if (size < least || size > known + 4096)
        return SKS_EVTABLE;
    for (size_t i = known; i < size; i++)
        if (bytes[i] != 0)
            return SKS_EVTABLE;
    memset(to, 0, known);
    memcpy(to, from, size < known ? size : known);
    return 0;
}

void sks__server_set_handler(sks_server *server, const sks_handler *handler)
{
    sks_handler *own = &server->handler;

    if (handler == NULL)
        refuse(server, SKS_EVTABLE, "the handler", "is NULL");
    else if (copy_table(own, sizeof *own, handler, sizeof *own) < 0)
        refuse(server, SKS_EVTABLE, "the handler's size",
               "is not that of a handler");
    else if (own->handle == NULL)
        refuse(server, SKS_EVTABLE, "the handler", "has no handle function");
    else if (own->self_size > SKS__BUFFER_MAX)
        refuse(server, -EINVAL, "the handler's self_size", "is over 64 MiB");
}

void sks__server_open_wakeups(sks_server *server)
{
    int rc = sks__wakeup_open(&server->stop);

    if (rc == 0)
        rc = sks__wakeup_open(&server->turn);
    if (rc < 0)
        refuse(server, rc, "a wake-up cannot be made:", sks_strerror(rc));
}

int sks__server_copy_strategy(sks_server *server, const sks_strategy *strategy,
                              const char **why)
{
    sks_strategy own;
    const size_t least = offsetof(sks_strategy, process_request) +
                         sizeof strategy->process_request;

    *why = "is NULL";
    if (strategy == NULL)
        return SKS_EVTABLE;
    *why = "has not the size of a strategy";
    if (copy_table(&own, sizeof own, strategy, least) < 0)
        return SKS_EVTABLE;
    *why = "has no name or no process_request function";
    if (own.name == NULL || own.process_request == NULL)
        return SKS_EVTABLE;
    *why = "has a self_size or request_size over 64 MiB";
    if (own.self_size > SKS__BUFFER_MAX || own.request_size > SKS__BUFFER_MAX)
        return -EINVAL;
    server->strategy = own;
    return 0;
}

void sks_server_set_strategy(sks_server *server, const sks_strategy *strategy,
                             void *config)
{
    const char *why;
    int rc;

    if (!may_set(server, "the strategy"))
        return;
    rc = sks__server_copy_strategy(server, strategy, &why);
    if (rc < 0)
        refuse(server, rc, "the strategy", why);
    server->strategy_config = config;
}

/* --- options --- */

void sks_server_set_reuse_address(sks_server *server, int on)
{
    if (may_set(server, "reuse_address"))
        server->options.reuse_address = on != 0;
}

void sks_server_set_reuse_port(sks_server *server, int on)
{
    if (may_set(server, "reuse_port"))
        server->options.reuse_port = on != 0;
}

void sks_server_set_backlog(sks_server *server, int n)
{
    if (may_set_int(server, n, 0, "backlog"))
        server->options.backlog = n;
}

void sks_server_set_defer_accept_ms(sks_server *server, int ms)
{
    if (may_set_int(server, ms, 0, "defer_accept_ms"))
        server->options.defer_accept_ms = ms;
}

void sks_server_set_timeout_ms(sks_server *server, int ms)
{
    if (may_set_int(server, ms, -1, "timeout_ms"))
        server->options.timeout_ms = ms;
}

void sks_server_set_request_timeout_ms(sks_server *server, int ms)
{
    if (may_set_int(server, ms, -1, "request_timeout_ms"))
        server->options.request_timeout_ms = ms;
}

void sks_server_set_drain_timeout_ms(sks_server *server, int ms)
{
    if (may_set_int(server, ms, -1, "drain_timeout_ms"))
        server->options.drain_timeout_ms = ms;
}

void sks_server_set_poll_interval_ms(sks_server *server, int ms)
{
    if (may_set_int(server, ms, -1, "poll_interval_ms"))
        server->options.poll_interval_ms = ms;
}

void sks_server_set_max_workers(sks_server *server, unsigned n)
{
    if (!may_set(server, "max_workers"))
        return;
    if (n == 0)
        refuse(server, -EINVAL, "max_workers", "is 0");
    else if (n > SKS__WORKERS_MAX)
        refuse(server, -EINVAL, "max_workers", "is over 1048576");
    else
        server->options.max_workers = n;
}

void sks_server_set_spin_us(sks_server *server, int us)
{
    if (!may_set_int(server, us, 0, "spin_us"))
        return;
    if (us > SKS__SPIN_MAX)
        refuse(server, -EINVAL, "spin_us", "is over a second");
    else
        server->options.spin_us = us;
}

void sks_server_set_block_on_close(sks_server *server, int on)
{
    if (may_set(server, "block_on_close"))
        server->options.block_on_close = on != 0;
}

void sks_server_set_max_packet_size(sks_server *server, size_t n)
{
    if (may_set_size(server, n, 1, "max_packet_size"))
        server->options.max_packet_size = n;
}

void sks_server_set_rbufsize(sks_server *server, size_t n)
{
    if (may_set_size(server, n, 1, "rbufsize"))
        server->options.rbufsize = n;
}

void sks_server_set_wbufsize(sks_server *server, size_t n)
{
    if (may_set_size(server, n, 0, "wbufsize"))
        server->options.wbufsize = n;
}

void sks_server_set_nodelay(sks_server *server, int on)
{
    if (may_set(server, "nodelay"))
        server->options.nodelay = on != 0;
}

/* --- hooks --- */

void sks_server_set_verify_request(sks_server *server,
                                   int (*fn)(void *, const sks_request *),
                                   void *arg)
{
    if (!may_set(server, "verify_request"))
        return;
    server->hooks.verify_request = fn;
    server->hooks.verify_request_arg = arg;
}

void sks_server_set_handle_error(sks_server *server,
                                 void (*fn)(void *, const sks_request *, int),
                                 void *arg)
{
    if (!may_set(server, "handle_error"))
        return;
    server->hooks.handle_error = fn;
    server->hooks.handle_error_arg = arg;
}

void sks_server_set_handle_timeout(sks_server *server,
                                   void (*fn)(void *, sks_server *), void *arg)
{
    if (!may_set(server, "handle_timeout"))
        return;
    server->hooks.handle_timeout = fn;
    server->hooks.handle_timeout_arg = arg;
}

void sks_server_set_service_actions(sks_server *server,
                                    void (*fn)(void *, sks_server *), void *arg)
{
    if (!may_set(server, "service_actions"))
        return;
    server->hooks.service_actions = fn;
    server->hooks.service_actions_arg = arg;
}

void sks_server_set_log(sks_server *server,
                        void (*fn)(void *, int, const char *), void *arg)
{
    if (!may_set(server, "log"))
        return;
    server->hooks.log = fn;
    server->hooks.log_arg = arg;
}

void sks_server_set_data(sks_server *server, void *data)
{
    if (server != NULL)
        server->data = data;
}
