/* Makes and ends a case's server. */
#include "contract.h"
#include "support/real.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>

/* A socket of the pair's kind that is bound already, as an adopted one is. */
static int bound_socket(const struct contract *c, int port)
{
    struct sockaddr_storage address;
    socklen_t len = contract_address_of(c, port, NULL, &address);
    int fd = __real_socket(c->transport->family, c->transport->type, 0), on = 1;

    assert_return_code(fd, errno);
    fcntl(fd, F_SETFD, FD_CLOEXEC);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (__real_bind(fd, (struct sockaddr *)&address, len) != 0)
        fail_msg("cannot bind the socket to adopt: %s", strerror(errno));
    return fd;
}

/* Without a server to keep it the socket is still ours. */
static sks_server *new_adopting_server(const struct contract *c,
                                       const sks_handler *handler)
{
    int fd = bound_socket(c, c->port);
    sks_server *server = sks_fd_server_new(fd, handler);

    if (!server)
        close(fd);
    return server;
}

sks_server *contract_new_server(struct contract *c, const sks_handler *handler)
{
    const char *host = c->transport->host;

    if (c->traits & CONTRACT_ADOPTED)
        return new_adopting_server(c, handler);
    if (c->traits & CONTRACT_TCP)
        return sks_tcp_server_new(host, c->port, handler);
    if (c->traits & CONTRACT_UDP)
        return sks_udp_server_new(host, c->port, handler);
    if (c->traits & CONTRACT_STREAM)
        return sks_unix_stream_server_new(c->path, handler);
    return sks_unix_datagram_server_new(c->path, handler);
}

/* Counts what the server logs; CONTRACT_LOG in the environment shows it. */
static void count_log(void *arg, int level, const char *text)
{
    struct contract *c = arg;

    if (level >= SKS_ERROR && level <= SKS_DEBUG)
        atomic_fetch_add(&c->shared->logged[level], 1);
    if (getenv("CONTRACT_LOG"))
        fprintf(stderr, "log %d: %s\n", level, text);
}

void contract_set_up(struct contract *c)
{
    sks_server_set_strategy(c->server, c->strategy, c->config);
    sks_server_set_data(c->server, c);
    sks_server_set_log(c->server, count_log, c);
}

void contract_make(struct contract *c, const sks_handler *handler)
{
    c->server = contract_new_server(c, handler);
    assert_non_null(c->server);
    contract_set_up(c);
}

const char *contract_add_address(struct contract *c)
{
    static char path[128];

    if (c->traits & CONTRACT_ADOPTED) {
        sks_server_add_fd(c->server, bound_socket(c, 0));
        return NULL;
    }
    if (c->traits & CONTRACT_IP) {
        sks_server_add_address(c->server, c->transport->host, 0);
        return NULL;
    }
    snprintf(path, sizeof path, "%s/second", c->directory);
    sks_server_add_path(c->server, path);
    return path;
}

void contract_need_workers(struct contract *c, unsigned n)
{
    unsigned most = c->strategy->max_workers;

    if ((c->traits & CONTRACT_LIMITS) && (c->traits & CONTRACT_PARALLEL) &&
        most < n)
        sks_server_set_max_workers(c->server, n);
}

void contract_bind(struct contract *c)
{
    int rc = sks_server_bind(c->server);

    if (rc != 0)
        fail_msg("bind: %d, %s", rc, sks_server_error(c->server));
    c->port = sks_server_port(c->server);
}

void contract_start(struct contract *c)
{
    if (!sks_server_address(c->server, 0))
        contract_bind(c);
    c->port = sks_server_port(c->server);
    assert_int_equal(server_thread_start(&c->serving, sks_server_serve_forever,
                                         c->server),
                     0);
}

sks_handler contract_handler(int (*handle)(sks_request *))
{
    return (sks_handler){.size = sizeof(sks_handler), .handle = handle};
}

void contract_serve(struct contract *c, int (*handle)(sks_request *))
{
    sks_handler handler = contract_handler(handle);

    contract_make(c, &handler);
    contract_start(c);
}

int contract_serve_one(struct contract *c, int (*handle)(sks_request *),
                       const char *text)
{
    int fd;

    contract_serve(c, handle);
    fd = contract_connect(c);
    client_say(fd, text);
    return fd;
}

int contract_join(struct server_thread *thread)
{
    if (server_thread_join(thread) != 0)
        fail_msg("the thread does not end");
    return thread->result;
}

void contract_stop(struct contract *c)
{
    sks_server_shutdown(c->server);
    assert_int_equal(contract_join(&c->serving), 0);
}

void contract_close(struct contract *c)
{
    if (c->serving.running)
        contract_stop(c);
    assert_int_equal(sks_server_close(c->server), 0);
}

void contract_free(struct contract *c)
{
    sks_server_free(c->server);
    c->server = NULL;
}

static void count_turn(void *arg, sks_server *server)
{
    struct contract *c = arg;

    (void)server;
    atomic_fetch_add(&c->shared->turns, 1);
}

void contract_count_turns(struct contract *c)
{
    sks_server_set_poll_interval_ms(c->server, 1);
    sks_server_set_service_actions(c->server, count_turn, c);
}

void contract_turns(struct contract *c, int n)
{
    int end = atomic_load(&c->shared->turns) + n;
    long long start = deadline_now_ms();

    while (atomic_load(&c->shared->turns) < end)
        assert_true(deadline_nap(start));
}
