#include "unit.h"

#include "address.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static void expect(const struct sks__address *a, const char *text, int port)
{
    char room[SKS__ADDRESS_TEXT + 1];

    memset(room, '~', sizeof room);
    sks__address_text(a, room);
    assert_string_equal(room, text);
    assert_int_equal(room[SKS__ADDRESS_TEXT], '~');
    assert_int_equal(sks__address_port(a), port);
}

static struct sks__address in(const char *host, int port)
{
    struct sks__address a = {.len = sizeof a.of.in};

    a.of.in.sin_family = AF_INET;
    a.of.in.sin_port = htons((uint16_t)port);
    assert_int_equal(inet_pton(AF_INET, host, &a.of.in.sin_addr), 1);
    return a;
}

static struct sks__address in6(const char *host, int port)
{
    struct sks__address a = {.len = sizeof a.of.in6};

    a.of.in6.sin6_family = AF_INET6;
    a.of.in6.sin6_port = htons((uint16_t)port);
    assert_int_equal(inet_pton(AF_INET6, host, &a.of.in6.sin6_addr), 1);
    return a;
}

/* A Unix address with exactly these n bytes of a path. */
static struct sks__address un(const char *path, size_t n)
{
    struct sks__address a = {0};

    a.of.un.sun_family = AF_UNIX;
    memcpy(a.of.un.sun_path, path, n);
    a.len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n);
    return a;
}

static void an_ipv4_address_is_told_with_its_port(void **state)
{
    struct sks__address a = in("127.0.0.1", 51234);
    struct sks__address longest = in("255.255.255.255", 65535);

    (void)state;
    expect(&a, "127.0.0.1:51234", 51234);
    expect(&longest, "255.255.255.255:65535", 65535);
}

static void an_ipv6_address_is_told_in_brackets(void **state)
{
    struct sks__address a = in6("::1", 80);
    struct sks__address longest =
        in6("1111:2222:3333:4444:5555:6666:7777:8888", 65535);

    (void)state;
    expect(&a, "[::1]:80", 80);
    expect(&longest, "[1111:2222:3333:4444:5555:6666:7777:8888]:65535", 65535);
}

/* Zeros are shortened as the system does it. */
static void any_ipv6_address_is_told_as_the_system_tells_it(void **state)
{
    unsigned seed = (unsigned)time(NULL);
    char host[INET6_ADDRSTRLEN], text[INET6_ADDRSTRLEN + 8];

    (void)state;
    print_message("seed %u\n", seed);
    srand(seed);
    for (int i = 0; i < 10000; i++) {
        struct sks__address a = in6("1::", 1);

        /* What begins with zeros may have an old form in the system's. */
        for (int j = 2; j < 16; j++)
            a.of.in6.sin6_addr.s6_addr[j] =
                (uint8_t)(rand() % 3 == 0 ? rand() : 0);
        inet_ntop(AF_INET6, &a.of.in6.sin6_addr, host, sizeof host);
        snprintf(text, sizeof text, "[%s]:1", host);
        expect(&a, text, 1);
    }
}

static void a_scope_is_told(void **state)
{
    struct sks__address a = in6("fe80::1", 80);

    (void)state;
    a.of.in6.sin6_scope_id = 3;
    expect(&a, "[fe80::1%3]:80", 80);
}

static void an_ipv4_address_inside_ipv6_is_told_as_ipv4(void **state)
{
    struct sks__address a = in6("::ffff:192.0.2.1", 80);

    (void)state;
    expect(&a, "192.0.2.1:80", 80);
}

static void a_path_is_told(void **state)
{
    struct sks__address a = un("/run/server", 12);
    struct sks__address unterminated = un("/run/server", 11);

    (void)state;
    expect(&a, "unix:/run/server", 0);
    expect(&unterminated, "unix:/run/server", 0);
}

/* Linux may say that such a path is a byte longer than its struct. */
static void the_longest_path_is_told_in_full(void **state)
{
    char path[sizeof(((struct sockaddr_un *)0)->sun_path) + 1] = "";
    char text[sizeof path + 5];
    struct sks__address a;

    (void)state;
    memset(path, 'p', sizeof path - 1);
    strcat(strcpy(text, "unix:"), path);
    a = un(path, sizeof path - 1);
    expect(&a, text, 0);
    a.len++;
    expect(&a, text, 0);
}

static void who_has_no_name_is_told_as_unix(void **state)
{
    struct sks__address a = un("", 0);
    struct sks__address empty = un("", 1);
    struct sks__address none = {.len = 0};

    (void)state;
    expect(&a, "unix:", 0);
    expect(&empty, "unix:", 0);
    expect(&none, "unix:", 0);
}

static void an_abstract_name_is_told_with_an_at_sign(void **state)
{
    struct sks__address a = un("\0server", 7);
    struct sks__address cut = un("\0ser\0ver", 8);

    (void)state;
    expect(&a, "unix:@server", 0);
    expect(&cut, "unix:@ser", 0);
}

static void control_bytes_cannot_forge_a_line(void **state)
{
    struct sks__address a = un("/a\nb\x1b[1m\x7f\x01 \xc3\xa4", 14);

    (void)state;
    expect(&a, "unix:/a?b?[1m?? \xc3\xa4", 0);
}

/* --- paths --- */

static void a_path_becomes_an_address(void **state)
{
    struct sks__address a;

    (void)state;
    assert_int_equal(sks__address_set_path(&a, "/run/x"), 0);
    expect(&a, "unix:/run/x", 0);
    assert_int_equal(a.of.any.sa_family, AF_UNIX);
    assert_int_equal(a.len, offsetof(struct sockaddr_un, sun_path) + 7);
}

static void a_path_that_no_socket_can_have_is_refused(void **state)
{
    char path[sizeof(((struct sockaddr_un *)0)->sun_path) + 1] = "";
    struct sks__address a;

    (void)state;
    assert_int_equal(sks__address_set_path(&a, ""), -EINVAL);
    memset(path, 'p', sizeof path - 1);
    assert_int_equal(sks__address_set_path(&a, path), -ENAMETOOLONG);
    path[sizeof path - 2] = '\0';
    assert_int_equal(sks__address_set_path(&a, path), 0);
    assert_string_equal(a.of.un.sun_path, path);
}

/* --- sockets --- */

static void a_socket_tells_its_address(void **state)
{
    int fd = __real_socket(AF_INET, SOCK_STREAM, 0);
    struct sks__address a = in("127.0.0.1", 0), got;
    char text[SKS__ADDRESS_TEXT];

    (void)state;
    assert_return_code(__real_bind(fd, &a.of.any, a.len), errno);
    assert_int_equal(sks__address_of_socket(&got, fd), 0);
    assert_true(sks__address_port(&got) > 0);
    sks__address_text(&got, text);
    assert_int_equal(strncmp(text, "127.0.0.1:", 10), 0);
    close(fd);
    assert_int_equal(sks__address_of_socket(&got, -1), -EBADF);
}

static void an_unbound_socket_has_no_name(void **state)
{
    struct sks__address a;
    int fds[2];

    (void)state;
    unit_pair(SOCK_STREAM, fds);
    assert_int_equal(sks__address_of_socket(&a, fds[0]), 0);
    expect(&a, "unix:", 0);
    close(fds[0]);
    close(fds[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        UNIT_TEST(an_ipv4_address_is_told_with_its_port),
        UNIT_TEST(an_ipv6_address_is_told_in_brackets),
        UNIT_TEST(any_ipv6_address_is_told_as_the_system_tells_it),
        UNIT_TEST(a_scope_is_told),
        UNIT_TEST(an_ipv4_address_inside_ipv6_is_told_as_ipv4),
        UNIT_TEST(a_path_is_told),
        UNIT_TEST(the_longest_path_is_told_in_full),
        UNIT_TEST(who_has_no_name_is_told_as_unix),
        UNIT_TEST(an_abstract_name_is_told_with_an_at_sign),
        UNIT_TEST(control_bytes_cannot_forge_a_line),
        UNIT_TEST(a_path_becomes_an_address),
        UNIT_TEST(a_path_that_no_socket_can_have_is_refused),
        UNIT_TEST(a_socket_tells_its_address),
        UNIT_TEST(an_unbound_socket_has_no_name),
    };

    return cmocka_run_group_tests_name("address", tests, NULL, NULL);
}
