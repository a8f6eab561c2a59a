#include "check.h"
#include "sessions.h"

#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { WORKERS = 8, VISITS = 500 };

static struct http_sessions *store;
static struct http_session session;

static void count(struct http_session *s, void *arg)
{
    (void)arg;
    s->visits++;
}

static int use(const struct http_session *which, struct http_session *copy)
{
    return http_session_use(store, which->id, strlen(which->id), count, NULL,
                            copy);
}

static int make_store(void **state)
{
    (void)state;
    store = http_sessions_new(64, 1000);
    return store == NULL || http_session_begin(store, &session) < 0;
}

static int free_store(void **state)
{
    (void)state;
    http_sessions_free(store);
    return 0;
}

static void a_session_is_found_by_its_identifier(void **state)
{
    struct http_session copy;

    (void)state;
    assert_int_equal(strlen(session.id), HTTP_SESSION_ID_LEN);
    assert_true(use(&session, &copy));
    assert_true(use(&session, &copy));
    assert_int_equal(copy.visits, 2);
    assert_false(http_session_use(store, session.id, 31, count, NULL, &copy));
    assert_false(http_session_use(store, "", 0, count, NULL, &copy));
}

static void an_ended_session_is_gone(void **state)
{
    struct http_session copy;

    (void)state;
    http_session_end(store, session.id, HTTP_SESSION_ID_LEN);
    assert_false(use(&session, &copy));
}

static void an_old_session_is_over(void **state)
{
    struct http_sessions *short_lived = http_sessions_new(8, 0);
    struct http_session old, copy;

    (void)state;
    assert_int_equal(http_session_begin(short_lived, &old), 0);
    assert_false(http_session_use(short_lived, old.id, HTTP_SESSION_ID_LEN,
                                  count, NULL, &copy));
    http_sessions_free(short_lived);
}

static void number_of_sessions_is_bounded(void **state)
{
    struct http_session last, copy;
    int left = 0;
    struct http_session many[200];

    (void)state;
    for (int i = 0; i < 200; i++)
        assert_int_equal(http_session_begin(store, &many[i]), 0);
    last = many[199];
    assert_true(use(&last, &copy));
    for (int i = 0; i < 200; i++)
        left += use(&many[i], &copy);
    assert_in_range(left, 1, 64);
}

static void *visit_often(void *arg)
{
    struct http_session copy;

    (void)arg;
    for (int i = 0; i < VISITS; i++)
        use(&session, &copy);
    return NULL;
}

static void threads_count_together(void **state)
{
    pthread_t threads[WORKERS];
    struct http_session copy;

    (void)state;
    for (int i = 0; i < WORKERS; i++)
        pthread_create(&threads[i], NULL, visit_often, NULL);
    for (int i = 0; i < WORKERS; i++)
        pthread_join(threads[i], NULL);
    assert_true(use(&session, &copy));
    assert_int_equal(copy.visits, WORKERS * VISITS + 1);
}

static void processes_count_together(void **state)
{
    struct http_session copy;

    (void)state;
    for (int i = 0; i < WORKERS; i++) {
        if (fork() == 0) {
            visit_often(NULL);
            _exit(0);
        }
    }
    for (int i = 0; i < WORKERS; i++)
        wait(NULL);
    assert_true(use(&session, &copy));
    assert_int_equal(copy.visits, WORKERS * VISITS + 1);
}

static void die(struct http_session *s, void *arg)
{
    (void)s, (void)arg;
    raise(SIGKILL);
}

static void a_process_that_dies_with_the_lock_blocks_nobody(void **state)
{
    struct http_session copy;

    (void)state;
    if (fork() == 0)
        http_session_use(store, session.id, HTTP_SESSION_ID_LEN, die, NULL,
                         &copy);
    wait(NULL);
    assert_true(use(&session, &copy));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, make_store, free_store)
    const struct CMUnitTest tests[] = {
        TEST(a_session_is_found_by_its_identifier),
        TEST(an_ended_session_is_gone),
        TEST(an_old_session_is_over),
        TEST(number_of_sessions_is_bounded),
        TEST(threads_count_together),
        TEST(processes_count_together),
        TEST(a_process_that_dies_with_the_lock_blocks_nobody),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
