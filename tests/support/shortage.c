#include "shortage.h"
#include "check.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/resource.h>

static struct rlimit before;

/* The lowest limit that lets the process open so many more. */
static rlim_t limit_for(int spare)
{
    int fd = 0;

    for (;; fd++) {
        if (fcntl(fd, F_GETFD) >= 0)
            continue;
        if (spare-- == 0)
            return (rlim_t)fd;
    }
}

void shortage_begin(int spare)
{
    struct rlimit now;

    assert_return_code(getrlimit(RLIMIT_NOFILE, &before), errno);
    now = before;
    now.rlim_cur = limit_for(spare);
    assert_return_code(setrlimit(RLIMIT_NOFILE, &now), errno);
}

void shortage_end(void)
{
    assert_return_code(setrlimit(RLIMIT_NOFILE, &before), errno);
}
