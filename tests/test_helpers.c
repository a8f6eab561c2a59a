/* Threads for calls that block: lib/helpers.c. */
#include "helpers.h"
#include "support/check.h"
#include "support/deadline.h"
#include "support/fault.h"
#include "support/leak.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>

enum { MOST = 3, MANY = 40 };

static struct sks__helpers *crew;
static atomic_int running, most_running, done, gate;

static int begin(void **state)
{
    (void)state;
    leak_begin();
    fault_clear();
    running = most_running = done = gate = 0;
    crew = sks__helpers_new(MOST);
    return crew == NULL ? -1 : 0;
}

static int end(void **state)
{
    (void)state;
    fault_clear();
    if (crew != NULL)
        sks__helpers_release(crew);
    return leak_end();
}

static void until(const atomic_int *what, int n)
{
    long long start = deadline_now_ms();

    while (atomic_load(what) < n)
        assert_true(deadline_nap(start));
}

/* --- jobs --- */

static void run_at_once(struct sks__job *job)
{
    (void)job;
    atomic_fetch_add(&done, 1);
}

/* Runs until the gate opens, and counts how many do. */
static void run_to_the_gate(struct sks__job *job)
{
    int now = atomic_fetch_add(&running, 1) + 1;
    int most = atomic_load(&most_running);
    long long start = deadline_now_ms();

    (void)job;
    while (most < now &&
           !atomic_compare_exchange_weak(&most_running, &most, now))
        continue;
    while (!atomic_load(&gate) && deadline_nap(start))
        continue;
    atomic_fetch_sub(&running, 1);
    atomic_fetch_add(&done, 1);
}

static void give(struct sks__job *jobs, int n, void (*run)(struct sks__job *))
{
    for (int i = 0; i < n; i++) {
        jobs[i].run = run;
        assert_int_equal(sks__helpers_do(crew, &jobs[i]), 0);
    }
}

static void dismiss(int join)
{
    sks__helpers_dismiss(crew, join);
    sks__helpers_release(crew);
    crew = NULL;
}

/* --- tests --- */

static void a_crew_without_jobs_has_no_threads(void **state)
{
    (void)state;
    dismiss(1);
    assert_int_equal(fault_calls(FAULT_PTHREAD_CREATE), 0);
}

static void jobs_run_as_many_at_once_as_there_may_be_helpers(void **state)
{
    struct sks__job jobs[MANY];

    (void)state;
    give(jobs, MANY, run_to_the_gate);
    until(&running, MOST);
    atomic_store(&gate, 1);
    until(&done, MANY);
    assert_int_equal(atomic_load(&most_running), MOST);
    assert_int_equal(fault_calls(FAULT_PTHREAD_CREATE), MOST);
    dismiss(1);
}

static void an_idle_helper_runs_the_next_job(void **state)
{
    struct sks__job job;

    (void)state;
    for (int i = 1; i <= MANY; i++) {
        give(&job, 1, run_at_once);
        until(&done, i);
    }
    assert_in_range(fault_calls(FAULT_PTHREAD_CREATE), 1, MOST);
    dismiss(1);
}

static void dismissal_waits_for_what_is_to_do(void **state)
{
    struct sks__job jobs[MANY];

    (void)state;
    give(jobs, MANY, run_at_once);
    dismiss(1);
    assert_int_equal(atomic_load(&done), MANY);
}

static void helpers_that_are_let_go_end_their_jobs(void **state)
{
    struct sks__job jobs[MANY];

    (void)state;
    give(jobs, MANY, run_to_the_gate);
    until(&running, MOST);
    dismiss(0);
    assert_int_equal(atomic_load(&done), 0);
    atomic_store(&gate, 1);
    until(&done, MANY);
}

static void a_crew_that_was_let_go_still_takes_jobs(void **state)
{
    struct sks__job jobs[MANY];

    (void)state;
    sks__helpers_dismiss(crew, 0);
    give(jobs, MANY, run_at_once);
    until(&done, MANY);
}

static void without_any_thread_a_job_stays_with_the_caller(void **state)
{
    struct sks__job job = {.run = run_at_once};

    (void)state;
    fault_set(FAULT_PTHREAD_CREATE, 0, 1, EAGAIN);
    assert_int_equal(sks__helpers_do(crew, &job), -EAGAIN);
    fault_set(FAULT_MALLOC, 0, 1, ENOMEM);
    assert_int_equal(sks__helpers_do(crew, &job), -ENOMEM);
    assert_int_equal(atomic_load(&done), 0);
    assert_int_equal(sks__helpers_do(crew, &job), 0);
    until(&done, 1);
    dismiss(1);
}

static void without_more_threads_jobs_wait_for_the_helpers(void **state)
{
    struct sks__job jobs[MANY];

    (void)state;
    fault_set(FAULT_PTHREAD_CREATE, 1, FAULT_ALWAYS, EAGAIN);
    give(jobs, MANY, run_to_the_gate);
    until(&running, 1);
    atomic_store(&gate, 1);
    until(&done, MANY);
    assert_int_equal(atomic_load(&most_running), 1);
    dismiss(1);
}

static void *give_many(void *arg)
{
    static struct sks__job jobs[4][MANY];

    give(jobs[*(const int *)arg], MANY, run_at_once);
    return NULL;
}

static void several_threads_may_give_jobs(void **state)
{
    int numbers[4] = {0, 1, 2, 3};
    pthread_t threads[4];

    (void)state;
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, give_many,
                                        &numbers[i]),
                         0);
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    dismiss(1);
    assert_int_equal(atomic_load(&done), 4 * MANY);
}

static void a_crew_needs_memory(void **state)
{
    (void)state;
    fault_set(FAULT_MALLOC, 0, 1, ENOMEM);
    assert_null(sks__helpers_new(1));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
    const struct CMUnitTest tests[] = {
        TEST(a_crew_without_jobs_has_no_threads),
        TEST(jobs_run_as_many_at_once_as_there_may_be_helpers),
        TEST(an_idle_helper_runs_the_next_job),
        TEST(dismissal_waits_for_what_is_to_do),
        TEST(helpers_that_are_let_go_end_their_jobs),
        TEST(a_crew_that_was_let_go_still_takes_jobs),
        TEST(without_any_thread_a_job_stays_with_the_caller),
        TEST(without_more_threads_jobs_wait_for_the_helpers),
        TEST(several_threads_may_give_jobs),
        TEST(a_crew_needs_memory),
    };

    leak_start_first_thread();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
