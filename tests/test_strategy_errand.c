/* Who has which half of a forked child's connection: lib/strategy_errand.c.
 * What else forking does is the contract's. */
#include "unit.h"
#include "unit_serving.h"
#include "support/client.h"

#include "server.h"
#include "strategy_errand.h"

#include <sockserver/strategy.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* What the system says to who would borrow; 0: what it really says. */
static struct {
    int refusal;
    int asked;  /* how often */
    int number; /* of the descriptor, last time */
    int lent;   /* the answer */
} lender;

int __real_sks__children_borrow(const struct sks__child *child, int number);
int __wrap_sks__children_borrow(const struct sks__child *child, int number);

int __wrap_sks__children_borrow(const struct sks__child *child, int number)
{
    lender.asked++;
    lender.number = number;
    lender.lent = lender.refusal != 0
                      ? lender.refusal
                      : __real_sks__children_borrow(child, number);
    return lender.lent;
}

/* --- the server --- */

/* Tells that it is there, reads to the end, and tells of that. */
static int handle(sks_request *request)
{
    char bytes[16];
    long n;

    trace_put(&serving.trace, "reads");
    do
        n = sks_rfile_read(sks_request_rfile(request), bytes, sizeof bytes);
    while (n > 0 && bytes[0] != '!');
    if (n > 0)
        raise(SIGKILL);
    trace_put(&serving.trace, n == 0 ? "ended" : "failed");
    return 0;
}

static void tell_error(void *arg, const sks_request *request, int error)
{
    (void)arg;
    trace_put(&serving.trace, "%.10s%d", sks_request_client_address(request),
              error);
}

static int begin(void **state)
{
    static const sks_handler handler = {.size = sizeof handler,
                                        .handle = handle};
    int rc = serving_begin(state);
    sks_server *server = sks_tcp_server_new("127.0.0.1", 0, &handler);

    memset(&lender, 0, sizeof lender);
    sks_server_set_strategy(server, sks_forking(), NULL);
    sks_server_set_handle_error(server, tell_error, NULL);
    sks_server_set_log(server, NULL, NULL);
    serving_bind(server);
    return rc;
}

/* A client whose request a child runs. */
static int serve_one(void)
{
    int client = serving_client(SOCK_STREAM);

    assert_int_equal(sks_server_handle_request(serving.server), 1);
    trace_expect(&serving.trace, "reads ");
    return client;
}

static int is_open(int fd)
{
    return fcntl(fd, F_GETFD) >= 0;
}

/* False, with the reason, where no process may borrow of another. */
static int system_lends(void)
{
    if (lender.lent >= 0)
        return 1;
    print_message("skipped: the system lends no descriptor (%s)\n",
                  sks_strerror(lender.lent));
    return 0;
}

/* --- */

static void a_parent_that_can_borrow_closes_its_half(void **state)
{
    int client;

    (void)state;
    client = serve_one();
    if (!system_lends())
        skip();
    assert_false(is_open(lender.number));
    assert_int_equal(sks_server_count(serving.server, SKS_COUNT_ACTIVE), 1);
    client_finish(client);
    trace_expect(&serving.trace, "ended ");
    assert_int_equal(sks_server_close(serving.server), 0);
    assert_int_equal(sks_server_count(serving.server, SKS_COUNT_ACTIVE), 0);
    client_expect_eof(client);
}

static void it_borrows_the_connection_to_end_its_input(void **state)
{
    int client;

    (void)state;
    client = serve_one();
    if (!system_lends())
        skip();
    lender.asked = 0;
    assert_int_equal(sks_server_close(serving.server), 0);
    assert_true(lender.asked > 0);
    trace_expect(&serving.trace, "ended ");
    client_expect_eof(client);
}

static void a_parent_that_cannot_borrow_keeps_its_half(void **state)
{
    int client;

    (void)state;
    lender.refusal = -EPERM;
    client = serve_one();
    assert_true(is_open(lender.number));
    lender.asked = 0;
    serve_one();
    assert_int_equal(lender.asked, 0);
    assert_int_equal(sks_server_close(serving.server), 0);
    assert_int_equal(lender.asked, 0);
    trace_expect(&serving.trace, "ended ");
    client_expect_eof(client);
}

static void without_an_answer_nothing_is_learnt(void **state)
{
    (void)state;
    lender.refusal = -ESRCH;
    client_finish(serve_one());
    trace_expect(&serving.trace, "ended ");
    lender.refusal = -EBADF;
    client_finish(serve_one());
    trace_expect(&serving.trace, "ended ");
    lender.refusal = -EMFILE;
    client_finish(serve_one());
    trace_expect(&serving.trace, "ended ");
    assert_int_equal(lender.asked, 3);
    lender.refusal = 0;
    client_finish(serve_one());
    trace_expect(&serving.trace, "ended ");
    assert_int_equal(lender.asked, 4);
}

static void of_a_crash_the_parent_knows_the_client(void **state)
{
    char words[32];
    int client;

    (void)state;
    snprintf(words, sizeof words, "127.0.0.1:%d ", SKS_ECRASHED);
    client = serve_one();
    client_say(client, "!");
    assert_int_equal(sks_server_close(serving.server), 0);
    trace_expect(&serving.trace, words);
    assert_int_equal(sks_server_count(serving.server, SKS_COUNT_FAILED), 1);
    client_expect_gone(client);
}

/* Until all children have ended, of whom nobody was told yet. */
static void wait_for_ends(void)
{
    const struct sks__errands *errands = serving.server->strategy_self;
    const struct sks__children *all = &errands->children;

    for (struct sks__child *c = sks__children_first(all); c != NULL;
         c = sks__children_next(all, c)) {
        siginfo_t info;

        waitid(P_PID, (id_t)c->pid, &info, WEXITED | WNOWAIT);
    }
}

static unsigned long active(void)
{
    return sks_server_count(serving.server, SKS_COUNT_ACTIVE);
}

static void a_turn_that_forks_a_child_reaps_one(void **state)
{
    sks_server *server = serving.server;
    int first, second;

    (void)state;
    first = serve_one();
    second = serve_one();
    client_finish(first);
    client_finish(second);
    trace_expect(&serving.trace, "ended ended ");
    wait_for_ends();
    assert_int_equal(active(), 2);
    client_finish(serve_one());
    assert_int_equal(active(), 2);
    trace_expect(&serving.trace, "ended ");
    wait_for_ends();
    server->strategy.service_actions(server->strategy_self, server);
    assert_int_equal(active(), 0);
}

#define ERRAND_TEST(name)                                                      \
    cmocka_unit_test_setup_teardown(name, begin, serving_end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ERRAND_TEST(a_parent_that_can_borrow_closes_its_half),
        ERRAND_TEST(it_borrows_the_connection_to_end_its_input),
        ERRAND_TEST(a_parent_that_cannot_borrow_keeps_its_half),
        ERRAND_TEST(without_an_answer_nothing_is_learnt),
        ERRAND_TEST(of_a_crash_the_parent_knows_the_client),
        ERRAND_TEST(a_turn_that_forks_a_child_reaps_one),
    };

    return cmocka_run_group_tests_name("strategy_errand", tests, NULL, NULL);
}
