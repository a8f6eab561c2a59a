#include "unit.h"

#include "packets.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static void send_one(int fd, const char *text)
{
    assert_int_equal(__real_send(fd, text, strlen(text), 0), strlen(text));
}

static void expect_packet(const struct sks__packets *p, size_t i,
                          const char *text)
{
    assert_int_equal(p->messages[i].len, strlen(text));
    assert_memory_equal(p->vectors[i].iov_base, text, strlen(text));
}

static void open_pair(int fds[2])
{
    unit_pair(SOCK_DGRAM, fds);
    assert_int_equal(sks__fd_set_mode(fds[1], SKS__FD_NONBLOCKING), 0);
}

static void all_that_are_there_come_in_their_order(void **state)
{
    struct sks__packets *p = sks__packets_new(100);
    int fds[2];

    (void)state;
    open_pair(fds);
    for (int i = 0; i < 3; i++) {
        send_one(fds[0], "one");
        send_one(fds[0], "");
        send_one(fds[0], "three");
        assert_int_equal(sks__packets_receive(p, fds[1], 10), 3);
        expect_packet(p, 0, "one");
        expect_packet(p, 1, "");
        expect_packet(p, 2, "three");
    }
    assert_int_equal(sks__packets_receive(p, fds[1], 10), -EAGAIN);
    close(fds[0]);
    close(fds[1]);
    sks__packets_free(p);
}

static void no_more_come_than_were_asked_for(void **state)
{
    struct sks__packets *p = sks__packets_new(100);
    int fds[2];

    (void)state;
    open_pair(fds);
    for (int i = 0; i < 3; i++)
        send_one(fds[0], "x");
    assert_int_equal(sks__packets_receive(p, fds[1], 2), 2);
    assert_int_equal(sks__packets_receive(p, fds[1], 1), 1);
    close(fds[0]);
    close(fds[1]);
    sks__packets_free(p);
}

static void a_packet_that_is_too_long_is_cut_and_told(void **state)
{
    struct sks__packets *p = sks__packets_new(4);
    int fds[2];

    (void)state;
    open_pair(fds);
    send_one(fds[0], "12345");
    send_one(fds[0], "1234");
    assert_int_equal(sks__packets_receive(p, fds[1], 2), 2);
    expect_packet(p, 0, "1234");
    expect_packet(p, 1, "1234");
    assert_true(p->messages[0].header.msg_flags & MSG_TRUNC);
    assert_false(p->messages[1].header.msg_flags & MSG_TRUNC);
    close(fds[0]);
    close(fds[1]);
    sks__packets_free(p);
}

static void of_large_packets_fewer_have_room(void **state)
{
    size_t sizes[] = {1, 65535, 65536, 1024 * 1024, 64 * 1024 * 1024};
    size_t rooms[] = {64, 64, 64, 4, 1};

    (void)state;
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        struct sks__packets *p = sks__packets_new(sizes[i]);

        assert_non_null(p);
        assert_int_equal(p->room, rooms[i]);
        sks__packets_free(p);
    }
}

static void packets_begin_at_different_places_of_the_cache(void **state)
{
    const size_t sizes[] = {1, 64, 100, 512, 1500, 4096, 65507, 65536};

    (void)state;
    for (size_t s = 0; s < sizeof sizes / sizeof sizes[0]; s++) {
        struct sks__packets *p = sks__packets_new(sizes[s]);
        unsigned long long seen = 0;

        for (size_t i = 0; i < p->room; i++)
            seen |= 1ULL << (uintptr_t)p->vectors[i].iov_base / 64 % 64;
        assert_int_equal(p->room, SKS__PACKETS_MAX);
        assert_true(seen == ~0ULL);
        sks__packets_free(p);
    }
}

static void without_memory_there_is_no_room(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++) {
        fault_set(FAULT_MALLOC, i, 1, ENOMEM);
        assert_null(sks__packets_new(100));
    }
    sks__packets_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        UNIT_TEST(all_that_are_there_come_in_their_order),
        UNIT_TEST(no_more_come_than_were_asked_for),
        UNIT_TEST(a_packet_that_is_too_long_is_cut_and_told),
        UNIT_TEST(of_large_packets_fewer_have_room),
        UNIT_TEST(packets_begin_at_different_places_of_the_cache),
        UNIT_TEST(without_memory_there_is_no_room),
    };

    return cmocka_run_group_tests_name("packets", tests, NULL, NULL);
}
