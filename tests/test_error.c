#include "unit.h"

#include "error.h"

#include <errno.h>
#include <string.h>

static const int own[] = {SKS_OK,       SKS_ECLOSED,  SKS_ETIMEDOUT,
                          SKS_ETOOLONG, SKS_ERESOLVE, SKS_ESTATE,
                          SKS_EVTABLE,  SKS_ECRASHED};
enum { OWN = sizeof own / sizeof *own };

/* What the system's calls that this library makes may well say. */
static const int systems[] = {
    EACCES,       EADDRINUSE, EADDRNOTAVAIL, EAFNOSUPPORT, EAGAIN,
    EBADF,        E2BIG,      ECONNABORTED,  ECONNREFUSED, ECONNRESET,
    EDQUOT,       EFBIG,      EHOSTUNREACH,  EINTR,        EINVAL,
    EIO,          EISDIR,     ELOOP,         EMFILE,       EMSGSIZE,
    ENAMETOOLONG, ENETDOWN,   ENETUNREACH,   ENFILE,       ENOBUFS,
    ENOENT,       ENOMEM,     ENOSPC,        ENOSYS,       ENOTCONN,
    ENOTDIR,      ENOTSOCK,   ENOTSUP,       EPERM,        EPIPE,
    EPROTO,       EPROTOTYPE, EROFS,         ESPIPE,       ETIMEDOUT};
enum { SYSTEMS = sizeof systems / sizeof *systems };

static int is_known(int error)
{
    return strcmp(sks_strerror(error), "unknown error") != 0;
}

static void errors_of_the_library_have_words(void **state)
{
    (void)state;
    for (size_t i = 0; i < OWN; i++)
        assert_true(is_known(own[i]));
}

static void errors_of_the_system_have_words(void **state)
{
    (void)state;
    for (size_t i = 0; i < SYSTEMS; i++)
        if (!is_known(-systems[i]))
            fail_msg("errno %d has none", systems[i]);
}

static void no_two_errors_have_the_same_words(void **state)
{
    enum { FIRST = -4100 };

    (void)state;
    for (int a = FIRST; a <= 0; a++)
        for (int b = a + 1; is_known(a) && b <= 0; b++)
            assert_string_not_equal(sks_strerror(a), sks_strerror(b));
}

static void what_is_no_error_is_unknown(void **state)
{
    static const int odd[] = {1, EPIPE, -4000, -4100, -12345};

    (void)state;
    for (size_t i = 0; i < sizeof odd / sizeof *odd; i++)
        assert_string_equal(sks_strerror(odd[i]), "unknown error");
}

static int is_one_of(int error, const int *list, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (list[i] == error)
            return 1;
    return 0;
}

static void a_peer_that_is_gone_is_told_from_other_faults(void **state)
{
    static const int gone[] = {SKS_ECLOSED,   -EPIPE,        -ECONNRESET,
                               -ECONNABORTED, -ECONNREFUSED, -ENOTCONN,
                               -ETIMEDOUT,    -EHOSTUNREACH, -ENETUNREACH};

    (void)state;
    for (int e = -4100; e <= 1; e++)
        assert_int_equal(sks__error_is_peer_gone(e),
                         is_one_of(e, gone, sizeof gone / sizeof *gone));
}

static void a_shortage_is_told_from_other_faults(void **state)
{
    static const int lacks[] = {-EMFILE, -ENFILE, -ENOBUFS, -ENOMEM};

    (void)state;
    for (int e = -4100; e <= 1; e++)
        assert_int_equal(sks__error_is_shortage(e),
                         is_one_of(e, lacks, sizeof lacks / sizeof *lacks));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        UNIT_TEST(errors_of_the_library_have_words),
        UNIT_TEST(errors_of_the_system_have_words),
        UNIT_TEST(no_two_errors_have_the_same_words),
        UNIT_TEST(what_is_no_error_is_unknown),
        UNIT_TEST(a_peer_that_is_gone_is_told_from_other_faults),
        UNIT_TEST(a_shortage_is_told_from_other_faults),
    };

    return cmocka_run_group_tests_name("error", tests, NULL, NULL);
}
