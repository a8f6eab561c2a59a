#include "beneath.h"

#include "tree.h"

#include <errno.h>

typedef int opener(int root, const char *path);

static opener *const openers[] = {http_open_beneath, http_open_by_walk};

static void assert_content(opener *open_it, const char *path,
                           const char *expected)
{
    char buf[16] = "";
    int fd = open_it(tree, path);

    assert_true(fd >= 0);
    assert_int_equal(read(fd, buf, sizeof buf - 1), strlen(expected));
    assert_string_equal(buf, expected);
    close(fd);
}

static void what_lies_beneath_is_opened(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++) {
        int fd = openers[i](tree, "");

        assert_true(fd >= 0);
        close(fd);
        fd = openers[i](tree, "sub/");
        assert_true(fd >= 0);
        close(fd);
        assert_content(openers[i], "a.txt", "aaa");
        assert_content(openers[i], "sub/b.txt", "bb");
        assert_content(openers[i], "sub//b.txt", "bb");
    }
}

static void what_lies_outside_is_not(void **state)
{
    static const char *const paths[] = {
        "..",     "../",     "/",         "/etc/passwd",   "out",
        "up",     "up/tmp",  "sub/../..", "sub/../../etc", "dangling",
        "a.txt/", "a.txt/x", "none",      "none/x",
    };

    (void)state;
    for (int i = 0; i < 2; i++)
        for (size_t j = 0; j < sizeof paths / sizeof *paths; j++)
            assert_true(openers[i](tree, paths[j]) < 0);
}

static void a_fifo_does_not_make_it_wait(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++) {
        int fd = openers[i](tree, "fifo");

        assert_true(fd >= 0);
        close(fd);
    }
}

static void too_long_a_name_is_an_error(void **state)
{
    char name[400];

    (void)state;
    memset(name, 'x', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    for (int i = 0; i < 2; i++)
        assert_int_equal(openers[i](tree, name), -ENAMETOOLONG);
}

static void errors_become_statuses(void **state)
{
    (void)state;
    assert_int_equal(http_open_status(-ENOENT), 404);
    assert_int_equal(http_open_status(-EXDEV), 404);
    assert_int_equal(http_open_status(-EACCES), 403);
    assert_int_equal(http_open_status(-EMFILE), 503);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_lies_beneath_is_opened),
        cmocka_unit_test(what_lies_outside_is_not),
        cmocka_unit_test(a_fifo_does_not_make_it_wait),
        cmocka_unit_test(too_long_a_name_is_an_error),
        cmocka_unit_test(errors_become_statuses),
    };

    return cmocka_run_group_tests(tests, tree_make, tree_remove);
}
