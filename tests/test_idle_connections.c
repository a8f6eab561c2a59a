/* Very many connections that idle in one process, each with a time limit, which
 * then comes for all of them.  Prints what each costs.
 *
 *     test_idle_connections [CONNECTIONS]
 *
 * takes what the limit on descriptors allows if that is fewer.  The clients are
 * in a process of their own, which has its own limit. */
#include "unit.h"
#include "support/serverthread.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum { FEW = 1500, LIMIT_MS = 60000, SPARE = 64 };

static int wanted = FEW;
static sks_server *server;
static atomic_int waiting, late, others;

/* Idles until the test says that time is up, then until it really is. */
static int idle_handle(sks_request *request)
{
    char byte;
    ssize_t n;

    atomic_fetch_add(&waiting, 1);
    n = sks_rfile_read(sks_request_rfile(request), &byte, 1);
    if (n == 1) {
        sks_request_set_timeout_ms(request, 1 + byte % 50);
        n = sks_rfile_read(sks_request_rfile(request), &byte, 1);
    }
    atomic_fetch_add(n == SKS_ETIMEDOUT ? &late : &others, 1);
    return 0;
}

static void until(const atomic_int *what, int n)
{
    long long start = deadline_now_ms();

    while (atomic_load(what) < n)
        if (!deadline_nap(start))
            fail_msg("%d of %d", atomic_load(what), n);
}

/* In KiB; 0 where the system does not tell. */
static long memory(void)
{
    FILE *file = fopen("/proc/self/smaps_rollup", "re");
    char line[128];
    long kib = 0;

    while (file != NULL && fgets(line, sizeof line, file) != NULL)
        if (strncmp(line, "Anonymous:", 10) == 0)
            kib = strtol(line + 10, NULL, 10);
    if (file != NULL)
        fclose(file);
    return kib;
}

static void raise_limit(void)
{
    struct rlimit limit;

    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    getrlimit(RLIMIT_NOFILE, &limit);
    if (limit.rlim_cur != RLIM_INFINITY &&
        (rlim_t)wanted + SPARE > limit.rlim_cur)
        wanted = (int)(limit.rlim_cur - SPARE);
}

/* --- the clients --- */

static int orders[2]; /* a pipe: first the port, then to speak, then its end */

static void obey(void *order, size_t n)
{
    if (__real_read(orders[0], order, n) != (ssize_t)n)
        _exit(0);
}

static void play_clients(int n)
{
    struct sockaddr_in to = {.sin_family = AF_INET};
    int *fds = calloc((size_t)n, sizeof *fds);
    char speak;

    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    obey(&to.sin_port, sizeof to.sin_port);
    for (int i = 0; i < n && fds != NULL; i++) {
        fds[i] = socket(AF_INET, SOCK_STREAM, 0);
        if (connect(fds[i], (const struct sockaddr *)&to, sizeof to) < 0)
            _exit(1);
    }
    obey(&speak, 1);
    for (int i = 0; i < n && fds != NULL; i++)
        if (__real_send(fds[i], &speak, 1, MSG_NOSIGNAL) != 1)
            _exit(1);
    obey(&speak, 1);
    _exit(0);
}

static pid_t start_clients(void)
{
    pid_t child;

    assert_int_equal(__real_pipe(orders), 0);
    child = __real_fork();
    if (child == 0) {
        close(orders[1]);
        play_clients(wanted);
    }
    close(orders[0]);
    assert_true(child > 0);
    return child;
}

static void order(const void *what, size_t n)
{
    assert_int_equal(__real_write(orders[1], what, n), n);
}

/* --- the test --- */

static void start(struct server_thread *serving)
{
    sks_handler handler = {.size = sizeof handler, .handle = idle_handle};

    server = sks_tcp_server_new("127.0.0.1", 0, &handler);
    sks_server_set_strategy(server, sks_coroutine(), NULL);
    sks_server_set_request_timeout_ms(server, LIMIT_MS);
    assert_int_equal(sks_server_bind(server), 0);
    assert_int_equal(server_thread_start(serving, sks_server_serve_forever,
                                         server),
                     0);
}

static void end(struct server_thread *serving, pid_t clients)
{
    int status;

    close(orders[1]);
    assert_int_equal(__real_waitpid(clients, &status, 0), clients);
    assert_int_equal(status, 0);
    sks_server_shutdown(server);
    assert_int_equal(server_thread_join(serving), 0);
    sks_server_free(server);
}

static void time_comes_for_all_that_idle_at_once(void **state)
{
    struct server_thread serving;
    in_port_t port;
    long before;
    pid_t clients;

    (void)state;
    raise_limit();
    clients = start_clients();
    start(&serving);
    before = memory();
    port = htons((uint16_t)sks_server_port(server));
    order(&port, sizeof port);
    until(&waiting, wanted);
    print_message("%d connections, %.1f KiB of memory each\n", wanted,
                  (double)(memory() - before) / wanted);
    order("x", 1);
    until(&late, wanted);
    assert_int_equal(atomic_load(&others), 0);
    end(&serving, clients);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        UNIT_TEST(time_comes_for_all_that_idle_at_once),
    };

    if (argc > 1)
        wanted = atoi(argv[1]);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
