/* Making and ending servers. */
#include "server.h"

#include "clock.h"
#include "packets.h"
#include "request.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#ifndef MAP_ANONYMOUS
#define MAP_ANONYMOUS MAP_ANON
#endif

const char *sks_version(void)
{
    return SKS_VERSION;
}

sks_handler *sks_handler_new(size_t self_size, int (*setup)(sks_request *),
                             int (*handle)(sks_request *),
                             void (*finish)(sks_request *))
{
    sks_handler *handler = malloc(sizeof *handler);

    if (handler != NULL)
        *handler = (sks_handler){.size = sizeof *handler,
                                 .self_size = self_size,
                                 .setup = setup,
                                 .handle = handle,
                                 .finish = finish};
    return handler;
}

void sks_handler_free(sks_handler *handler)
{
    free(handler);
}

int sks__server_fail(sks_server *server, int rc, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vsnprintf(server->error, SKS__ERROR_SIZE, format, args);
    va_end(args);
    return rc;
}

static const struct sks__options defaults = {
    .reuse_address = 1,
    .backlog = 65535, /* the system cuts it to what it allows */
    .nodelay = 1,
    .timeout_ms = -1,
    .request_timeout_ms = 60000,
    .drain_timeout_ms = 10000,
    .poll_interval_ms = -1,
    .block_on_close = 1,
    .max_packet_size = 65535,
    .rbufsize = 8192,
};

static int open_shared(sks_server *server)
{
    void *page = mmap(NULL, sizeof *server->shared, PROT_READ | PROT_WRITE,
                      MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    if (page == MAP_FAILED)
        return -errno;
    /* It is zeroed, and no more of it than is used takes memory. */
    server->shared = page;
    server->tally = &server->shared->tally[0];
    atomic_init(&server->shared->tallies, 1);
    return 0;
}

static int open_locks(sks_server *server)
{
    pthread_condattr_t monotonic;
    int rc = pthread_condattr_init(&monotonic);

    if (rc != 0)
        return -rc;
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    rc = pthread_cond_init(&server->left, &monotonic);
    pthread_condattr_destroy(&monotonic);
    if (rc != 0)
        return -rc;
    rc = pthread_mutex_init(&server->lock, NULL);
    if (rc != 0)
        pthread_cond_destroy(&server->left);
    return -rc;
}

static void close_locks(sks_server *server)
{
    pthread_mutex_destroy(&server->lock);
    pthread_cond_destroy(&server->left);
}

static void free_structs(sks_server *server)
{
    free(server->error);
    free(server->listeners);
    free(server);
}

/* The struct with its defaults and no descriptors; NULL when out of memory. */
static sks_server *server_new(int socktype)
{
    sks_server *server =
        aligned_alloc(SKS__SERVER_SIZE, SKS__SERVER_SIZE + SKS__CHILDS_ROOM);

    if (server == NULL)
        return NULL;
    memset(server, 0, SKS__SERVER_SIZE);
    server->listeners = calloc(SKS__LISTENERS_MAX, sizeof *server->listeners);
    server->error = calloc(1, SKS__ERROR_SIZE);
    if (server->listeners == NULL || server->error == NULL) {
        free_structs(server);
        return NULL;
    }
    server->socktype = socktype;
    server->options = defaults;
    server->strategy = *sks_synchronous();
    server->stop.read_fd = server->turn.read_fd = server->gathered_fd = -1;
    server->turn_by = SKS__NEVER;
    sks__list_init(&server->requests);
    atomic_init(&server->exposed_fd, -1);
    atomic_init(&server->holds, 1);
    atomic_init(&server->owner, getpid());
    if (open_locks(server) < 0) {
        free_structs(server);
        return NULL;
    }
    if (open_shared(server) < 0) {
        close_locks(server);
        free_structs(server);
        return NULL;
    }
    return server;
}

/* What all constructors end with; server NULL passes through. */
static sks_server *finished(sks_server *server, const sks_handler *handler)
{
    if (server == NULL)
        return NULL;
    sks__server_set_handler(server, handler);
    sks__server_open_wakeups(server);
    if (server->fault != -ENOMEM)
        return server;
    /* What was passed in stays with who passed it. */
    for (size_t i = 0; i < server->endpoint_count; i++)
        server->endpoints[i].number = -1;
    sks_server_free(server);
    return NULL;
}

sks_server *sks_tcp_server_new(const char *host, int port,
                               const sks_handler *handler)
{
    sks_server *server = server_new(SOCK_STREAM);

    sks_server_add_address(server, host, port);
    return finished(server, handler);
}

sks_server *sks_udp_server_new(const char *host, int port,
                               const sks_handler *handler)
{
    sks_server *server = server_new(SOCK_DGRAM);

    sks_server_add_address(server, host, port);
    return finished(server, handler);
}

sks_server *sks_unix_stream_server_new(const char *path,
                                       const sks_handler *handler)
{
    sks_server *server = server_new(SOCK_STREAM);

    sks_server_add_path(server, path);
    return finished(server, handler);
}

sks_server *sks_unix_datagram_server_new(const char *path,
                                         const sks_handler *handler)
{
    sks_server *server = server_new(SOCK_DGRAM);

    sks_server_add_path(server, path);
    return finished(server, handler);
}

sks_server *sks_fd_server_new(int fd, const sks_handler *handler)
{
    sks_server *server = server_new(0);

    sks_server_add_fd(server, fd);
    return finished(server, handler);
}

void sks_server_hold(sks_server *server)
{
    atomic_fetch_add(&server->holds, 1);
}

/* Adopted sockets are closed with their endpoints. */
static void free_endpoints(sks_server *server)
{
    for (size_t i = 0; i < server->endpoint_count; i++) {
        struct sks__endpoint *e = &server->endpoints[i];

        free(e->name);
        if (e->kind == SKS__ENDPOINT_FD)
            sks__fd_close(e->number);
    }
    free(server->endpoints);
}

static void free_spares(sks_server *server)
{
    sks__requests_free_spares(server);
    sks__pool_close(&server->bookings);
}

static void free_rooms(sks_server *server)
{
    sks__packets_free(atomic_load(&server->handy_room));
    while (server->rooms != NULL) {
        struct sks__packets *room = server->rooms;

        server->rooms = room->next;
        sks__packets_free(room);
    }
}

static void free_memory(sks_server *server)
{
    free_spares(server);
    free_rooms(server);
    sks__server_drop_listeners(server, 0);
    free_endpoints(server);
    if (server->strategy_self != server->small_self)
        free(server->strategy_self);
    sks__wakeup_close(&server->stop);
    sks__wakeup_close(&server->turn);
    munmap(server->shared, sizeof *server->shared);
    close_locks(server);
    free_structs(server);
}

void sks__server_release(sks_server *server, size_t n)
{
    if (atomic_fetch_sub(&server->holds, (unsigned)n) == n)
        free_memory(server);
}

void sks_server_release(sks_server *server)
{
    sks__server_release(server, 1);
}

const char *sks_server_error(const sks_server *server)
{
    return server == NULL ? sks_strerror(-ENOMEM) : server->error;
}

const char *sks_server_address(const sks_server *server, size_t i)
{
    return server != NULL && i < server->listener_count &&
                   server->listeners[i].set <= 1
               ? server->listeners[i].text
               : NULL;
}

int sks_server_port(const sks_server *server)
{
    for (size_t i = 0; server != NULL && i < server->listener_count; i++)
        if (server->listeners[i].port != 0)
            return server->listeners[i].port;
    return 0;
}

void *sks_server_data(const sks_server *server)
{
    return server->data;
}

void *sks_server_strategy_self(const sks_server *server)
{
    return server->strategy_self;
}

int sks_server_spin_us(const sks_server *server)
{
    return server->options.spin_us;
}

unsigned sks_server_max_workers(const sks_server *server)
{
    return server->options.max_workers != 0 ? server->options.max_workers
                                            : server->strategy.max_workers;
}
