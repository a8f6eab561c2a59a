/* The stacks of coroutines: lib/stack.c. */
#include "stack.h"
#include "support/check.h"
#include "support/fault.h"
#include "support/instruments.h"
#include "support/leak.h"
#include "support/real.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

enum { GUARD_INSTALL = 102 }; /* MADV_GUARD_INSTALL */

/* --- what the tests share --- */

/* True if the kernel guards pages inside of mappings, and the library asks it
 * to. */
static int guards_inside(void)
{
#ifdef SKS_PLAIN_POSIX
    return 0;
#else
    size_t n = (size_t)sysconf(_SC_PAGESIZE);
    void *low = __real_mmap(NULL, n, PROT_READ | PROT_WRITE,
                            MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    int rc = madvise(low, n, GUARD_INSTALL);

    munmap(low, n);
    return rc == 0;
#endif
}

/* Pages of this process: all, or those in memory. */
static long pages(int resident)
{
    FILE *file = fopen("/proc/self/statm", "re");
    long all = 0, in_memory = 0;

    if (file == NULL)
        return 0;
    if (fscanf(file, "%ld %ld", &all, &in_memory) != 2)
        all = in_memory = 0;
    fclose(file);
    return resident ? in_memory : all;
}

static int begin(void **state)
{
    (void)state;
    leak_begin();
    return 0;
}

static int end(void **state)
{
    (void)state;
    fault_clear();
    return leak_end();
}

static size_t room(const struct sks__stack *stack)
{
    return (size_t)((const char *)stack - (char *)sks__stack_low(stack));
}

static char *low(const struct sks__stack *stack)
{
    return sks__stack_low(stack);
}

/* Takes n stacks, and touches each. */
static struct sks__stack **take(struct sks__stack_cache *cache, size_t n)
{
    struct sks__stack **stacks = __real_malloc(n * sizeof(struct sks__stack *));

    assert_non_null(stacks);
    for (size_t i = 0; i < n; i++) {
        stacks[i] = sks__stack_take(cache);
        assert_non_null(stacks[i]);
        ((char *)stacks[i])[-1] = 1;
    }
    return stacks;
}

static void give(struct sks__stack **stacks, size_t n)
{
    for (size_t i = 0; i < n; i++)
        sks__stack_give(stacks[i]);
    __real_free(stacks);
}

static void shuffle(struct sks__stack **stacks, size_t n)
{
    for (size_t i = n; i > 1; i--) {
        size_t j = (size_t)rand() % i;
        struct sks__stack *other = stacks[j];

        stacks[j] = stacks[i - 1];
        stacks[i - 1] = other;
    }
}

static void print_seed(unsigned seed)
{
    print_message("seed %u\n", seed);
    srand(seed);
}

/* --- sizes --- */

static void any_size_is_rounded_up_to_one_of_use(void **state)
{
    static const size_t sizes[] = {0,       1,           4096,         100001,
                                   1 << 20, 8 * 1 << 20, 100 * 1 << 20};

    (void)state;
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        struct sks__stack_cache *cache = sks__stack_cache_new(sizes[i], 0);
        struct sks__stack **stacks = take(cache, 70);

        for (int j = 0; j < 70; j++) {
            assert_true(room(stacks[j]) + 16 * 1024 >= sizes[i]);
            assert_true(room(stacks[j]) >= 8 * 1024);
            *low(stacks[j]) = 1;
        }
        give(stacks, 70);
        sks__stack_cache_free(cache);
    }
}

static void a_size_beyond_all_memory_is_refused(void **state)
{
    struct sks__stack_cache *cache;

    (void)state;
    assert_null(sks__stack_cache_new(SIZE_MAX, 0));
    assert_null(sks__stack_cache_new(SIZE_MAX / 2, 0));
    cache = sks__stack_cache_new(SIZE_MAX / 4, 0);
    assert_null(sks__stack_take(cache));
    sks__stack_cache_free(cache);
}

/* --- the cache --- */

static void the_stack_given_back_last_is_taken_first(void **state)
{
    struct sks__stack_cache *cache = sks__stack_cache_new(SKS__STACK_SIZE, 3);
    struct sks__stack *a = sks__stack_take(cache);
    struct sks__stack *b = sks__stack_take(cache);

    (void)state;
    sks__stack_give(a);
    sks__stack_give(b);
    assert_ptr_equal(sks__stack_take(cache), b);
    assert_ptr_equal(sks__stack_take(cache), a);
    sks__stack_give(a);
    sks__stack_give(b);
    sks__stack_cache_free(cache);
}

static void a_kept_stack_costs_no_system_call(void **state)
{
    struct sks__stack_cache *cache = sks__stack_cache_new(SKS__STACK_SIZE, 8);
    struct sks__stack *stack;

    (void)state;
    give(take(cache, 8), 8);
    fault_clear();
    for (int i = 0; i < 100; i++) {
        stack = sks__stack_take(cache);
        /* Its memory did not go to the system meanwhile. */
        assert_int_equal(((char *)stack)[-1], 1);
        sks__stack_give(stack);
    }
    assert_int_equal(fault_calls(FAULT_MMAP), 0);
    assert_int_equal(fault_calls(FAULT_MALLOC), 0);
    sks__stack_cache_free(cache);
}

static void no_more_than_the_bound_are_kept(void **state)
{
    struct sks__stack_cache *cache = sks__stack_cache_new(SKS__STACK_SIZE, 2);
    struct sks__stack **stacks = take(cache, 5);

    (void)state;
    give(stacks, 5);
    stacks = __real_malloc(5 * sizeof(struct sks__stack *));
    for (int i = 0; i < 5; i++) {
        stacks[i] = sks__stack_take(cache);
        /* The others' memory went to the system, and came back empty. */
        assert_int_equal(((char *)stacks[i])[-1], i < 2);
    }
    give(stacks, 5);
    sks__stack_cache_free(cache);
}

static void a_lone_stack_is_not_mapped_anew_each_time(void **state)
{
    struct sks__stack_cache *cache = sks__stack_cache_new(SKS__STACK_SIZE, 0);

    (void)state;
    give(take(cache, 1), 1);
    fault_set(FAULT_MMAP, 0, FAULT_ALWAYS, ENOMEM);
    for (int i = 0; i < 100; i++)
        give(take(cache, 1), 1);
    sks__stack_cache_free(cache);
}

/* How many stacks this build and system bear. */
static size_t many(void)
{
    if (SANITIZED || RUNNING_ON_VALGRIND)
        return 2000;
    return guards_inside() ? 100000 : 10000;
}

static void the_memory_of_many_stacks_comes_back(void **state)
{
    size_t n = many();
    struct sks__stack_cache *cache = sks__stack_cache_new(SKS__STACK_SIZE, 0);
    long all = pages(0), resident = pages(1), peak;
    struct sks__stack **stacks = take(cache, n);

    (void)state;
    print_seed((unsigned)time(NULL));
    shuffle(stacks, n);
    peak = pages(1);
    give(stacks, n);
    if (!SANITIZED && !RUNNING_ON_VALGRIND && peak > 0) {
        assert_true(peak - resident >= (long)n);
        assert_true(pages(1) - resident < (long)n / 20);
    }
    /* One slab may stay for the next, and what described the others. */
    if (!SANITIZED && !RUNNING_ON_VALGRIND && peak > 0)
        assert_true(pages(0) - all <= 64 * 16 + (long)n / 1000);
    sks__stack_cache_free(cache);
}

static size_t mappings(void)
{
    FILE *file = fopen("/proc/self/maps", "re");
    size_t n = 0;
    int c;

    while (file != NULL && (c = getc(file)) != EOF)
        n += c == '\n';
    if (file != NULL)
        fclose(file);
    return n;
}

static void guards_inside_a_mapping_do_not_split_it(void **state)
{
    size_t n = many(), before = mappings();
    struct sks__stack_cache *cache;
    struct sks__stack **stacks;

    (void)state;
    if (!guards_inside())
        skip();
    cache = sks__stack_cache_new(SKS__STACK_SIZE, 0);
    stacks = take(cache, n);
    /* The system may leave slabs apart, but not their stacks. */
    assert_true(mappings() - before <= n / 64 + 2);
    give(stacks, n);
    sks__stack_cache_free(cache);
}

/* --- whatever happens --- */

enum { MODEL_STACKS = 300 };

struct model {
    struct sks__stack_cache *cache;
    struct sks__stack *stacks[MODEL_STACKS];
    size_t n;
};

/* Each stack's own address stands at both its ends. */
static void model_take(struct model *m)
{
    struct sks__stack *stack = sks__stack_take(m->cache);

    assert_non_null(stack);
    *(struct sks__stack **)(void *)low(stack) = stack;
    ((struct sks__stack **)(void *)stack)[-1] = stack;
    m->stacks[m->n++] = stack;
}

static void model_give(struct model *m)
{
    size_t i = (size_t)rand() % m->n;
    struct sks__stack *stack = m->stacks[i];

    assert_ptr_equal(*(struct sks__stack **)(void *)low(stack), stack);
    assert_ptr_equal(((struct sks__stack **)(void *)stack)[-1], stack);
    assert_ptr_equal(sks__stack_guard_owner(low(stack) - 1), stack);
    m->stacks[i] = m->stacks[--m->n];
    sks__stack_give(stack);
}

static void model_run(struct model *m)
{
    for (int i = 0; i < 20000; i++) {
        /* More are taken in some thousands of steps, more given in others. */
        int likely = i / 1000 % 2 ? 70 : 30;
        int taking = rand() % 100 < likely;

        if (taking && m->n < MODEL_STACKS)
            model_take(m);
        else if (!taking && m->n > 0)
            model_give(m);
    }
    while (m->n > 0)
        model_give(m);
}

static void no_two_hold_the_same_stack(void **state)
{
    static const size_t keeps[] = {0, 5, 100, 1000};

    (void)state;
    print_seed((unsigned)time(NULL));
    for (size_t i = 0; i < sizeof keeps / sizeof *keeps; i++) {
        struct model m = {.cache = sks__stack_cache_new(16 * 1024, keeps[i])};

        model_run(&m);
        sks__stack_cache_free(m.cache);
    }
}

/* --- whose guard it is --- */

static void a_guard_names_its_stack_while_that_is_taken(void **state)
{
    struct sks__stack_cache *cache = sks__stack_cache_new(SKS__STACK_SIZE, 8);
    struct sks__stack **stacks = take(cache, 100);
    char *guard = low(stacks[50]) - 1;

    (void)state;
    for (int i = 0; i < 100; i++)
        assert_ptr_equal(sks__stack_guard_owner(low(stacks[i]) - 1), stacks[i]);
    sks__stack_give(stacks[50]);
    assert_null(sks__stack_guard_owner(guard));
    assert_ptr_equal(sks__stack_take(cache), stacks[50]);
    assert_ptr_equal(sks__stack_guard_owner(guard), stacks[50]);
    give(stacks, 100);
    sks__stack_cache_free(cache);
    assert_null(sks__stack_guard_owner(guard));
}

/* --- faults --- */

static void taking_fails_without_address_space(void **state)
{
    struct sks__stack_cache *cache = sks__stack_cache_new(SKS__STACK_SIZE, 0);
    struct sks__stack **stacks;

    (void)state;
    fault_set(FAULT_MMAP, 0, FAULT_ALWAYS, ENOMEM);
    assert_null(sks__stack_take(cache));
    fault_clear();
    stacks = take(cache, 64);
    fault_set(FAULT_MMAP, 0, FAULT_ALWAYS, ENOMEM);
    assert_null(sks__stack_take(cache));
    sks__stack_give(stacks[0]);
    stacks[0] = sks__stack_take(cache);
    assert_non_null(stacks[0]);
    give(stacks, 64);
    sks__stack_cache_free(cache);
}

static void a_cache_needs_memory(void **state)
{
    (void)state;
    fault_set(FAULT_MALLOC, 0, 1, ENOMEM);
    assert_null(sks__stack_cache_new(SKS__STACK_SIZE, 0));
}

static void freeing_no_cache_is_allowed(void **state)
{
    (void)state;
    sks__stack_cache_free(NULL);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(any_size_is_rounded_up_to_one_of_use),
        TEST(a_size_beyond_all_memory_is_refused),
        TEST(the_stack_given_back_last_is_taken_first),
        TEST(a_kept_stack_costs_no_system_call),
        TEST(no_more_than_the_bound_are_kept),
        TEST(a_lone_stack_is_not_mapped_anew_each_time),
        TEST(the_memory_of_many_stacks_comes_back),
        TEST(guards_inside_a_mapping_do_not_split_it),
        TEST(no_two_hold_the_same_stack),
        TEST(a_guard_names_its_stack_while_that_is_taken),
        TEST(taking_fails_without_address_space),
        TEST(a_cache_needs_memory),
        TEST(freeing_no_cache_is_allowed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
