/* bench_load: closed-loop load on an echo server, with a JSON line of what
 * came of it.
 *
 * With --steered a harness measures the server around the run: the program
 * says "ready" once all connections stand and are warm, runs when it is told
 * a line, prints the result, and keeps the connections until it is told
 * another line or standard input ends.  Everything has a time limit, and an
 * alarm ends what has none. */
#include "load.h"
#include "options.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* How long a harness may take for its measurements, in seconds. */
enum { HARNESS_SECONDS = 60 };

static void limit_run(struct load_run *run, double seconds, uint64_t count)
{
    run->end_ns = UINT64_MAX;
    run->count = UINT64_MAX;
    if (seconds > 0)
        run->end_ns = load_now_ns() + (uint64_t)(seconds * 1e9);
    if (count > 0)
        run->count = count;
}

static void warm_up(const struct load_mode *mode,
                    const struct load_options *options)
{
    static struct load_run run;

    if (options->warmup_seconds <= 0)
        return;
    limit_run(&run, options->warmup_seconds, 0);
    mode->run(options, &run);
}

/* Waits for a line on standard input; 0 at its end. */
static int wait_for_line(void)
{
    struct pollfd input = {.fd = STDIN_FILENO, .events = POLLIN};
    char line[64];

    if (poll(&input, 1, HARNESS_SECONDS * 1000) <= 0)
        load_fail(0, "nobody says how to go on");
    return read(STDIN_FILENO, line, sizeof line) > 0;
}

static double microseconds(const struct load_run *run, double share)
{
    return (double)histogram_percentile(&run->latency, share) / 1e3;
}

static void print_result(const struct load_run *run, double seconds)
{
    printf("{\"round_trips\": %llu, \"seconds\": %.6f, \"lost\": %llu, "
           "\"p50_us\": %.2f, \"p99_us\": %.2f, \"p99_9_us\": %.2f, "
           "\"max_us\": %.2f}\n",
           (unsigned long long)run->completed, seconds,
           (unsigned long long)run->lost, microseconds(run, 0.5),
           microseconds(run, 0.99), microseconds(run, 0.999),
           microseconds(run, 1));
    fflush(stdout);
}

static void run_for_the_record(const struct load_mode *mode,
                               const struct load_options *options)
{
    static struct load_run run;
    uint64_t begin_ns = load_now_ns();

    limit_run(&run, options->seconds, options->count);
    mode->run(options, &run);
    print_result(&run, (double)(load_now_ns() - begin_ns) / 1e9);
}

static void set_alarm(const struct load_options *options)
{
    double connecting = 30 + options->connections / 100.0;

    alarm((unsigned)(connecting + options->warmup_seconds + options->seconds +
                     2 * options->stall_seconds + 2 * HARNESS_SECONDS));
}

int main(int argc, char **argv)
{
    struct load_options options;
    const struct load_mode *mode = options_parse(argc, argv, &options);

    set_alarm(&options);
    mode->open(&options);
    warm_up(mode, &options);
    if (options.steered) {
        puts("ready");
        fflush(stdout);
    }
    if (!options.steered || wait_for_line()) {
        run_for_the_record(mode, &options);
        if (options.steered)
            wait_for_line();
    }
    mode->close();
    return 0;
}
