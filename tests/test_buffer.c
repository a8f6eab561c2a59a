#include "unit.h"

#include "buffer.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static void append(struct sks__buffer *b, const char *text)
{
    assert_int_equal(sks__buffer_append(b, text, strlen(text)), 0);
}

static void expect(const struct sks__buffer *b, const char *text)
{
    assert_int_equal(sks__buffer_len(b), strlen(text));
    assert_memory_equal(sks__buffer_bytes(b), text, strlen(text));
}

static void a_zeroed_buffer_is_empty(void **state)
{
    struct sks__buffer b = {0};
    char byte;

    (void)state;
    assert_int_equal(sks__buffer_len(&b), 0);
    assert_non_null(sks__buffer_bytes(&b));
    assert_int_equal(sks__buffer_take(&b, &byte, 1), 0);
    assert_int_equal(sks__buffer_append(&b, NULL, 0), 0);
    sks__buffer_free(&b);
}

static void bytes_leave_in_the_order_they_came(void **state)
{
    struct sks__buffer b = {0};
    char out[16];

    (void)state;
    append(&b, "one");
    append(&b, "two");
    assert_int_equal(sks__buffer_take(&b, out, 4), 4);
    assert_memory_equal(out, "onet", 4);
    append(&b, "three");
    expect(&b, "wothree");
    assert_int_equal(sks__buffer_take(&b, out, sizeof out), 7);
    assert_memory_equal(out, "wothree", 7);
    sks__buffer_free(&b);
}

static void lent_memory_is_used_until_it_is_outgrown(void **state)
{
    struct sks__buffer b;
    char memory[8] = "unused";

    (void)state;
    sks__buffer_lend(&b, memory, sizeof memory);
    assert_int_equal(sks__buffer_len(&b), 0);
    append(&b, "1234567");
    assert_ptr_equal(b.data, memory);
    assert_int_equal(sks__buffer_take(&b, NULL, 3), 3);
    append(&b, "890");
    assert_ptr_equal(b.data, memory);
    append(&b, "abc");
    assert_ptr_not_equal(b.data, memory);
    expect(&b, "4567890abc");
    sks__buffer_free(&b);
    assert_memory_equal(memory, "4567890", 7);
}

/* What is kept would be used by others. */
static void lent_memory_is_not_kept(void **state)
{
    struct sks__buffer b, other = {0};
    char memory[64];

    (void)state;
    sks__buffer_keep(1);
    sks__buffer_lend(&b, memory, sizeof memory);
    sks__buffer_free(&b);
    assert_int_equal(b.size, 0);
    assert_int_equal(sks__buffer_reserve(&other, sizeof memory), 0);
    assert_ptr_not_equal(other.data, memory);
    sks__buffer_free(&other);
    sks__buffer_keep(0);
}

static void without_memory_what_was_lent_stays(void **state)
{
    struct sks__buffer b;
    char memory[4];

    (void)state;
    sks__buffer_lend(&b, memory, sizeof memory);
    append(&b, "abc");
    fault_set(FAULT_MALLOC, 0, 1, ENOMEM);
    assert_int_equal(sks__buffer_append(&b, "de", 2), -ENOMEM);
    expect(&b, "abc");
    append(&b, "d");
    expect(&b, "abcd");
    sks__buffer_free(&b);
}

static void what_is_taken_may_be_thrown_away(void **state)
{
    struct sks__buffer b = {0};

    (void)state;
    append(&b, "header body");
    assert_int_equal(sks__buffer_take(&b, NULL, 7), 7);
    expect(&b, "body");
    assert_int_equal(sks__buffer_take(&b, NULL, 100), 4);
    assert_int_equal(sks__buffer_len(&b), 0);
    sks__buffer_free(&b);
}

static void what_is_held_stays_where_it_is_while_there_is_room(void **state)
{
    struct sks__buffer b = {0};
    const char *where;

    (void)state;
    assert_int_equal(sks__buffer_reserve(&b, 16), 0);
    append(&b, "12345678");
    sks__buffer_take(&b, NULL, 4);
    where = sks__buffer_bytes(&b);
    assert_int_equal(sks__buffer_reserve(&b, b.size - b.end), 0);
    assert_ptr_equal(sks__buffer_bytes(&b), where);
    sks__buffer_free(&b);
}

static void room_that_was_taken_is_used_again(void **state)
{
    struct sks__buffer b = {0};

    (void)state;
    assert_int_equal(sks__buffer_reserve(&b, 16), 0);
    append(&b, "0123456789abcdef");
    sks__buffer_take(&b, NULL, 10);
    fault_set(FAULT_MALLOC, 0, FAULT_ALWAYS, ENOMEM);
    append(&b, "ghijklmnop");
    assert_int_equal(fault_calls(FAULT_MALLOC), 0);
    expect(&b, "abcdefghijklmnop");
    sks__buffer_free(&b);
}

static void an_emptied_buffer_begins_at_its_front(void **state)
{
    struct sks__buffer b = {0};

    (void)state;
    append(&b, "all of it");
    sks__buffer_take(&b, NULL, 9);
    assert_int_equal(b.start, 0);
    assert_int_equal(b.end, 0);
    sks__buffer_free(&b);
}

/* Otherwise a long line would be copied again for each byte of it. */
static void it_grows_by_doubling(void **state)
{
    struct sks__buffer b = {0};
    long grown;

    (void)state;
    fault_set(FAULT_MALLOC, 0, 0, 0);
    for (int i = 0; i < 1 << 16; i++)
        append(&b, "x");
    grown = fault_calls(FAULT_MALLOC);
    assert_in_range(grown, 1, 32);
    assert_int_equal(sks__buffer_len(&b), 1 << 16);
    sks__buffer_free(&b);
}

static void out_of_memory_changes_nothing(void **state)
{
    struct sks__buffer b = {0};

    (void)state;
    append(&b, "kept");
    sks__buffer_take(&b, NULL, 1);
    fault_set(FAULT_MALLOC, 0, 2, ENOMEM);
    assert_int_equal(sks__buffer_append(&b, "lost", 4), -ENOMEM);
    assert_int_equal(sks__buffer_reserve(&b, 100), -ENOMEM);
    assert_int_equal(fault_hits(FAULT_MALLOC), 2);
    expect(&b, "ept");
    append(&b, "!");
    expect(&b, "ept!");
    sks__buffer_free(&b);
}

static void a_length_that_no_memory_has_is_refused(void **state)
{
    struct sks__buffer b = {0};

    (void)state;
    append(&b, "ab");
    assert_int_equal(sks__buffer_reserve(&b, SIZE_MAX), -ENOMEM);
    assert_int_equal(sks__buffer_reserve(&b, SIZE_MAX - 1), -ENOMEM);
    expect(&b, "ab");
    sks__buffer_free(&b);
}

static void a_freed_buffer_is_empty_again(void **state)
{
    struct sks__buffer b = {0};

    (void)state;
    append(&b, "something");
    sks__buffer_free(&b);
    assert_int_equal(sks__buffer_len(&b), 0);
    sks__buffer_free(&b);
    append(&b, "anew");
    expect(&b, "anew");
    sks__buffer_free(&b);
}

/* Against a stream of which only the two ends' places are known. */
static void no_byte_is_lost_whatever_the_order(void **state)
{
    struct sks__buffer b = {0};
    unsigned seed = (unsigned)time(NULL);
    size_t in = 0, out = 0;
    char bytes[700];

    (void)state;
    print_message("seed %u\n", seed);
    srand(seed);
    for (int i = 0; i < 20000; i++) {
        size_t n = (size_t)rand() % sizeof bytes;

        if (rand() % 2) {
            unit_fill(bytes, n, in);
            assert_int_equal(sks__buffer_append(&b, bytes, n), 0);
            in += n;
        } else {
            size_t took = sks__buffer_take(&b, bytes, n);

            assert_int_equal(took, n < in - out ? n : in - out);
            unit_expect(bytes, took, out);
            out += took;
        }
        assert_int_equal(sks__buffer_len(&b), in - out);
    }
    sks__buffer_free(&b);
}

static char *reserve(struct sks__buffer *b, size_t n)
{
    *b = (struct sks__buffer){.data = NULL};
    assert_int_equal(sks__buffer_reserve(b, n), 0);
    return b->data;
}

static void a_thread_may_keep_memory_for_its_next_buffers(void **state)
{
    struct sks__buffer a, b, c;
    char *first, *second;

    (void)state;
    sks__buffer_keep(2);
    first = reserve(&a, 8192);
    second = reserve(&b, 8192);
    reserve(&c, 8192);
    sks__buffer_free(&a);
    sks__buffer_free(&b);
    sks__buffer_free(&c);
    assert_int_equal(fault_blocks(), 2);
    assert_ptr_equal(reserve(&a, 8192), second);
    assert_ptr_equal(reserve(&b, 8192), first);
    assert_int_equal(fault_blocks(), 2);
    sks__buffer_free(&a);
    sks__buffer_free(&b);
    sks__buffer_keep(0);
    assert_int_equal(fault_blocks(), 0);
}

static void kept_memory_is_all_of_one_size(void **state)
{
    struct sks__buffer a, b;

    (void)state;
    sks__buffer_keep(4);
    reserve(&a, 4096);
    reserve(&b, 100);
    sks__buffer_free(&a);
    sks__buffer_free(&b);
    assert_int_equal(fault_blocks(), 1);
    reserve(&b, 8192);
    memset(b.data, 1, 8192);
    assert_int_equal(fault_blocks(), 2);
    reserve(&a, 4096);
    assert_int_equal(fault_blocks(), 2);
    sks__buffer_free(&a);
    sks__buffer_free(&b);
    sks__buffer_keep(0);
    assert_int_equal(fault_blocks(), 0);
}

static void memory_too_small_for_a_link_is_not_kept(void **state)
{
    struct sks__buffer a;

    (void)state;
    sks__buffer_keep(4);
    reserve(&a, 1);
    sks__buffer_free(&a);
    assert_int_equal(fault_blocks(), 0);
    sks__buffer_free(&a);
    sks__buffer_keep(0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        UNIT_TEST(a_zeroed_buffer_is_empty),
        UNIT_TEST(bytes_leave_in_the_order_they_came),
        UNIT_TEST(lent_memory_is_used_until_it_is_outgrown),
        UNIT_TEST(lent_memory_is_not_kept),
        UNIT_TEST(without_memory_what_was_lent_stays),
        UNIT_TEST(what_is_taken_may_be_thrown_away),
        UNIT_TEST(what_is_held_stays_where_it_is_while_there_is_room),
        UNIT_TEST(room_that_was_taken_is_used_again),
        UNIT_TEST(an_emptied_buffer_begins_at_its_front),
        UNIT_TEST(it_grows_by_doubling),
        UNIT_TEST(out_of_memory_changes_nothing),
        UNIT_TEST(a_length_that_no_memory_has_is_refused),
        UNIT_TEST(a_freed_buffer_is_empty_again),
        UNIT_TEST(no_byte_is_lost_whatever_the_order),
        UNIT_TEST(a_thread_may_keep_memory_for_its_next_buffers),
        UNIT_TEST(kept_memory_is_all_of_one_size),
        UNIT_TEST(memory_too_small_for_a_link_is_not_kept),
    };

    return cmocka_run_group_tests_name("buffer", tests, NULL, NULL);
}
