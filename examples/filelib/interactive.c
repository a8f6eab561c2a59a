#include "interactive.h"

#include "commands.h"
#include "completion.h"
#include "interrupt.h"
#include "words.h"

#include <errno.h>
#include <histedit.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <wchar.h>

/* Runs a line.  @return 1 if it asks to leave */
static int run_line(struct client *client, const char *line,
                    enum status *status)
{
    struct words words;
    int leaves;

    *status = STATUS_DONE;
    if (words_split(&words, line) < 0) {
        *status = client_say(STATUS_FAULT, "out of memory");
        return 0;
    }
    leaves = words.n > 0 && commands_is_quit(words.word[0]);
    if (words.n > 0 && words.word[0][0] != '#')
        *status = commands_run(client, words.word, words.n, words.is_quoted);
    words_free(&words);
    fflush(stdout);
    return leaves && *status == STATUS_DONE;
}

static enum status run_pipe(struct client *client)
{
    enum status first = STATUS_DONE, status = STATUS_DONE;
    char *line = NULL;
    size_t size = 0;

    while (!interrupt_seen() && getline(&line, &size, stdin) >= 0) {
        int leaves = run_line(client, line, &status);

        if (first == STATUS_DONE)
            first = status;
        if (leaves)
            break;
    }
    free(line);
    return interrupt_seen() ? STATUS_INTERRUPTED : first;
}

static const char *prompt(EditLine *editor)
{
    (void)editor;
    return "file> ";
}

/* Waits for a key, or for Ctrl-C: 0, or -1.  One that comes a moment before
 * libedit itself would wait for a key, that wait would not see. */
static int await_key(void)
{
    struct pollfd fds[] = {{.fd = STDIN_FILENO, .events = POLLIN},
                           {.fd = interrupt_fd(), .events = POLLIN}};

    while (poll(fds, 2, -1) < 0)
        if (errno != EINTR)
            return -1;
    return interrupt_seen() ? -1 : 0;
}

/* Reads a key for the editor: 1, 0 at the end of input, or -1. */
static int read_key(EditLine *editor, wchar_t *key)
{
    mbstate_t state = {0};
    ssize_t got;
    size_t n;
    char byte;

    (void)editor;
    do {
        if (await_key() < 0)
            return -1;
        got = read(STDIN_FILENO, &byte, 1);
        if (got <= 0)
            return (int)got;
        n = mbrtowc(key, &byte, 1, &state);
    } while (n == (size_t)-2);
    if (n == (size_t)-1)
        *key = L'?';
    return 1;
}

static EditLine *new_editor(struct client *client, History *past)
{
    EditLine *editor = el_init("sockserver-file", stdin, stdout, stderr);
    HistEvent event;

    if (!editor)
        return NULL;
    history(past, &event, H_SETSIZE, 500);
    history(past, &event, H_SETUNIQUE, 1);
    el_set(editor, EL_PROMPT, prompt);
    el_set(editor, EL_EDITOR, "emacs");
    el_set(editor, EL_HIST, history, past);
    el_set(editor, EL_CLIENTDATA, client);
    el_set(editor, EL_ADDFN, "complete", "Completes a word",
           completion_complete);
    el_set(editor, EL_BIND, "^I", "complete", NULL);
    el_set(editor, EL_SIGNAL, 0);
    el_set(editor, EL_GETCFN, read_key);
    el_source(editor, NULL);
    return editor;
}

static void run_prompt(struct client *client, EditLine *editor, History *past)
{
    enum status status;
    HistEvent event;
    int n, leaves = 0;

    while (!leaves) {
        const char *line = el_gets(editor, &n);

        if (interrupt_seen()) {
            /* Ctrl-C throws the line away and nothing else. */
            interrupt_forget();
            el_reset(editor);
            putchar('\n');
            continue;
        }
        if (!line || n <= 0)
            break;
        if (line[strspn(line, " \t\n")])
            history(past, &event, H_ENTER, line);
        leaves = run_line(client, line, &status);
        interrupt_forget();
    }
}

static enum status run_terminal(struct client *client)
{
    History *past = history_init();
    EditLine *editor = past ? new_editor(client, past) : NULL;

    if (!editor) {
        if (past)
            history_end(past);
        return client_say(STATUS_FAULT, "this terminal cannot be used");
    }
    printf("Connected to %s.\n", client->greeting);
    commands_print_menu();
    printf("help shows more.\n");
    fflush(stdout);
    run_prompt(client, editor, past);
    el_end(editor);
    history_end(past);
    return STATUS_DONE;
}

enum status interactive_run(struct client *client)
{
    enum status status = client_connect(client);

    if (status)
        return status;
    return isatty(STDIN_FILENO) ? run_terminal(client) : run_pipe(client);
}
