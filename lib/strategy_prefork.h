/* Prefork composed with the other strategies: sks_strategy_find() knows them as
 * "prefork:threading" and so on. */
#ifndef SKS__STRATEGY_PREFORK_H
#define SKS__STRATEGY_PREFORK_H

#include <sockserver.h>

const sks_strategy *sks__prefork_threading(void);
const sks_strategy *sks__prefork_thread_pool(void);
const sks_strategy *sks__prefork_coroutine(void);

#endif /* SKS__STRATEGY_PREFORK_H */
