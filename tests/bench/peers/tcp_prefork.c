/* Bare echo server: WORKERS processes that each accept for themselves on the
 * shared listener; the parent waits for them. */
#include "peer.h"

#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

_Noreturn static void work(int listener)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    for (;;)
        peer_echo(peer_accept(listener));
}

int main(int argc, char **argv)
{
    int listener = peer_open(argc, argv, SOCK_STREAM);
    unsigned workers = peer_workers(argc, argv);

    for (unsigned i = 0; i < workers; i++) {
        pid_t pid = fork();

        if (pid < 0)
            peer_fail("fork");
        if (pid == 0)
            work(listener);
    }
    while (wait(NULL) > 0)
        continue;
    return 1;
}
