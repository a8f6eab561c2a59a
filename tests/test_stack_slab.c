/* The slabs that stacks come from: lib/stack_slab.c.  Linked with --wrap for
 * madvise, mprotect and munmap besides what fault.cmake names. */
#include "stack_slab.h"
#include "support/check.h"
#include "support/fault.h"
#include "support/leak.h"
#include "support/real.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

enum { GUARD_INSTALL = 102 }; /* MADV_GUARD_INSTALL */

enum { STACKS = SKS__SLAB_STACKS };

/* --- the system's calls --- */

int __real_madvise(void *low, size_t n, int advice);
int __wrap_madvise(void *low, size_t n, int advice);
int __real_mprotect(void *low, size_t n, int protection);
int __wrap_mprotect(void *low, size_t n, int protection);
int __real_munmap(void *low, size_t n);
int __wrap_munmap(void *low, size_t n);

static int no_advice, no_protection; /* true: they fail */
static int let;                      /* protections to let through before */
static int protected, refused;
static size_t unmapped;

int __wrap_madvise(void *low, size_t n, int advice)
{
    if (advice == GUARD_INSTALL && no_advice) {
        refused++;
        errno = EINVAL;
        return -1;
    }
    return __real_madvise(low, n, advice);
}

int __wrap_mprotect(void *low, size_t n, int protection)
{
    if (no_protection && let-- <= 0) {
        errno = ENOMEM;
        return -1;
    }
    protected++;
    return __real_mprotect(low, n, protection);
}

int __wrap_munmap(void *low, size_t n)
{
    unmapped += n;
    return __real_munmap(low, n);
}

static void *nothing(void *arg)
{
    return arg;
}

/* ThreadSanitizer starts a thread of its own with the first, and keeps it. */
static int begin_all(void **state)
{
    pthread_t thread;

    (void)state;
    if (__real_pthread_create(&thread, NULL, nothing, NULL) != 0)
        return -1;
    return pthread_join(thread, NULL);
}

/* What describes slabs is mapped once, and stays. */
static int begin(void **state)
{
    (void)state;
    sks__slab_free(sks__slab_new(SKS__STACK_SIZE, 1), 1);
    fault_clear();
    leak_begin();
    return 0;
}

static int end(void **state)
{
    (void)state;
    no_advice = no_protection = let = 0;
    fault_clear();
    return leak_end();
}

/* --- what the tests share --- */

static struct sks__slab *slab_new(void)
{
    struct sks__slab *slab = sks__slab_new(SKS__STACK_SIZE, STACKS);

    assert_non_null(slab);
    for (unsigned i = 0; i < STACKS; i++)
        sks__slab_stack(slab, i)->slab = slab;
    return slab;
}

/* True if the byte can be read, without reading it. */
static int readable(const void *byte)
{
    int ends[2];
    ssize_t n;

    assert_int_equal(__real_pipe(ends), 0);
    n = __real_write(ends[1], byte, 1);
    close(ends[0]);
    close(ends[1]);
    return n == 1;
}

static void expect_guards(const struct sks__slab *slab)
{
    for (unsigned i = 0; i < STACKS; i++) {
        char *low = sks__slab_low(slab, i);

        assert_true(readable(low));
        assert_false(readable(low - 1));
        assert_false(readable(low - sks__slab_page()));
    }
}

/* --- stacks --- */

static void a_stack_can_be_written_down_to_its_guard(void **state)
{
    struct sks__slab *slab = slab_new();

    (void)state;
    for (unsigned i = 0; i < STACKS; i++) {
        char *low = sks__slab_low(slab, i);
        char *stack = (char *)sks__slab_stack(slab, i);

        assert_int_equal((uintptr_t)stack % 16, 0);
        assert_true(stack - low > (long)SKS__STACK_SIZE * 3 / 4);
        memset(low, 1, (size_t)(stack - low));
    }
    sks__slab_free(slab, STACKS);
}

static void what_lies_below_a_stack_cannot_be_touched(void **state)
{
    struct sks__slab *slab = slab_new();

    (void)state;
    expect_guards(slab);
    sks__slab_free(slab, STACKS);
}

static void a_discarded_stack_is_empty_and_guarded(void **state)
{
    struct sks__slab *slab = slab_new();
    char *a = (char *)sks__slab_stack(slab, 5) - 1;
    char *b = (char *)sks__slab_stack(slab, 6) - 1;

    (void)state;
    *a = *b = *sks__slab_low(slab, 5) = 1;
    sks__slab_discard(slab, 5);
    assert_int_equal(*a, 0);
    assert_int_equal(*sks__slab_low(slab, 5), 0);
    assert_int_equal(*b, 1);
    expect_guards(slab);
    sks__slab_free(slab, STACKS);
}

/* --- whose guard it is --- */

static void a_guard_names_its_stack_while_that_is_taken(void **state)
{
    struct sks__slab *slab = slab_new();

    (void)state;
    for (unsigned i = 0; i < STACKS; i++) {
        char *low = sks__slab_low(slab, i);
        struct sks__stack *stack = sks__slab_stack(slab, i);

        assert_null(sks__stack_guard_owner(low - 1));
        sks__slab_set_taken(slab, i, 1);
        assert_ptr_equal(sks__stack_guard_owner(low - 1), stack);
        assert_ptr_equal(sks__stack_guard_owner(low - sks__slab_page()), stack);
        assert_null(sks__stack_guard_owner(low));
        assert_null(sks__stack_guard_owner(low - sks__slab_page() - 1));
        sks__slab_set_taken(slab, i, i % 2);
        assert_ptr_equal(sks__stack_guard_owner(low - 1), i % 2 ? stack : NULL);
    }
    sks__slab_free(slab, STACKS);
}

static void other_addresses_are_no_ones_guard(void **state)
{
    struct sks__slab *slab = slab_new();
    char *guard = sks__slab_low(slab, 0) - 1;
    int here;

    (void)state;
    sks__slab_set_taken(slab, 0, 1);
    assert_null(sks__stack_guard_owner(NULL));
    assert_null(sks__stack_guard_owner(&here));
    assert_null(sks__stack_guard_owner((void *)UINTPTR_MAX));
    sks__slab_free(slab, STACKS);
    assert_null(sks__stack_guard_owner(guard));
}

struct reader {
    const struct sks__slab *slab;
    atomic_int stop;
    long misses;
};

static void *look_up(void *arg)
{
    struct reader *reader = arg;
    const char *guard = sks__slab_low(reader->slab, 3) - 1;

    while (!atomic_load(&reader->stop))
        if (sks__stack_guard_owner(guard) != sks__slab_stack(reader->slab, 3))
            reader->misses++;
    return NULL;
}

static void guards_are_told_while_other_slabs_come_and_go(void **state)
{
    struct sks__slab *still = slab_new(), *busy[70];
    struct reader reader = {.slab = still};
    pthread_t thread;

    (void)state;
    sks__slab_set_taken(still, 3, 1);
    assert_int_equal(__real_pthread_create(&thread, NULL, look_up, &reader), 0);
    for (int times = 0; times < 20; times++) {
        for (int i = 0; i < 70; i++) {
            busy[i] = slab_new();
            sks__slab_set_taken(busy[i], 3, 1);
        }
        for (int i = 0; i < 70; i++)
            sks__slab_free(busy[i], STACKS);
    }
    atomic_store(&reader.stop, 1);
    pthread_join(thread, NULL);
    assert_int_equal(reader.misses, 0);
    sks__slab_free(still, STACKS);
}

/* --- faults --- */

static void a_slab_needs_address_space(void **state)
{
    (void)state;
    fault_set(FAULT_MMAP, 0, 1, ENOMEM);
    assert_null(sks__slab_new(SKS__STACK_SIZE, STACKS));
    sks__slab_free(slab_new(), STACKS);
}

static void the_description_of_a_slab_needs_memory(void **state)
{
    struct sks__slab *slabs[200];
    int n = 0;

    (void)state;
    /* Until a page of descriptions is full, each slab is one mapping. */
    for (fault_set(FAULT_MMAP, 1, FAULT_ALWAYS, ENOMEM); n < 200; n++) {
        slabs[n] = sks__slab_new(SKS__STACK_SIZE, 1);
        if (slabs[n] == NULL)
            break;
        fault_set(FAULT_MMAP, 1, FAULT_ALWAYS, ENOMEM);
    }
    assert_in_range(n, 1, 199);
    fault_set(FAULT_MMAP, 0, 1, ENOMEM);
    assert_null(sks__slab_new(SKS__STACK_SIZE, 1));
    fault_clear();
    while (n > 0)
        sks__slab_free(slabs[--n], 1);
}

static void an_older_kernel_protects_pages_instead(void **state)
{
    struct sks__slab *slab;

    (void)state;
    no_advice = 1;
    protected = refused = 0;
    slab = slab_new();
    assert_int_equal(protected, STACKS);
    assert_in_range(refused, 0, 1);
    expect_guards(slab);
    sks__slab_free(slab, STACKS);
}

/* Nothing stays of one whose first, middle or last stack is not guarded: no
 * mapping, no description. */
static void a_slab_needs_mappings_where_pages_are_protected(void **state)
{
    static const int lets[] = {0, STACKS / 2, STACKS - 1};
    enum { TIMES = 999 };

    (void)state;
    no_advice = no_protection = 1;
    unmapped = 0;
    for (int i = 0; i < TIMES; i++) {
        let = lets[i % 3];
        assert_null(sks__slab_new(SKS__STACK_SIZE, STACKS));
    }
    assert_int_equal(unmapped, SKS__STACK_SIZE * STACKS * TIMES);
    assert_int_equal(fault_calls(FAULT_MMAP), TIMES);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_stack_can_be_written_down_to_its_guard),
        TEST(what_lies_below_a_stack_cannot_be_touched),
        TEST(a_discarded_stack_is_empty_and_guarded),
        TEST(a_guard_names_its_stack_while_that_is_taken),
        TEST(other_addresses_are_no_ones_guard),
        TEST(guards_are_told_while_other_slabs_come_and_go),
        TEST(a_slab_needs_address_space),
        TEST(the_description_of_a_slab_needs_memory),
        TEST(an_older_kernel_protects_pages_instead),
        TEST(a_slab_needs_mappings_where_pages_are_protected),
    };

    return cmocka_run_group_tests(tests, begin_all, NULL);
}
