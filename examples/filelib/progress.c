#include "progress.h"

#include "print.h"

#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum { BAR = 16, NAME_WIDTH = 18, REST = 42 };

static const double draw_after = 0.1; /* seconds */

static double seconds_since(const struct timespec *then)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)(now.tv_sec - then->tv_sec) +
           (double)(now.tv_nsec - then->tv_nsec) / 1e9;
}

/* "12.3 MB" */
static void print_bytes(char *text, size_t size, double bytes)
{
    static const char *const units[] = {"B", "kB", "MB", "GB", "TB", "PB"};
    size_t unit = 0;

    while (bytes >= 1000 && unit < 5) {
        bytes /= 1000;
        unit++;
    }
    snprintf(text, size, unit ? "%.1f %s" : "%.0f %s", bytes, units[unit]);
}

static void print_left(char *text, size_t size, double seconds)
{
    if (seconds >= 360000)
        snprintf(text, size, "--:--");
    else if (seconds >= 3600)
        snprintf(text, size, "%d:%02d:%02d", (int)seconds / 3600,
                 (int)seconds / 60 % 60, (int)seconds % 60);
    else
        snprintf(text, size, "%d:%02d", (int)seconds / 60, (int)seconds % 60);
}

static unsigned columns(void)
{
    struct winsize size;

    return ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0
               ? size.ws_col
               : 80;
}

static void draw(const struct progress *progress, int64_t done)
{
    double seconds = seconds_since(&progress->began);
    double rate =
        seconds > 0 ? (double)(done - progress->began_with) / seconds : 0;
    double part =
        progress->total > 0 ? (double)done / (double)progress->total : 1;
    char name[4 * NAME_WIDTH + 1], bytes[32], speed[32], left[32];
    char bar[BAR + 1] = "";

    if (columns() < BAR + NAME_WIDTH + REST) {
        fprintf(stderr, "\r%3d %%\033[K", (int)(part * 100));
        return;
    }
    print_escaped(name, sizeof name, progress->name, NAME_WIDTH);
    print_bytes(bytes, sizeof bytes, (double)done);
    print_bytes(speed, sizeof speed, rate);
    print_left(left, sizeof left,
               rate > 0 ? (double)(progress->total - done) / rate : 360000);
    memset(bar, '#', (size_t)(part * (double)BAR));
    fprintf(stderr, "\r%-18s [%-16s] %3d %% %9s %9s/s %s\033[K", name, bar,
            (int)(part * 100), bytes, speed, left);
}

void progress_start(struct progress *progress, int quiet, const char *name,
                    int64_t total, int64_t done)
{
    *progress = (struct progress){.total = total, .began_with = done};
    clock_gettime(CLOCK_MONOTONIC, &progress->began);
    progress->drawn = progress->began;
    if (!quiet && isatty(STDERR_FILENO))
        progress->name = name;
}

void progress_show(struct progress *progress, int64_t done)
{
    if (!progress->name || seconds_since(&progress->drawn) < draw_after)
        return;
    clock_gettime(CLOCK_MONOTONIC, &progress->drawn);
    draw(progress, done);
}

void progress_end(struct progress *progress, int64_t done)
{
    if (!progress->name)
        return;
    draw(progress, done);
    fputc('\n', stderr);
}
