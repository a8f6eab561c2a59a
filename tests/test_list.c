#include "unit.h"

#include "list.h"

#include <string.h>

struct item {
    char name;
    struct sks__list node;
};

/* The names in the list, forwards and backwards. */
static void expect(const struct sks__list *list, const char *names)
{
    size_t n = strlen(names);
    const struct sks__list *node = list->next;

    for (size_t i = 0; i < n; i++, node = node->next) {
        assert_ptr_not_equal(node, list);
        assert_int_equal(SKS__LIST_ENTRY(node, struct item, node)->name,
                         names[i]);
        assert_ptr_equal(node->next->prev, node);
        assert_ptr_equal(node->prev->next, node);
    }
    assert_ptr_equal(node, list);
    assert_int_equal(sks__list_is_empty(list), n == 0);
}

static void a_new_list_is_empty(void **state)
{
    struct sks__list list;

    (void)state;
    sks__list_init(&list);
    expect(&list, "");
}

static void what_is_appended_comes_last(void **state)
{
    struct item a = {.name = 'a'}, b = {.name = 'b'}, c = {.name = 'c'};
    struct sks__list list;

    (void)state;
    sks__list_init(&list);
    sks__list_append(&list, &a.node);
    expect(&list, "a");
    sks__list_append(&list, &b.node);
    sks__list_append(&list, &c.node);
    expect(&list, "abc");
}

static void any_node_may_be_removed(void **state)
{
    struct item a = {.name = 'a'}, b = {.name = 'b'}, c = {.name = 'c'};
    struct sks__list list;

    (void)state;
    sks__list_init(&list);
    sks__list_append(&list, &a.node);
    sks__list_append(&list, &b.node);
    sks__list_append(&list, &c.node);
    sks__list_remove(&b.node);
    expect(&list, "ac");
    sks__list_remove(&c.node);
    expect(&list, "a");
    sks__list_append(&list, &b.node);
    expect(&list, "ab");
    sks__list_remove(&a.node);
    sks__list_remove(&b.node);
    expect(&list, "");
}

static void a_removed_node_may_be_removed_again(void **state)
{
    struct item a = {.name = 'a'}, b = {.name = 'b'};
    struct sks__list list;

    (void)state;
    sks__list_init(&list);
    sks__list_append(&list, &a.node);
    sks__list_append(&list, &b.node);
    sks__list_remove(&a.node);
    sks__list_remove(&a.node);
    expect(&list, "b");
    sks__list_remove(&b.node);
    sks__list_remove(&a.node);
    expect(&list, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        UNIT_TEST(a_new_list_is_empty),
        UNIT_TEST(what_is_appended_comes_last),
        UNIT_TEST(any_node_may_be_removed),
        UNIT_TEST(a_removed_node_may_be_removed_again),
    };

    return cmocka_run_group_tests_name("list", tests, NULL, NULL);
}
