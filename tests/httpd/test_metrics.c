#include "check.h"
#include "metrics.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* More threads than have counters of their own, a few at a time. */
enum { TURNS = 20, THREADS = 5, PROCESSES = 3, REQUESTS = 50000 };

static struct http_metrics *metrics;

static int make_metrics(void **state)
{
    (void)state;
    metrics = http_metrics_new();
    return metrics == NULL;
}

static int free_metrics(void **state)
{
    (void)state;
    http_metrics_free(metrics);
    return 0;
}

static void *answer_some(void *arg)
{
    for (int i = 0; i < REQUESTS; i++)
        http_metrics_add(arg, i % 2 ? 200 : 404, 10, 200);
    return NULL;
}

/* Of the line in the metrics' text that begins so; -1 if it is not there. */
static long long reading(const char *line)
{
    struct http_text text = {0};
    char *found;
    long long value = -1;

    http_metrics_write(metrics, &text);
    http_text_add(&text, "", 1);
    assert_false(text.failed);
    for (found = text.data; found != NULL; found = strchr(found, '\n')) {
        found += *found == '\n';
        if (strncmp(found, line, strlen(line)) == 0)
            value = atoll(found + strlen(line));
    }
    http_text_free(&text);
    return value;
}

static void assert_requests(long long n)
{
    assert_int_equal(reading("http_requests_total{status=\"200\"} "), n / 2);
    assert_int_equal(reading("http_requests_total{status=\"404\"} "), n / 2);
    assert_int_equal(reading("http_response_bytes_total "), 10 * n);
    assert_int_equal(
        reading("http_request_duration_seconds_bucket{le=\"0.0001\"} "), 0);
    assert_int_equal(
        reading("http_request_duration_seconds_bucket{le=\"0.0005\"} "), n);
    assert_int_equal(reading("http_request_duration_seconds_count "), n);
    assert_int_equal(reading("http_request_duration_seconds_sum "), n / 5000);
}

static void no_thread_counts_another_s_away(void **state)
{
    pthread_t threads[THREADS];

    (void)state;
    for (int turn = 0; turn < TURNS; turn++) {
        for (int i = 0; i < THREADS; i++)
            assert_int_equal(pthread_create(&threads[i], NULL, answer_some,
                                            metrics),
                             0);
        for (int i = 0; i < THREADS; i++)
            pthread_join(threads[i], NULL);
    }
    assert_requests(TURNS * THREADS * REQUESTS);
}

static void a_child_counts_beside_the_thread_that_forked_it(void **state)
{
    (void)state;
    answer_some(metrics);
    for (int i = 0; i < PROCESSES; i++) {
        if (fork() == 0) {
            answer_some(metrics);
            _exit(0);
        }
    }
    answer_some(metrics);
    for (int i = 0; i < PROCESSES; i++)
        wait(NULL);
    assert_requests((PROCESSES + 2) * REQUESTS);
}

static void two_sets_are_counted_apart(void **state)
{
    struct http_metrics *others = http_metrics_new();

    (void)state;
    assert_non_null(others);
    answer_some(metrics);
    answer_some(others);
    answer_some(metrics);
    http_metrics_free(others);
    assert_requests(2 * REQUESTS);
}

static void open_connections_go_up_and_down(void **state)
{
    (void)state;
    http_metrics_connected(metrics, 1);
    http_metrics_connected(metrics, 1);
    http_metrics_connected(metrics, -1);
    assert_int_equal(http_metrics_open(metrics), 1);
    assert_int_equal(reading("http_connections_open "), 1);
    assert_int_equal(reading("http_connections_total "), 2);
}

int main(void)
{
#define TEST(name)                                                             \
    cmocka_unit_test_setup_teardown(name, make_metrics, free_metrics)
    const struct CMUnitTest tests[] = {
        TEST(no_thread_counts_another_s_away),
        TEST(a_child_counts_beside_the_thread_that_forked_it),
        TEST(two_sets_are_counted_apart),
        TEST(open_connections_go_up_and_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
