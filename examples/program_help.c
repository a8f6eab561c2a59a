/* Puts --help together from the tables of options. */
#include "program_help.h"

#include <string.h>

enum {
    WIDTH = 78,
    COLUMN = 25, /* where the help of options begins */
    TEXT_SIZE = 1024
};

void program_print_strategies(FILE *file)
{
    const char *name;

    for (size_t i = 0; (name = sks_strategy_names(i)); i++)
        fprintf(file, "%s%s", i ? ", " : "", name);
}

/* Prints text from a column on, and breaks it between words. */
static void print_wrapped(const char *text, int column)
{
    int at = column;
    int blanks = 0; /* before the word that follows */

    while (*text) {
        int word = (int)strcspn(text, " ");

        if (at + blanks + word > WIDTH) {
            printf("\n");
            at = 0;
            blanks = column;
        }
        at += printf("%*s%.*s", blanks, "", word, text);
        text += word;
        blanks = (int)strspn(text, " ");
        text += blanks;
    }
    printf("\n");
}

static void print_names(const struct program_option *option)
{
    const char *blank = option->argument ? " " : "";
    const char *argument = option->argument ? option->argument : "";
    int n = option->letter
                ? printf("  -%c, --%s%s%s", option->letter, option->name, blank,
                         argument)
                : printf("  --%s%s%s", option->name, blank, argument);

    if (n > COLUMN - 2)
        printf("\n%*s", COLUMN, "");
    else
        printf("%*s", COLUMN - n, "");
}

void program_print_about(const struct program *program)
{
    printf("Usage: %s [OPTION]... [PORT]\n", program->name);
    print_wrapped(program->about, 0);
    printf("\n");
}

void program_print_option(const struct program_option *option,
                          const char *otherwise)
{
    char text[TEXT_SIZE];

    print_names(option);
    snprintf(text, sizeof text, "%s%s%s%s", option->help, otherwise ? ", " : "",
             otherwise ? otherwise : "", otherwise ? " unless given" : "");
    print_wrapped(text, COLUMN);
}

void program_print_strategy_option(const struct program_option *option,
                                   const sks_strategy *otherwise)
{
    char text[TEXT_SIZE];
    const char *name;
    size_t n;

    print_names(option);
    n = (size_t)snprintf(text, sizeof text,
                         "%s, %s unless given:", option->help,
                         sks_strategy_name(otherwise));
    for (size_t i = 0; n < sizeof text && (name = sks_strategy_names(i)); i++)
        n += (size_t)snprintf(text + n, sizeof text - n, "%s %s", i ? "," : "",
                              name);
    print_wrapped(text, COLUMN);
}

void program_print_notes(const struct program *program, int port)
{
    char text[TEXT_SIZE];

    snprintf(text, sizeof text,
             "PORT is %d unless given; with 0 the system chooses one.%s%s",
             port, program->notes ? "  " : "",
             program->notes ? program->notes : "");
    printf("\n");
    print_wrapped(text, 0);
}
