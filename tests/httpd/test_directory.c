#include "directory.h"

#include "tree.h"

static struct http_directory directory;

static void read_it(int dot_files)
{
    http_directory_free(&directory);
    assert_int_equal(http_directory_read(&directory, tree, "", dot_files), 0);
}

static void assert_names(const char *const *names, size_t n)
{
    assert_int_equal(directory.count, n);
    for (size_t i = 0; i < n; i++)
        assert_string_equal(directory.entries[i].name, names[i]);
}

static void dot_files_and_links_out_are_left_out(void **state)
{
    static const char *const names[] = {"sub", "a.txt"};
    static const char *const all[] = {"sub", ".dot", "a.txt"};

    (void)state;
    read_it(0);
    http_directory_sort(&directory, HTTP_BY_NAME, 0);
    assert_names(names, 2);
    read_it(1);
    http_directory_sort(&directory, HTTP_BY_NAME, 0);
    assert_names(all, 3);
}

static void directories_stay_first_in_either_order(void **state)
{
    static const char *const up[] = {"sub", ".dot", "a.txt"};
    static const char *const down[] = {"sub", "a.txt", ".dot"};

    (void)state;
    read_it(1);
    http_directory_sort(&directory, HTTP_BY_SIZE, 0);
    assert_names(up, 3);
    http_directory_sort(&directory, HTTP_BY_SIZE, 1);
    assert_names(down, 3);
}

static void links_within_are_what_they_lead_to(void **state)
{
    static const char *const names[] = {"b.txt", "in"};

    (void)state;
    http_directory_free(&directory);
    assert_int_equal(http_directory_read(&directory, tree, "sub/", 0), 0);
    http_directory_sort(&directory, HTTP_BY_NAME, 0);
    assert_names(names, 2);
    assert_int_equal(directory.entries[1].size, 3);
}

static void what_is_no_directory_is_an_error(void **state)
{
    (void)state;
    assert_true(http_directory_read(&directory, tree, "a.txt", 0) < 0);
    assert_true(http_directory_read(&directory, tree, "..", 0) < 0);
    assert_true(http_directory_read(&directory, tree, "none", 0) < 0);
}

static int unmake(void **state)
{
    http_directory_free(&directory);
    return tree_remove(state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(dot_files_and_links_out_are_left_out),
        cmocka_unit_test(directories_stay_first_in_either_order),
        cmocka_unit_test(links_within_are_what_they_lead_to),
        cmocka_unit_test(what_is_no_directory_is_an_error),
    };

    return cmocka_run_group_tests(tests, tree_make, unmake);
}
