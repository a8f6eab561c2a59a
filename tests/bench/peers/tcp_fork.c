/* Bare echo server: a new process for each connection, blocking.
 *
 * Ended children are reaped after each fork.  That is cheaper than a handler
 * for SIGCHLD; the price is that some stay until the next connection comes. */
#include "peer.h"

#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

_Noreturn static void serve(int listener, int fd)
{
    close(listener);
    peer_echo(fd);
    _exit(0);
}

int main(int argc, char **argv)
{
    int listener = peer_open(argc, argv, SOCK_STREAM);

    for (;;) {
        int fd = peer_accept(listener);
        pid_t pid = fork();

        if (pid < 0)
            peer_fail("fork");
        if (pid == 0)
            serve(listener, fd);
        close(fd);
        while (waitpid(-1, NULL, WNOHANG) > 0)
            continue;
    }
}
