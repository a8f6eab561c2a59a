/* Who serves, and with what: lib/server_serve.c. */
#include "unit.h"

#include <sockserver/strategy.h>

#include <errno.h>

struct self {
    int used;
};

/* Fails the first time, and leaves what it wrote. */
static int start(void *self, sks_server *server, void *config)
{
    struct self *mine = self;
    int *starts = config;

    (void)server;
    assert_int_equal(mine->used, 0);
    mine->used = 1;
    return ++*starts == 1 ? -ENOSPC : 0;
}

static int serve_nobody(void *self, sks_server *server)
{
    (void)self, (void)server;
    return 0;
}

/* Memory in the server's struct, and memory of its own. */
static void a_strategy_that_starts_again_has_zeroed_memory(void **state)
{
    static const size_t sizes[] = {sizeof(struct self), 4096};

    (void)state;
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        const sks_strategy strategy = {.size = sizeof strategy,
                                       .name = "starting",
                                       .self_size = sizes[i],
                                       .start = start,
                                       .process_request = unit_process_none,
                                       .serve = serve_nobody};
        sks_server *server = unit_server();
        int starts = 0;

        sks_server_set_strategy(server, &strategy, &starts);
        assert_int_equal(sks_server_serve_forever(server), -ENOSPC);
        assert_int_equal(sks_server_serve_forever(server), 0);
        assert_int_equal(starts, 2);
        sks_server_free(server);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        UNIT_TEST(a_strategy_that_starts_again_has_zeroed_memory),
    };

    return cmocka_run_group_tests_name("server_serve", tests, NULL, NULL);
}
