#include "check.h"
#include "gzip.h"

#include <stdlib.h>
#include <string.h>

static void repetition_gets_shorter(void **state)
{
    char text[4096];
    size_t n = 0;
    char *packed;

    (void)state;
    memset(text, 'a', sizeof text);
    packed = http_gzip(text, sizeof text, &n);
    assert_non_null(packed);
    assert_in_range(n, 18, 100);
    assert_memory_equal(packed, "\x1f\x8b\x08", 3);
    free(packed);
}

static void what_would_get_longer_is_left_alone(void **state)
{
    size_t n;

    (void)state;
    assert_null(http_gzip("0123456789", 10, &n));
    assert_null(http_gzip("", 0, &n));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(repetition_gets_shorter),
        cmocka_unit_test(what_would_get_longer_is_left_alone),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
