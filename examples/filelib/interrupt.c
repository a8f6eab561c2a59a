#include "interrupt.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

static volatile sig_atomic_t seen;
static int ends[2] = {-1, -1};

static void note(int number)
{
    int kept = errno;

    (void)number;
    seen = 1;
    (void)!write(ends[1], "", 1);
    errno = kept;
}

int interrupt_catch(void)
{
    struct sigaction action = {.sa_handler = note};
    struct sigaction ignore = {.sa_handler = SIG_IGN};

    if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) < 0)
        return -1;
    sigemptyset(&action.sa_mask);
    sigemptyset(&ignore.sa_mask);
    sigaction(SIGPIPE, &ignore, NULL);
    return sigaction(SIGINT, &action, NULL);
}

int interrupt_fd(void)
{
    return ends[0];
}

int interrupt_seen(void)
{
    return seen;
}

void interrupt_forget(void)
{
    char bytes[16];

    seen = 0;
    while (read(ends[0], bytes, sizeof bytes) > 0)
        continue;
}
