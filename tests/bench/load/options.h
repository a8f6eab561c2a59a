/* The command line of the load generator. */
#ifndef BENCH_OPTIONS_H
#define BENCH_OPTIONS_H

#include "load.h"

/* Reads the options and returns the mode that they name.  Wrong usage ends the
 * program; --help and --version do so, too. */
const struct load_mode *options_parse(int argc, char **argv,
                                      struct load_options *options);

#endif
