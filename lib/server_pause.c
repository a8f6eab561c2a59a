/* The listeners rest when the system lacks descriptors or memory: accept(2)
 * would fail at once, again and again. */
#include "clock.h"
#include "server.h"

/* How long: descriptors also free elsewhere. */
enum { PAUSE_MS = 100 };

/* A shortage is over when there was none for so long. */
enum { RECOVERED_MS = 5000 };

int sks__server_is_paused(const sks_server *server)
{
    long long until = atomic_load(&server->paused_until);

    return until != 0 && sks__clock_ms() < until;
}

/* One line for each shortage, however long it lasts and however many processes
 * it is told. */
void sks__server_pause(sks_server *server, int why)
{
    long long now = sks__clock_ms();

    atomic_store(&server->pause_reason, why);
    atomic_store(&server->paused_until, now + PAUSE_MS);
    if (atomic_exchange(&server->shared->short_until, now + RECOVERED_MS) < now)
        sks_server_log(server, SKS_ERROR, "new requests must wait: %s",
                       sks_strerror(why));
}

void sks__server_resume(sks_server *server)
{
    atomic_store(&server->paused_until, 0);
}
