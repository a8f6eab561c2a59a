/* Digests against the standard's examples, and what tokens prove. */
#include "access.h"
#include "check.h"
#include "digest.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char empty[] =
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
static const char abc[] =
    "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

static void assert_digest(struct digest *digest, const char *expected)
{
    unsigned char bytes[PROTOCOL_DIGEST];
    char hex[PROTOCOL_HEX + 1];

    digest_end(digest, bytes);
    hex_encode(hex, bytes, sizeof bytes);
    assert_string_equal(hex, expected);
}

static void digests_are_those_of_the_standard(void **state)
{
    struct digest *digest = digest_new();

    (void)state;
    assert_digest(digest, empty);
    digest_restart(digest);
    digest_add(digest, "a", 1);
    digest_add(digest, "bc", 2);
    assert_digest(digest, abc);
    digest_free(digest);
}

static int refuse(void *arg)
{
    ++*(int *)arg;
    return -77;
}

static void a_file_that_ends_early_is_an_error(void **state)
{
    struct digest *digest = digest_new();
    FILE *file = tmpfile();
    int asked = 0;

    (void)state;
    fputs("xabc", file);
    fflush(file);
    assert_int_equal(digest_add_file(digest, fileno(file), 1, 3, NULL, NULL),
                     0);
    assert_digest(digest, abc);
    digest_restart(digest);
    assert_true(digest_add_file(digest, fileno(file), 1, 4, NULL, NULL) < 0);
    assert_int_equal(ftruncate(fileno(file), 32 << 20), 0);
    assert_int_equal(digest_add_file(digest, fileno(file), 0, 32 << 20, refuse,
                                     &asked),
                     -77);
    assert_int_equal(asked, 1);
    fclose(file);
    digest_free(digest);
}

/* A token file of these lines, which the caller removes. */
static char *new_file(const char *lines, mode_t mode)
{
    char *path = strdup("/tmp/tokens-XXXXXX");
    int fd = mkstemp(path);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, lines, strlen(lines)), strlen(lines));
    fchmod(fd, mode);
    close(fd);
    return path;
}

static void remove_file(char *path)
{
    unlink(path);
    free(path);
}

static void only_the_users_own_token_proves_who_it_is(void **state)
{
    char *path = new_file("# people\n\nalice aaaaaaaaaaaaaaaaaaaa\n"
                          "bob bbbbbbbbbbbbbbbbbbbb\n",
                          0600);
    unsigned char proof[PROTOCOL_DIGEST];

    (void)state;
    assert_null(access_check_file(path));
    digest_proof(proof, "aaaaaaaaaaaaaaaaaaaa", "00ff", "alice");
    assert_true(access_prove(path, "alice", "00ff", proof));
    assert_false(access_prove(path, "alice", "00fe", proof));
    assert_false(access_prove(path, "bob", "00ff", proof));
    assert_false(access_prove(path, "carol", "00ff", proof));
    digest_proof(proof, "no token of anybody", "00ff", "carol");
    assert_false(access_prove(path, "carol", "00ff", proof));
    assert_false(access_prove("/nonexistent", "carol", "00ff", proof));
    remove_file(path);
}

static void a_bad_token_file_is_refused(void **state)
{
    static const struct {
        const char *lines;
        mode_t mode;
    } bad[] = {{"", 0600},
               {"alice\n", 0600},
               {"alice short\n", 0600},
               {"alice aaaaaaaaaaaaaaaaaaaa extra\n", 0600},
               {"alice aaaaaaaaaaaaaaaaaaaa\n", 0604}};

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        char *path = new_file(bad[i].lines, bad[i].mode);

        assert_non_null(access_check_file(path));
        remove_file(path);
    }
    assert_non_null(access_check_file("/nonexistent"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(digests_are_those_of_the_standard),
        cmocka_unit_test(a_file_that_ends_early_is_an_error),
        cmocka_unit_test(only_the_users_own_token_proves_who_it_is),
        cmocka_unit_test(a_bad_token_file_is_refused)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
