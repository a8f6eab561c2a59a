/* The command line of sockserver-httpd. */
#ifndef HTTP_OPTIONS_H
#define HTTP_OPTIONS_H

#include "accesslog.h"
#include "program.h"

enum { HTTP_OPTION_MAX = 32 /**< of --data and of --index names */ };

/** What the command line said; strings are argv's. */
struct http_options {
    struct program_options shared;
    const char *directory;
    struct http_text fields;  /**< of --header: lines */
    const char *content_type; /**< of files whose type is not known */
    const char *data_paths[HTTP_OPTION_MAX];
    const char *data_texts[HTTP_OPTION_MAX];
    size_t data_count;
    const char *index[HTTP_OPTION_MAX + 1]; /**< ends with NULL */
    int lists;
    int shows_dot_files;
    const char *access_log; /**< "-": standard output; NULL: standard error */
    enum http_log_format log_format;
    int quiet; /**< no access log */
    struct http_limits limits;
};

extern const struct program http_program;

/** Reads the command line.  Ends the program after --help and --version, and
 * with status 2 after one sentence about what is wrong. */
void http_options_read(struct http_options *options, int argc, char **argv);

#endif /* HTTP_OPTIONS_H */
