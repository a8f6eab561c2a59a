/* Very many connections that idle in one process, or in several, each with a
 * time limit, which then comes for all of them.  Prints what each costs.
 *
 *     test_idle_connections [CONNECTIONS [PROCESSES]]
 *
 * takes what the limit on descriptors allows if that is fewer.  The clients are
 * in processes of their own, which have their own limits. */
#include "unit.h"
#include "support/serverthread.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum { FEW = 1500, FEW_PROCESSES = 2, LIMIT_MS = 60000, SPARE = 64 };
enum { PROCESSES_MAX = 64 };

/* What all processes write down. */
struct outcome {
    atomic_int waiting, late, others;
    atomic_int numbers; /* processes that took a connection */
    atomic_int pids[PROCESSES_MAX];
};

static int wanted = FEW, wanted_processes = FEW_PROCESSES;
static int processes;   /* that serve, and as many of clients */
static int connections; /* of all */
static sks_server *server;
static struct outcome *seen;

/* Once in each process that serves. */
static void note_process(void)
{
    static pid_t noted;
    int i;

    if (noted == getpid())
        return;
    noted = getpid();
    i = atomic_fetch_add(&seen->numbers, 1);
    if (i < PROCESSES_MAX)
        atomic_store(&seen->pids[i], (int)noted);
}

/* Idles until the test says that time is up, then until it really is. */
static int idle_handle(sks_request *request)
{
    char byte;
    ssize_t n;

    note_process();
    atomic_fetch_add(&seen->waiting, 1);
    n = sks_rfile_read(sks_request_rfile(request), &byte, 1);
    if (n == 1) {
        sks_request_set_timeout_ms(request, 1 + byte % 50);
        n = sks_rfile_read(sks_request_rfile(request), &byte, 1);
    }
    atomic_fetch_add(n == SKS_ETIMEDOUT ? &seen->late : &seen->others, 1);
    return 0;
}

static void until(const atomic_int *what, int n)
{
    long long start = deadline_now_ms();
    int now, before = 0;

    while ((now = atomic_load(what)) < n) {
        if (now != before)
            start = deadline_now_ms();
        before = now;
        if (!deadline_nap(start))
            fail_msg("%d of %d", now, n);
    }
}

/* In KiB; 0 where the system does not tell. */
static long memory_of(pid_t pid)
{
    char path[64], line[128];
    long kib = 0;
    FILE *file;

    snprintf(path, sizeof path, "/proc/%ld/smaps_rollup", (long)pid);
    file = fopen(path, "re");
    while (file != NULL && fgets(line, sizeof line, file) != NULL)
        if (strncmp(line, "Anonymous:", 10) == 0)
            kib = strtol(line + 10, NULL, 10);
    if (file != NULL)
        fclose(file);
    return kib;
}

/* Of all that serve. */
static long memory(void)
{
    long kib = memory_of(getpid());

    for (int i = 0; processes > 1 && i < processes; i++)
        if (atomic_load(&seen->pids[i]) != 0)
            kib += memory_of(atomic_load(&seen->pids[i]));
    return kib;
}

/* Leaves room for processes that get some more than others. */
static void raise_limit(void)
{
    struct rlimit limit;
    rlim_t each;

    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    getrlimit(RLIMIT_NOFILE, &limit);
    connections = wanted;
    each = limit.rlim_cur - SPARE;
    if (processes > 1)
        each -= each / 5;
    if (limit.rlim_cur != RLIM_INFINITY &&
        (rlim_t)wanted > each * (rlim_t)processes)
        connections = (int)each * processes;
}

/* --- the clients --- */

/* Pipes: first the port, then to speak, then to end. */
static int orders[PROCESSES_MAX][2];
static pid_t clients[PROCESSES_MAX];

static void obey(int i, void *order, size_t n)
{
    if (__real_read(orders[i][0], order, n) != (ssize_t)n)
        _exit(0);
}

/* Each client process has an address of its own, and so all its ports. */
static int connected(int i, const struct sockaddr_in *to)
{
    struct sockaddr_in from = {.sin_family = AF_INET};
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    from.sin_addr.s_addr = htonl(INADDR_LOOPBACK + (in_addr_t)i);
#ifdef IP_BIND_ADDRESS_NO_PORT
    int on = 1;

    /* Or bind(2) looks for a port that is free, more and more slowly. */
    setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on);
#endif
    if ((i > 0 &&
         __real_bind(fd, (const struct sockaddr *)&from, sizeof from) < 0) ||
        connect(fd, (const struct sockaddr *)to, sizeof *to) < 0)
        _exit(1);
    return fd;
}

static _Noreturn void play_clients(int which, int n)
{
    struct sockaddr_in to = {.sin_family = AF_INET};
    int *fds = calloc((size_t)n, sizeof *fds);
    char speak;

    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    obey(which, &to.sin_port, sizeof to.sin_port);
    for (int i = 0; i < n && fds != NULL; i++)
        fds[i] = connected(which, &to);
    obey(which, &speak, 1);
    for (int i = 0; i < n && fds != NULL; i++)
        if (__real_send(fds[i], &speak, 1, MSG_NOSIGNAL) != 1)
            _exit(1);
    obey(which, &speak, 1);
    _exit(0);
}

static void start_clients(void)
{
    for (int i = 0; i < processes; i++) {
        assert_int_equal(__real_pipe(orders[i]), 0);
        clients[i] = __real_fork();
        if (clients[i] == 0) {
            for (int j = 0; j <= i; j++)
                close(orders[j][1]);
            play_clients(i, connections / processes +
                                (i < connections % processes ? 1 : 0));
        }
        close(orders[i][0]);
        assert_true(clients[i] > 0);
        fcntl(orders[i][1], F_SETFD, FD_CLOEXEC);
    }
}

static void order(const void *what, size_t n)
{
    for (int i = 0; i < processes; i++)
        assert_int_equal(__real_write(orders[i][1], what, n), n);
}

static void end_clients(void)
{
    int status;

    order("x", 1); /* workers have copies of the pipes: no end of file */
    for (int i = 0; i < processes; i++)
        close(orders[i][1]);
    for (int i = 0; i < processes; i++) {
        assert_int_equal(__real_waitpid(clients[i], &status, 0), clients[i]);
        assert_int_equal(status, 0);
    }
}

/* --- the test --- */

static void start(struct server_thread *serving, const sks_strategy *strategy)
{
    static sks_prefork_config config = {.size = sizeof config,
                                        .own_sockets = 1};
    sks_handler handler = {.size = sizeof handler, .handle = idle_handle};

    server = sks_tcp_server_new("127.0.0.1", 0, &handler);
    sks_server_set_strategy(server, strategy, processes > 1 ? &config : NULL);
    if (processes > 1)
        sks_server_set_max_workers(server, (unsigned)processes);
    sks_server_set_request_timeout_ms(server, LIMIT_MS);
    assert_int_equal(sks_server_bind(server), 0);
    assert_int_equal(server_thread_start(serving, sks_server_serve_forever,
                                         server),
                     0);
}

static void end(struct server_thread *serving)
{
    end_clients();
    sks_server_shutdown(server);
    assert_int_equal(server_thread_join(serving), 0);
    sks_server_free(server);
}

static void idle_under(const sks_strategy *strategy, int n)
{
    struct server_thread serving;
    in_port_t port;
    long before;

    processes = n;
    memset(seen, 0, sizeof *seen);
    raise_limit();
    start_clients();
    start(&serving, strategy);
    before = memory();
    port = htons((uint16_t)sks_server_port(server));
    order(&port, sizeof port);
    until(&seen->waiting, connections);
    print_message("%d connections, %.1f KiB of memory each\n", connections,
                  (double)(memory() - before) / connections);
    assert_int_equal(atomic_load(&seen->numbers), processes);
    order("x", 1);
    until(&seen->late, connections);
    assert_int_equal(atomic_load(&seen->others), 0);
    end(&serving);
}

static void time_comes_for_all_that_idle_at_once(void **state)
{
    (void)state;
    idle_under(sks_coroutine(), 1);
}

static void time_comes_for_all_that_idle_in_several_processes(void **state)
{
    (void)state;
    idle_under(sks_strategy_find("prefork:coroutine"), wanted_processes);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        UNIT_TEST(time_comes_for_all_that_idle_at_once),
        UNIT_TEST(time_comes_for_all_that_idle_in_several_processes),
    };

    if (argc > 1)
        wanted = atoi(argv[1]);
    if (argc > 2)
        wanted_processes = atoi(argv[2]);
    if (wanted < 1 || wanted_processes < 1 || wanted_processes > PROCESSES_MAX)
        return 2;
    seen = __real_mmap(NULL, sizeof *seen, PROT_READ | PROT_WRITE,
                       MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (seen == MAP_FAILED)
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
