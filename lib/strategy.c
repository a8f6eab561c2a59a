/* The strategies of this build, by name. */
#include "strategy_prefork.h"

#include <sockserver/strategy.h>

#include <stddef.h>
#include <string.h>

static const sks_strategy *(*const strategies[])(void) = {
    sks_synchronous,        sks_forking,
    sks_threading,          sks_thread_pool,
    sks_coroutine,          sks_prefork,
    sks__prefork_threading, sks__prefork_thread_pool,
    sks__prefork_coroutine,
};

const char *sks_strategy_names(size_t i)
{
    return i < sizeof strategies / sizeof strategies[0] ? strategies[i]()->name
                                                        : NULL;
}

const sks_strategy *sks_strategy_find(const char *name)
{
    const char *known;

    if (name == NULL)
        return NULL;
    for (size_t i = 0; (known = sks_strategy_names(i)) != NULL; i++)
        if (strcmp(known, name) == 0)
            return strategies[i]();
    return NULL;
}

const char *sks_strategy_name(const sks_strategy *strategy)
{
    return strategy->name;
}
