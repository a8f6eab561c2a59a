/* Runs the contract suite: each case over each strategy and each transport
 * that has the traits of its list.
 *
 *     contract_strategy [--strategy PATTERN] [--transport NAME]
 *                       [--case PATTERN]
 *
 * narrows that down; a PATTERN may contain * and ?. */
#include "contract.h"
#include "support/leak.h"
#include "support/real.h"

#include <dirent.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

/* One test: a case with what it runs on. */
struct trial {
    const struct contract_case *its;
    const struct contract_transport *transport;
    const sks_strategy *strategy;
    void *config;
    unsigned traits;
    char name[160];
};

/* What the command line asked for; NULL: all. */
static const char *only_strategy, *only_transport, *only_case;

/* cmocka's handlers of these would go on with the suite in whatever forked
 * child crashed, and hide a sanitizer's report. */
static const int crashes[] = {SIGFPE, SIGILL, SIGSEGV, SIGBUS, SIGSYS};
enum { CRASHES = sizeof crashes / sizeof *crashes };
static struct sigaction dispositions[CRASHES];

static struct contract world;
static struct contract_shared *shared;

/* What sanitizers ask a program for.  Some cases ask for more memory than there
 * is, and the forking strategy forks where threads run. */
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
    return "allocator_may_return_null=1";
}

const char *__tsan_default_options(void);
const char *__tsan_default_options(void)
{
    return "allocator_may_return_null=1:die_after_fork=0";
}

/* --- a case's world --- */

static void make_directory(struct contract *c)
{
    const char *base = getenv("TMPDIR");

    if (!base || strlen(base) > 30)
        base = "/tmp";
    snprintf(c->directory, sizeof c->directory, "%s/contract-XXXXXX", base);
    assert_non_null(mkdtemp(c->directory));
    snprintf(c->path, sizeof c->path, "%s/server", c->directory);
}

/* Returns how many files were left in the directory. */
static int remove_directory(const struct contract *c)
{
    DIR *directory = opendir(c->directory);
    const struct dirent *entry;
    char path[512];
    int n = 0;

    while (directory && (entry = readdir(directory)) != NULL) {
        if (entry->d_name[0] == '.')
            continue;
        snprintf(path, sizeof path, "%s/%s", c->directory, entry->d_name);
        unlink(path);
        n++;
    }
    if (directory)
        closedir(directory);
    rmdir(c->directory);
    return n;
}

/* cmocka sets its handlers anew before each step of a test. */
static void crash_honestly(void)
{
    for (int i = 0; i < CRASHES; i++)
        sigaction(crashes[i], &dispositions[i], NULL);
}

static int set_up(void **state)
{
    const struct trial *trial = *state;
    struct contract *c = &world;

    crash_honestly();
    leak_begin();
    memset(c, 0, sizeof *c);
    memset(shared, 0, sizeof *shared);
    c->shared = shared;
    c->transport = trial->transport;
    c->strategy = trial->strategy;
    c->config = trial->config;
    c->traits = trial->traits;
    make_directory(c);
    return trace_open(&c->trace);
}

/* Ends a thread of a case that failed; a suite whose server hangs cannot go
 * on, and takes the server's processes with it. */
static void end_thread(struct server_thread *thread)
{
    if (!thread->running || server_thread_join(thread) == 0)
        return;
    fprintf(stderr, "%s: the thread still runs: the suite ends here\n",
            world.directory);
    kill(0, SIGKILL);
}

static int tear_down(void **state)
{
    struct contract *c = &world;

    (void)state;
    crash_honestly();
    fault_clear();
    if (c->server && c->serving.running)
        sks_server_shutdown(c->serving.server);
    trace_let(&c->trace, 64);
    client_close_all();
    end_thread(&c->serving);
    end_thread(&c->closing);
    contract_free(c);
    trace_close(&c->trace);
    remove_directory(c);
    return leak_end();
}

static void run(void **state)
{
    const struct trial *trial = *state;

    crash_honestly();
    trial->its->run(&world);
}

/* --- the list of tests --- */

static unsigned traits_of(const struct contract_transport *transport,
                          const sks_strategy *strategy, int built_in)
{
    return transport->traits |
           (strategy->flags & SKS_PARALLEL ? CONTRACT_PARALLEL : 0u) |
           (strategy->flags & SKS_SHARES_MEMORY ? CONTRACT_SHARED
                                                : CONTRACT_PROCESSES) |
           (strategy->serve ? 0u : CONTRACT_DISPATCHES) |
           (strategy->flags & SKS_MULTIPLEXES ? 0u : CONTRACT_LIMITS) |
           (built_in ? CONTRACT_BUILT_IN : 0u);
}

struct trials {
    struct trial *all;
    size_t n, room;
};

static void add_trial(struct trials *list, struct trial trial)
{
    snprintf(trial.name, sizeof trial.name, "%s [%s, %s]", trial.its->name,
             trial.strategy->name, trial.transport->name);
    if (only_case && fnmatch(only_case, trial.its->name, 0) != 0)
        return;
    if (list->n == list->room) {
        list->room = list->room * 2 + 1024;
        list->all = realloc(list->all, list->room * sizeof *list->all);
        if (!list->all)
            abort();
    }
    list->all[list->n++] = trial;
}

/* All cases of a pair. */
static void add_pair(struct trials *list, struct trial pair)
{
    const struct contract_list *cases;

    for (size_t i = 0; (cases = contract_lists[i]) != NULL; i++)
        for (; cases->cases; cases++)
            for (size_t j = 0; j < cases->n; j++) {
                pair.its = &cases->cases[j];
                if ((cases->traits & ~pair.traits) == 0)
                    add_trial(list, pair);
            }
}

/* A machine may lack IPv6. */
static int works_here(const struct contract_transport *transport)
{
    struct contract c = {.transport = transport};
    struct sockaddr_storage address;
    socklen_t len;
    int fd, rc;

    if (transport->family == AF_UNIX)
        return 1;
    len = contract_address_of(&c, 0, NULL, &address);
    fd = __real_socket(transport->family, transport->type, 0);
    rc = __real_bind(fd, (struct sockaddr *)&address, len);
    close(fd);
    return rc == 0;
}

static void add_strategy(struct trials *list, const sks_strategy *strategy,
                         void *config, int built_in)
{
    const struct contract_transport *transport;

    if (only_strategy && fnmatch(only_strategy, strategy->name, 0) != 0)
        return;
    for (transport = contract_transports; transport->name; transport++) {
        if (only_transport && strcmp(only_transport, transport->name) != 0)
            continue;
        if (!works_here(transport)) {
            print_message("no %s on this machine\n", transport->name);
            continue;
        }
        if ((strategy->flags & SKS_STREAM_ONLY) &&
            (transport->traits & CONTRACT_DATAGRAM))
            continue;
        add_pair(list, (struct trial){.transport = transport,
                                      .strategy = strategy,
                                      .config = config,
                                      .traits = traits_of(transport, strategy,
                                                          built_in)});
    }
}

static void add_strategies(struct trials *list)
{
    const struct contract_strategy *users = contract_strategies;
    const char *name;

    for (size_t i = 0; (name = sks_strategy_names(i)) != NULL; i++)
        add_strategy(list, sks_strategy_find(name), NULL, 1);
    for (; users->table; users++)
        add_strategy(list, users->table, users->config, 0);
}

/* --- running --- */

static int run_trials(struct trials *list)
{
    struct CMUnitTest *tests = calloc(list->n, sizeof *tests);
    int failed;

    if (!tests)
        abort();
    for (size_t i = 0; i < list->n; i++)
        tests[i] = (struct CMUnitTest){.name = list->all[i].name,
                                       .test_func = run,
                                       .setup_func = set_up,
                                       .teardown_func = tear_down,
                                       .initial_state = &list->all[i]};
    failed = _cmocka_run_group_tests("contract", tests, list->n, NULL, NULL);
    free(tests);
    return failed;
}

static int read_options(int argc, char **argv)
{
    static const struct option options[] = {
        {"strategy", required_argument, NULL, 's'},
        {"transport", required_argument, NULL, 't'},
        {"case", required_argument, NULL, 'c'},
        {0},
    };
    int option;

    while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
        if (option == 's')
            only_strategy = optarg;
        else if (option == 't')
            only_transport = optarg;
        else if (option == 'c')
            only_case = optarg;
        else
            return -1;
    }
    return optind == argc ? 0 : -1;
}

/* What whoever started the suite left open is not the library's to close. */
static void close_others_on_exec(void)
{
    for (int fd = 3; fd < 256; fd++)
        fcntl(fd, F_SETFD, FD_CLOEXEC);
}

static void prepare(void)
{
    setpgid(0, 0); /* see end_thread() */
    close_others_on_exec();
    leak_start_first_thread();
    shared = __real_mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE,
                         MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (shared == MAP_FAILED)
        abort();
    for (int i = 0; i < CRASHES; i++)
        sigaction(crashes[i], NULL, &dispositions[i]);
}

int main(int argc, char **argv)
{
    struct trials list = {0};
    int failed = 1;

    if (read_options(argc, argv) != 0) {
        fprintf(stderr,
                "usage: %s [--strategy PATTERN] [--transport NAME] "
                "[--case PATTERN]\n",
                argv[0]);
        return 2;
    }
    prepare();
    add_strategies(&list);
    if (list.n == 0)
        fprintf(stderr, "%s: no case is of that name\n", argv[0]);
    else
        failed = run_trials(&list) != 0;
    free(list.all);
    return failed;
}
