#include "cache.h"

#include "tree.h"

static struct http_mime *mime;
static struct http_cache *cache;

static int make(void **state)
{
    mime = http_mime_new("/nonexistent", "x/fallback");
    if (mime == NULL || tree_make(state) < 0)
        return -1;
    cache = http_cache_new(tree, mime, 64 * 1024);
    return cache == NULL;
}

static int unmake(void **state)
{
    http_cache_free(cache);
    http_mime_free(mime);
    return tree_remove(state);
}

static struct http_file *get(const char *path)
{
    struct http_file *f = http_cache_get(cache, HTTP_IDENTITY, path, 1);

    assert_non_null(f);
    return f;
}

static void a_file_is_opened_once(void **state)
{
    struct http_file *first = get("a.txt"), *again = get("a.txt");

    (void)state;
    assert_ptr_equal(first, again);
    assert_int_equal(first->status, 0);
    assert_int_equal(first->size, 3);
    assert_memory_equal(first->content, "aaa", 3);
    http_file_release(first);
    http_file_release(again);
}

static void what_is_not_there_is_kept_too(void **state)
{
    struct http_file *first = get("none"), *again = get("none");

    (void)state;
    assert_ptr_equal(first, again);
    assert_int_equal(first->status, 404);
    http_file_release(first);
    http_file_release(again);
}

static void directories_and_fifos_are_told(void **state)
{
    struct http_file *f = get("sub");

    (void)state;
    assert_true(f->is_directory);
    http_file_release(f);
    f = get("fifo");
    assert_int_equal(f->status, 403);
    http_file_release(f);
    f = get("out");
    assert_int_equal(f->status, 404);
    http_file_release(f);
}

static void neighbours_are_served_as_codings(void **state)
{
    struct http_file *f;

    (void)state;
    f = http_cache_get(cache, HTTP_BR, "a.txt", 1);
    assert_int_equal(f->status, 404);
    http_file_release(f);
    tree_write("a.txt.gz", "packed");
    f = http_cache_get(cache, HTTP_GZIP, "a.txt", 1);
    assert_int_equal(f->status, 0);
    assert_memory_equal(f->content, "packed", 6);
    assert_string_equal(f->type, "text/plain");
    assert_non_null(strstr(f->lines, "Content-Encoding: gzip\r\n"));
    http_file_release(f);
}

static void a_change_makes_it_another_file(void **state)
{
    struct http_file *f = get("a.txt");

    (void)state;
    assert_true(http_file_is_current(f, tree));
    tree_write("a.txt", "longer");
    assert_false(http_file_is_current(f, tree));
    unlinkat(tree, "a.txt", 0);
    assert_false(http_file_is_current(f, tree));
    http_file_release(f);
    f = get("new.txt");
    assert_true(http_file_is_current(f, tree));
    tree_write("new.txt", "new");
    assert_false(http_file_is_current(f, tree));
    http_file_release(f);
}

static void a_file_is_looked_at_once_a_second(void **state)
{
    struct http_file *f = get("a.txt"), *again;

    (void)state;
    tree_write("a.txt", "longer");
    again = get("a.txt");
    assert_ptr_equal(again, f);
    http_file_release(again);
    again = http_cache_get(cache, HTTP_IDENTITY, "a.txt", 2);
    assert_int_equal(again->size, 6);
    http_file_release(again);
    http_file_release(f);
}

static void bytes_are_bounded(void **state)
{
    struct http_file *held[40];
    char name[100], content[8192];

    (void)state;
    memset(content, 'x', sizeof content - 1);
    content[sizeof content - 1] = '\0';
    tree_write("new.txt", content);
    /* The same file by many names. */
    for (int i = 0; i < 40; i++) {
        *name = '\0';
        for (int j = 0; j < i; j++)
            strcat(name, "./");
        held[i] = get(strcat(name, "new.txt"));
        assert_int_equal(held[i]->status, 0);
    }
    /* Those that were dropped live on while they are held. */
    for (int i = 0; i < 40; i++) {
        assert_int_equal(held[i]->content[8190], 'x');
        http_file_release(held[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_file_is_opened_once, make, unmake),
        cmocka_unit_test_setup_teardown(what_is_not_there_is_kept_too, make,
                                        unmake),
        cmocka_unit_test_setup_teardown(directories_and_fifos_are_told, make,
                                        unmake),
        cmocka_unit_test_setup_teardown(neighbours_are_served_as_codings, make,
                                        unmake),
        cmocka_unit_test_setup_teardown(a_change_makes_it_another_file, make,
                                        unmake),
        cmocka_unit_test_setup_teardown(a_file_is_looked_at_once_a_second, make,
                                        unmake),
        cmocka_unit_test_setup_teardown(bytes_are_bounded, make, unmake),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
