#include "filed_options.h"

#include "protocol.h"

#include <stddef.h>
#include <string.h>

enum { IDLE_S = 120, IDLE_MAX_S = 1000000, MIN_RATE = 1024 };

static void read_bytes(const struct program_option *option, void *field,
                       char *text)
{
    static const char units[] = "KMGT";
    size_t n = strspn(text, "0123456789");
    const char *unit = text[n] ? strchr(units, text[n]) : NULL;
    int shift = unit ? (int)(unit - units + 1) * 10 : 0;
    int64_t number = number_parse(text, n);

    if (number < 1 || text[n + (unit != NULL)] || number > INT64_MAX >> shift)
        program_wrong_usage("--%s must be a number of bytes, not \"%s\"",
                            option->name, text);
    *(int64_t *)field = number * ((int64_t)1 << shift);
}

static void read_allow(const struct program_option *option, void *field,
                       char *words)
{
    struct library_options *library = field;
    char *rest;

    for (char *word = strtok_r(words, ",", &rest); word;
         word = strtok_r(NULL, ",", &rest)) {
        if (strcmp(word, "delete") == 0)
            library->allow_delete = 1;
        else if (strcmp(word, "rename") == 0)
            library->allow_rename = 1;
        else if (strcmp(word, "replace") == 0)
            library->allow_replace = 1;
        else
            program_wrong_usage(
                "--%s knows delete, rename and replace, not \"%s\"",
                option->name, word);
    }
}

static void read_idle(const struct program_option *option, void *field,
                      char *text)
{
    *(int *)field = (int)program_number(option, text, 1, IDLE_MAX_S);
}

static const struct program_option more[] = {
    {"root", "DIR", "the folder, the current one unless given",
     program_read_string, offsetof(struct filed_options, library.root), 0},
    {"token-file", "FILE",
     "serve those who know one of its tokens: a line USER TOKEN each",
     program_read_string, offsetof(struct filed_options, token_file), 0},
    {"read-only", NULL, "take no uploads and change nothing", program_set_flag,
     offsetof(struct filed_options, library.read_only), 0},
    {"allow", "WORD,...", "allow delete, rename, replace", read_allow,
     offsetof(struct filed_options, library), 0},
    {"max-file-size", "BYTES", "the largest file that can be uploaded",
     read_bytes, offsetof(struct filed_options, library.max_file_size), 0},
    {"quota", "BYTES", "how large the library may become", read_bytes,
     offsetof(struct filed_options, library.quota), 0},
    {"min-free", "BYTES", "what uploads leave free on the disk", read_bytes,
     offsetof(struct filed_options, library.min_free), 0},
    {"idle", "SECONDS", "how long a client may be silent, 120 unless given",
     read_idle, offsetof(struct filed_options, idle_s), 0},
    {"min-rate", "BYTES",
     "how many a second a client has to take, or to bring; 1K unless given",
     read_bytes, offsetof(struct filed_options, min_rate), 0},
    {"quiet", NULL, "write no line for each command", program_set_flag,
     offsetof(struct filed_options, quiet), 0},
    {0}};

const struct program filed_program = {
    .name = "sockserver-filed",
    .about =
        "Serves a folder of files: clients list, download and upload them.",
    .kinds = PROGRAM_STREAMS,
    .bind_default = "127.0.0.1, or every one with a token file,",
    .more = more,
    .notes = "BYTES may end with K, M, G or T."};

void filed_read_options(struct filed_options *options, int argc, char **argv)
{
    struct program_options *shared = &options->shared;

    *options = (struct filed_options){.library.root = ".",
                                      .shared = {.port = PROTOCOL_PORT,
                                                 .strategy = sks_forking()},
                                      .idle_s = IDLE_S,
                                      .min_rate = MIN_RATE};
    program_read_options(&filed_program, shared, options, argc, argv);
    if (!shared->has_host && !options->token_file)
        shared->host = "127.0.0.1";
}
