/* Bytes on their way to a digest, with a thread and without. */
#include "check.h"
#include "digest_ring.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { LARGE = 9 * 1024 * 1024 };

static int threads;       /* that were started */
static int may_start = 1; /* whether any can be */
static char bytes[LARGE];

/* Visible, as the library's own reference leads here too under sanitizers. */
#pragma GCC visibility push(default)
int __real_pthread_create(pthread_t *thread, const pthread_attr_t *attributes,
                          void *(*run)(void *), void *arg);
int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attributes,
                          void *(*run)(void *), void *arg);
#pragma GCC visibility pop

int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attributes,
                          void *(*run)(void *), void *arg)
{
    if (!may_start)
        return EAGAIN;
    threads++;
    return __real_pthread_create(thread, attributes, run, arg);
}

static void digest_at_once(size_t n, unsigned char out[PROTOCOL_DIGEST])
{
    struct digest *digest = digest_new();

    digest_add(digest, bytes, n);
    digest_end(digest, out);
    digest_free(digest);
}

/* In pieces of any size, most of them as large as fits. */
static void digest_by_ring(size_t n, unsigned char out[PROTOCOL_DIGEST])
{
    struct digest *digest = digest_new();
    struct digest_ring *ring = digest_ring_new(digest, (int64_t)n);

    assert_non_null(ring);
    for (size_t done = 0; done < n;) {
        size_t fit, piece;
        char *room = digest_ring_room(ring, &fit);

        assert_true(fit >= 1);
        piece = rand() % 4 ? fit : 1 + (size_t)rand() % fit;
        if (piece > n - done)
            piece = n - done;
        memcpy(room, bytes + done, piece);
        digest_ring_add(ring, piece);
        done += piece;
    }
    digest_ring_free(ring);
    digest_end(digest, out);
    digest_free(digest);
}

static void assert_same(size_t n)
{
    unsigned char expected[PROTOCOL_DIGEST], got[PROTOCOL_DIGEST];

    digest_at_once(n, expected);
    digest_by_ring(n, got);
    assert_memory_equal(got, expected, sizeof got);
}

static void a_few_bytes_need_no_thread(void **state)
{
    (void)state;
    threads = 0;
    for (size_t n = 0; n < 3; n++)
        assert_same(n);
    assert_same(1000000);
    assert_int_equal(threads, 0);
}

static void many_bytes_have_a_thread_where_there_are_processors(void **state)
{
    cpu_set_t set;

    (void)state;
    assert_int_equal(sched_getaffinity(0, sizeof set, &set), 0);
    threads = 0;
    assert_same(LARGE);
    assert_same(LARGE - 4097);
    assert_int_equal(threads, CPU_COUNT(&set) > 1 ? 2 : 0);
}

static void one_processor_has_no_other_thread(void **state)
{
    cpu_set_t set, one;
    size_t processor = 0;

    (void)state;
    assert_int_equal(sched_getaffinity(0, sizeof set, &set), 0);
    while (!CPU_ISSET(processor, &set))
        processor++;
    CPU_ZERO(&one);
    CPU_SET(processor, &one);
    assert_int_equal(sched_setaffinity(0, sizeof one, &one), 0);
    threads = 0;
    assert_same(LARGE);
    assert_int_equal(threads, 0);
    assert_int_equal(sched_setaffinity(0, sizeof set, &set), 0);
}

static void it_works_where_no_thread_can_be_had(void **state)
{
    (void)state;
    may_start = 0;
    assert_same(LARGE);
    may_start = 1;
}

static int make_bytes(void **state)
{
    unsigned seed = (unsigned)time(NULL);

    (void)state;
    print_message("seed %u\n", seed);
    srand(seed);
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (char)rand();
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_few_bytes_need_no_thread),
        cmocka_unit_test(many_bytes_have_a_thread_where_there_are_processors),
        cmocka_unit_test(one_processor_has_no_other_thread),
        cmocka_unit_test(it_works_where_no_thread_can_be_had)};

    return cmocka_run_group_tests(tests, make_bytes, NULL);
}
