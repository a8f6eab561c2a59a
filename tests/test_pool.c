#include "unit.h"

#include "pool.h"

#include <errno.h>
#include <stdalign.h>
#include <stdint.h>
#include <string.h>

/* More than the first run holds, and the second. */
enum { MANY = 500, SIZE = 40 };

static void objects_do_not_overlap(void **state)
{
    struct sks__pool pool;
    char *objects[MANY];

    (void)state;
    sks__pool_open(&pool, SIZE);
    for (int i = 0; i < MANY; i++) {
        objects[i] = sks__pool_take(&pool);
        assert_non_null(objects[i]);
        assert_int_equal((uintptr_t)objects[i] % alignof(max_align_t), 0);
        memset(objects[i], i % 251, SIZE);
    }
    for (int i = 0; i < MANY; i++)
        for (int k = 0; k < SIZE; k++)
            assert_int_equal((unsigned char)objects[i][k], i % 251);
    sks__pool_close(&pool);
}

static void the_one_given_back_last_is_taken_next(void **state)
{
    struct sks__pool pool;
    void *a, *b;

    (void)state;
    sks__pool_open(&pool, SIZE);
    a = sks__pool_take(&pool);
    b = sks__pool_take(&pool);
    sks__pool_give(&pool, a);
    sks__pool_give(&pool, b);
    assert_ptr_equal(sks__pool_take(&pool), b);
    assert_ptr_equal(sks__pool_take(&pool), a);
    sks__pool_close(&pool);
}

static void what_was_added_is_taken_first(void **state)
{
    alignas(max_align_t) char memory[3 * 48 + 1];
    struct sks__pool pool;

    (void)state;
    sks__pool_open(&pool, SIZE);
    sks__pool_add(&pool, memory, sizeof memory);
    for (int i = 0; i < 3; i++) {
        char *object = sks__pool_take(&pool);

        assert_true(object >= memory && object + SIZE <= &memory[3 * 48]);
    }
    fault_set(FAULT_MMAP, 0, FAULT_ALWAYS, ENOMEM);
    assert_null(sks__pool_take(&pool));
    fault_clear();
    sks__pool_close(&pool);
}

static void what_is_given_back_is_enough_for_as_many(void **state)
{
    struct sks__pool pool;

    (void)state;
    fault_set(FAULT_MMAP, 0, 0, 0);
    sks__pool_open(&pool, SIZE);
    for (int i = 0; i < MANY * MANY; i++) {
        void *object = sks__pool_take(&pool);

        assert_non_null(object);
        sks__pool_give(&pool, object);
    }
    assert_int_equal(fault_calls(FAULT_MMAP), 1);
    sks__pool_close(&pool);
}

static void those_of_any_size_fit(void **state)
{
    static const size_t sizes[] = {0, 1, 16, 1000, 4096, 100000};

    (void)state;
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        struct sks__pool pool;

        sks__pool_open(&pool, sizes[i]);
        for (int k = 0; k < 10; k++) {
            void *object = sks__pool_take(&pool);

            assert_non_null(object);
            memset(object, 0xff, sizes[i]);
        }
        sks__pool_close(&pool);
    }
}

static void without_memory_there_is_no_object_and_later_there_is(void **state)
{
    struct sks__pool pool;

    (void)state;
    sks__pool_open(&pool, SIZE);
    fault_set(FAULT_MMAP, 0, 1, ENOMEM);
    assert_null(sks__pool_take(&pool));
    assert_non_null(sks__pool_take(&pool));
    sks__pool_close(&pool);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        UNIT_TEST(objects_do_not_overlap),
        UNIT_TEST(the_one_given_back_last_is_taken_next),
        UNIT_TEST(what_was_added_is_taken_first),
        UNIT_TEST(what_is_given_back_is_enough_for_as_many),
        UNIT_TEST(those_of_any_size_fit),
        UNIT_TEST(without_memory_there_is_no_object_and_later_there_is),
    };

    return cmocka_run_group_tests_name("pool", tests, NULL, NULL);
}
