#include "cache.h"

#include "tree.h"

#include <pthread.h>

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
    http_cache_release(first);
    http_cache_release(again);
}

static void a_longer_file_is_kept_open_instead_of_read(void **state)
{
    static char content[HTTP_CONTENT_MAX + 2];
    struct http_file *shorter, *longer;

    (void)state;
    memset(content, 'x', HTTP_CONTENT_MAX + 1);
    tree_write("new.txt", content);
    content[HTTP_CONTENT_MAX] = '\0';
    tree_write("a.txt", content);
    shorter = get("a.txt");
    longer = get("new.txt");
    assert_non_null(shorter->content);
    assert_int_equal(shorter->fd, -1);
    assert_null(longer->content);
    assert_int_not_equal(longer->fd, -1);
    http_cache_release(shorter);
    http_cache_release(longer);
}

static void what_is_not_there_is_kept_too(void **state)
{
    struct http_file *first = get("none"), *again = get("none");

    (void)state;
    assert_ptr_equal(first, again);
    assert_int_equal(first->status, 404);
    http_cache_release(first);
    http_cache_release(again);
}

static void directories_and_fifos_are_told(void **state)
{
    struct http_file *f = get("sub");

    (void)state;
    assert_true(f->is_directory);
    http_cache_release(f);
    f = get("fifo");
    assert_int_equal(f->status, 403);
    http_cache_release(f);
    f = get("out");
    assert_int_equal(f->status, 404);
    http_cache_release(f);
}

static void neighbours_are_served_as_codings(void **state)
{
    struct http_file *f;

    (void)state;
    f = http_cache_get(cache, HTTP_BR, "a.txt", 1);
    assert_int_equal(f->status, 404);
    http_cache_release(f);
    tree_write("a.txt.gz", "packed");
    f = http_cache_get(cache, HTTP_GZIP, "a.txt", 1);
    assert_int_equal(f->status, 0);
    assert_memory_equal(f->content, "packed", 6);
    assert_string_equal(f->type, "text/plain");
    assert_non_null(strstr(f->lines, "Content-Encoding: gzip\r\n"));
    http_cache_release(f);
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
    http_cache_release(f);
    f = get("new.txt");
    assert_true(http_file_is_current(f, tree));
    tree_write("new.txt", "new");
    assert_false(http_file_is_current(f, tree));
    http_cache_release(f);
}

static void a_file_is_looked_at_once_a_second(void **state)
{
    struct http_file *f = get("a.txt"), *again;

    (void)state;
    tree_write("a.txt", "longer");
    again = get("a.txt");
    assert_ptr_equal(again, f);
    http_cache_release(again);
    again = http_cache_get(cache, HTTP_IDENTITY, "a.txt", 2);
    assert_int_equal(again->size, 6);
    http_cache_release(again);
    http_cache_release(f);
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
        http_cache_release(held[i]);
    }
}

static void files_are_given_back_in_any_number_and_order(void **state)
{
    /* More than a thread lends by itself. */
    enum { TIMES = 10000 };
    static struct http_file *held[TIMES];

    (void)state;
    for (int i = 0; i < TIMES; i++)
        held[i] = get("a.txt");
    tree_write("a.txt", "longer");
    /* Another second: this is another file, and the thread keeps that. */
    for (int i = 0; i < TIMES; i++)
        http_cache_release(
            http_cache_get(cache, HTTP_IDENTITY, "a.txt", 2 + i % 2));
    for (int i = 0; i < TIMES; i++) {
        assert_ptr_equal(held[i], held[0]);
        assert_memory_equal(held[i]->content, "aaa", 3);
        http_cache_release(held[i]);
    }
}

/* Takes some files, and gives back what another thread took. */
static void *swap(void *arg)
{
    struct http_file **held = arg;

    for (int i = 0; i < 3; i++)
        http_cache_release(held[i]);
    for (int i = 0; i < 3; i++)
        held[i] = get("a.txt");
    return NULL;
}

static void any_thread_gives_back_what_another_took(void **state)
{
    struct http_file *held[3];
    pthread_t thread;

    (void)state;
    for (int turn = 0; turn < 10; turn++) {
        for (int i = 0; i < 3; i++)
            held[i] = get("a.txt");
        assert_int_equal(pthread_create(&thread, NULL, swap, held), 0);
        pthread_join(thread, NULL);
        for (int i = 0; i < 3; i++)
            http_cache_release(held[i]);
    }
    /* The one that the cache holds, whatever this thread has at hand. */
    held[0] = get("a.txt");
    assert_memory_equal(held[0]->content, "aaa", 3);
    http_cache_release(held[0]);
}

static void *see_change(void *arg)
{
    struct http_file *f =
        http_cache_get(cache, HTTP_IDENTITY, "a.txt", *(int *)arg);

    assert_int_equal(f->size, 6);
    http_cache_release(f);
    return NULL;
}

static void what_one_thread_sees_changed_no_other_has_at_hand(void **state)
{
    struct http_file *f = get("a.txt");
    pthread_t thread;
    int second = 2;

    (void)state;
    http_cache_release(f);
    http_cache_release(http_cache_get(cache, HTTP_IDENTITY, "a.txt", second));
    tree_write("a.txt", "longer");
    second = 3;
    assert_int_equal(pthread_create(&thread, NULL, see_change, &second), 0);
    pthread_join(thread, NULL);
    see_change(&second);
    second = 2; /* as late as a thread's clock may be */
    see_change(&second);
}

static void caches_do_not_share_what_a_thread_has_at_hand(void **state)
{
    struct http_cache *other = http_cache_new(tree, mime, 64 * 1024);
    struct http_file *f = get("a.txt"), *of_other;

    (void)state;
    assert_non_null(other);
    of_other = http_cache_get(other, HTTP_IDENTITY, "a.txt", 1);
    assert_ptr_not_equal(f, of_other);
    http_cache_free(other);
    assert_memory_equal(of_other->content, "aaa", 3);
    http_cache_release(of_other);
    http_cache_release(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_file_is_opened_once, make, unmake),
        cmocka_unit_test_setup_teardown(
            a_longer_file_is_kept_open_instead_of_read, make, unmake),
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
        cmocka_unit_test_setup_teardown(
            files_are_given_back_in_any_number_and_order, make, unmake),
        cmocka_unit_test_setup_teardown(any_thread_gives_back_what_another_took,
                                        make, unmake),
        cmocka_unit_test_setup_teardown(
            what_one_thread_sees_changed_no_other_has_at_hand, make, unmake),
        cmocka_unit_test_setup_teardown(
            caches_do_not_share_what_a_thread_has_at_hand, make, unmake),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
