/* Coroutines: lib/coro.c. */
#include "coro.h"
#include "coro_switch.h"
#include "support/check.h"
#include "support/fault.h"
#include "support/instruments.h"
#include "support/leak.h"
#include "support/real.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static struct sks__stack_cache *cache;

static int begin(void **state)
{
    (void)state;
    leak_begin();
    cache = sks__stack_cache_new(SKS__STACK_SIZE, 16);
    return cache == NULL ? -1 : 0;
}

static int end(void **state)
{
    (void)state;
    fault_clear();
    sks__stack_cache_free(cache);
    return leak_end();
}

static struct sks__coro *coro_new(void (*run)(void *arg), void *arg)
{
    struct sks__coro *co = sks__coro_new(cache, run, arg);

    assert_non_null(co);
    return co;
}

/* --- coming and going --- */

static void count_to_three(void *arg)
{
    int *count = arg;

    for (int i = 0; i < 2; i++) {
        ++*count;
        sks__coro_yield();
    }
    ++*count;
}

static void it_goes_on_where_it_yielded_until_it_finishes(void **state)
{
    int count = 0;
    struct sks__coro *co = coro_new(count_to_three, &count);

    (void)state;
    assert_int_equal(count, 0);
    for (int i = 1; i <= 3; i++) {
        assert_false(sks__coro_finished(co));
        sks__coro_resume(co);
        assert_int_equal(count, i);
    }
    assert_true(sks__coro_finished(co));
    sks__coro_free(co);
}

static void remember_current(void *arg)
{
    struct sks__coro **current = arg;

    current[0] = sks__coro_current();
    sks__coro_yield();
    current[1] = sks__coro_current();
}

static void it_is_current_while_it_runs(void **state)
{
    struct sks__coro *current[2] = {NULL};
    struct sks__coro *co = coro_new(remember_current, current);

    (void)state;
    assert_ptr_equal(sks__coro_arg(co), current);
    assert_null(sks__coro_current());
    for (int i = 0; i < 2; i++) {
        sks__coro_resume(co);
        assert_ptr_equal(current[i], co);
        assert_null(sks__coro_current());
    }
    sks__coro_free(co);
}

/* Each makes the next and resumes it twice, down to depth 0. */
static void nest(void *arg)
{
    int depth = *(int *)arg, below = depth - 1;
    struct sks__coro *self = sks__coro_current(), *inner;

    if (depth > 0) {
        inner = coro_new(nest, &below);
        sks__coro_resume(inner);
        assert_ptr_equal(sks__coro_current(), self);
        sks__coro_yield();
        sks__coro_resume(inner);
        assert_true(sks__coro_finished(inner));
        sks__coro_free(inner);
    } else {
        sks__coro_yield();
    }
    assert_ptr_equal(sks__coro_current(), self);
    *(int *)arg = -1;
}

static void coroutines_may_resume_others(void **state)
{
    int depth = 30;
    struct sks__coro *co = coro_new(nest, &depth);

    (void)state;
    sks__coro_resume(co);
    assert_int_equal(depth, 30);
    sks__coro_resume(co);
    assert_true(sks__coro_finished(co));
    assert_int_equal(depth, -1);
    sks__coro_free(co);
}

static int yield_at(int depth)
{
    volatile int sum = depth;

    if (depth > 0)
        sum += yield_at(depth - 1);
    else
        sks__coro_yield();
    return sum;
}

static void yield_far_down(void *arg)
{
    int *depth = arg;

    *depth = yield_at(*depth);
}

/* Together they enter more calls than ThreadSanitizer can remember of one
 * thread. */
static void one_that_has_not_finished_may_be_dropped(void **state)
{
    int depth = 50;

    (void)state;
    sks__coro_free(NULL);
    sks__coro_free(coro_new(yield_far_down, &depth));
    for (int i = 0; i < 2000; i++) {
        struct sks__coro *co = coro_new(yield_far_down, &depth);

        sks__coro_resume(co);
        sks__coro_free(co);
    }
    assert_int_equal(depth, 50);
}

static void without_a_stack_there_is_none(void **state)
{
    (void)state;
    fault_set(FAULT_MMAP, 0, FAULT_ALWAYS, ENOMEM);
    assert_null(sks__coro_new(cache, count_to_three, NULL));
}

static void making_one_allocates_nothing_but_the_stack(void **state)
{
    int count = 0;

    (void)state;
    sks__coro_free(coro_new(count_to_three, &count));
    fault_clear();
    for (int i = 0; i < 100; i++) {
        struct sks__coro *co = coro_new(count_to_three, &count);

        while (!sks__coro_finished(co))
            sks__coro_resume(co);
        sks__coro_free(co);
    }
    assert_int_equal(count, 300);
    assert_int_equal(fault_calls(FAULT_MALLOC), 0);
    assert_int_equal(fault_calls(FAULT_MMAP), 0);
}

/* --- what survives a switch --- */

enum { VALUES = 24 }; /* more than there are registers to survive */

static volatile long seeds[VALUES];
static volatile int turns_left;

/* Keeps many values alive over switches, in registers if the compiler likes:
 * of both kinds. */
static long keep_values(long salt)
{
    long n[VALUES];
    double x[VALUES];
    long wrong = 0;

    for (int i = 0; i < VALUES; i++) {
        n[i] = seeds[i] * salt;
        x[i] = (double)(seeds[i] + salt);
    }
    while (turns_left > 0) {
        sks__coro_yield();
        for (int i = 0; i < VALUES; i++) {
            wrong += n[i] != seeds[i] * salt;
            wrong += x[i] < (double)(seeds[i] + salt) ||
                     x[i] > (double)(seeds[i] + salt);
            n[i] = seeds[i] * salt;
        }
    }
    return wrong;
}

static void keep(void *arg)
{
    long *salt = arg;

    *salt = keep_values(*salt);
}

static void values_survive_the_switches_of_others(void **state)
{
    long salts[4] = {3, -7, 1000003, 19};
    struct sks__coro *cos[4];

    (void)state;
    for (int i = 0; i < VALUES; i++)
        seeds[i] = rand();
    for (int i = 0; i < 4; i++)
        cos[i] = coro_new(keep, &salts[i]);
    for (turns_left = 100; turns_left >= 0; turns_left--)
        for (int i = 0; i < 4; i++)
            sks__coro_resume(cos[i]);
    for (int i = 0; i < 4; i++) {
        assert_true(sks__coro_finished(cos[i]));
        assert_int_equal(salts[i], 0);
        sks__coro_free(cos[i]);
    }
}

/* The compiler must not know it. */
static volatile int always = 1;

/* Leaves many small variables behind, of which AddressSanitizer guards the
 * surroundings until they are left in order. */
static int jump_from_afar(jmp_buf target, int depth)
{
    volatile char guarded[8][16];

    for (int i = 0; i < 8; i++)
        guarded[i][depth] = (char)depth;
    if (depth > 0)
        guarded[0][0] = (char)jump_from_afar(target, depth - 1);
    else if (always)
        longjmp(target, 1);
    return guarded[0][0];
}

static int write_much(void)
{
    volatile char frame[4000];

    for (size_t i = 0; i < sizeof frame; i++)
        frame[i] = 1;
    return frame[0];
}

static void jump(void *arg)
{
    jmp_buf target;
    int *jumped = arg;

    if (setjmp(target) == 0)
        jump_from_afar(target, 15);
    sks__coro_yield();
    *jumped = write_much();
}

static void jumps_inside_a_coroutine_are_fine(void **state)
{
    int jumped = 0;
    struct sks__coro *co = coro_new(jump, &jumped);

    (void)state;
    sks__coro_resume(co);
    sks__coro_resume(co);
    assert_true(sks__coro_finished(co));
    assert_int_equal(jumped, 1);
    sks__coro_free(co);
}

/* --- many switches --- */

static void yield_for_ever(void *arg)
{
    long *count = arg;

    for (;;) {
        ++*count;
        sks__coro_yield();
    }
}

static void a_million_switches_pass(void **state)
{
    enum { COROS = 10 };
    struct sks__coro *cos[COROS];
    long counts[COROS] = {0};
    long turns = RUNNING_ON_VALGRIND ? 2000 : 1000000 / 2 / COROS;

    (void)state;
    for (int i = 0; i < COROS; i++)
        cos[i] = coro_new(yield_for_ever, &counts[i]);
    for (long turn = 0; turn < turns; turn++)
        for (int i = 0; i < COROS; i++)
            sks__coro_resume(cos[i]);
    for (int i = 0; i < COROS; i++) {
        assert_int_equal(counts[i], turns);
        sks__coro_free(cos[i]);
    }
}

struct task {
    struct sks__coro *co;
    int turns, depth; /* to go; of the calls below run */
    int total;        /* what came of it */
};

/* Yields at every depth, with something on the stack at each. */
static int add_up(struct task *task, int depth)
{
    volatile char frame[200];
    int sum = 0;

    memset((char *)frame, depth, sizeof frame);
    for (int i = 0; i < task->turns; i++)
        sks__coro_yield();
    if (depth > 0)
        sum = add_up(task, depth - 1);
    for (size_t i = 0; i < sizeof frame; i++)
        sum += frame[i] != (char)depth;
    return sum + 1;
}

static void run_task(void *arg)
{
    struct task *task = arg;

    task->total = add_up(task, task->depth);
}

static void start_task(struct task *task)
{
    task->turns = rand() % 4;
    task->depth = rand() % 20;
    task->total = 0;
    task->co = coro_new(run_task, task);
}

static void end_task(struct task *task)
{
    if (sks__coro_finished(task->co))
        assert_int_equal(task->total, task->depth + 1);
    sks__coro_free(task->co);
    task->co = NULL;
}

static void any_order_of_switches_is_fine(void **state)
{
    enum { TASKS = 100 };
    static struct task tasks[TASKS];
    unsigned seed = (unsigned)time(NULL);
    int steps = SANITIZED || RUNNING_ON_VALGRIND ? 20000 : 200000;

    (void)state;
    print_message("seed %u\n", seed);
    srand(seed);
    while (steps-- > 0) {
        struct task *task = &tasks[rand() % TASKS];

        if (task->co == NULL)
            start_task(task);
        else if (sks__coro_finished(task->co) || rand() % 500 == 0)
            end_task(task);
        else
            sks__coro_resume(task->co);
    }
    for (int i = 0; i < TASKS; i++)
        if (tasks[i].co != NULL)
            end_task(&tasks[i]);
}

/* --- memory --- */

static long resident_pages(void)
{
    FILE *file = fopen("/proc/self/statm", "re");
    long resident = 0;

    if (file == NULL)
        return 0;
    if (fscanf(file, "%*d %ld", &resident) != 1)
        resident = 0;
    fclose(file);
    return resident;
}

static void park(void *arg)
{
    (void)arg;
    sks__coro_yield();
}

static void a_parked_coroutine_costs_about_a_page(void **state)
{
    enum { COROS = 10000 };
    static struct sks__coro *cos[COROS];
    /* What ucontext keeps may take pages of its own. */
    long context = (long)sizeof(struct sks__context) / sysconf(_SC_PAGESIZE);
    long before = resident_pages(), after;

    (void)state;
    if (SANITIZED || RUNNING_ON_VALGRIND || before == 0)
        skip();
    for (int i = 0; i < COROS; i++) {
        cos[i] = coro_new(park, NULL);
        sks__coro_resume(cos[i]);
    }
    after = resident_pages();
    assert_in_range(after - before, 1, COROS * 13 / 10 + COROS * context);
    for (int i = 0; i < COROS; i++)
        sks__coro_free(cos[i]);
}

/* --- overflow --- */

static int overflow(int depth)
{
    volatile char frame[512];

    frame[0] = (char)depth;
    if (always)
        frame[1] = (char)overflow(depth + 1);
    return frame[0] + frame[1];
}

static void run_overflow(void *arg)
{
    (void)arg;
    overflow(0);
}

static struct sks__coro *overflowing;

static void on_fault(int signal, siginfo_t *info, void *context)
{
    struct sks__coro *co = sks__coro_guarded_at(info->si_addr);

    (void)signal, (void)context;
    _exit(co != NULL && co == overflowing &&
                  sks__coro_arg(co) == (void *)&overflowing
              ? 42
              : 1);
}

static void overflow_in_child(void)
{
    static char handler_stack[64 * 1024];
    stack_t own = {.ss_sp = handler_stack, .ss_size = sizeof handler_stack};
    struct sigaction action = {.sa_flags = SA_SIGINFO | SA_ONSTACK};
    struct sks__coro *cos[3];

    action.sa_sigaction = on_fault;
    sigaltstack(&own, NULL);
    sigaction(SIGSEGV, &action, NULL);
    sigaction(SIGBUS, &action, NULL);
    for (int i = 0; i < 3; i++)
        cos[i] = coro_new(run_overflow, &overflowing);
    overflowing = cos[1];
    sks__coro_resume(overflowing);
    _exit(2);
}

static void an_overflow_tells_whose_it_was(void **state)
{
    pid_t child = __real_fork();
    int status;

    (void)state;
    if (child == 0)
        overflow_in_child();
    assert_true(child > 0);
    assert_int_equal(__real_waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 42);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(it_goes_on_where_it_yielded_until_it_finishes),
        TEST(it_is_current_while_it_runs),
        TEST(coroutines_may_resume_others),
        TEST(one_that_has_not_finished_may_be_dropped),
        TEST(without_a_stack_there_is_none),
        TEST(making_one_allocates_nothing_but_the_stack),
        TEST(values_survive_the_switches_of_others),
        TEST(jumps_inside_a_coroutine_are_fine),
        TEST(a_million_switches_pass),
        TEST(any_order_of_switches_is_fine),
        TEST(a_parked_coroutine_costs_about_a_page),
        TEST(an_overflow_tells_whose_it_was),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
