/* Everything of the file library that reads what others wrote, fed with bytes:
 * commands, replies, names, command lines.  The first byte chooses. */
#include "print.h"
#include "protocol.h"
#include "words.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(int condition)
{
    if (!condition)
        abort();
}

static void read_command(const char *line, size_t n)
{
    struct command command;

    if (command_parse(&command, line, n))
        return;
    require(command.verb != VERB_NONE);
    require(strlen(command.name) <= PROTOCOL_NAME);
    require(!strchr(command.name, '/') && !strchr(command.other, '/'));
    require(command.length >= -1 && command.offset >= 0);
}

static void read_reply(const char *line, size_t n)
{
    struct reply reply;
    char value[32];

    if (reply_parse(&reply, line, n) < 0)
        return;
    require(reply.code >= 100 && reply.length >= 0);
    require(strlen(reply.sentence) < PROTOCOL_LINE);
    reply_value(&reply, "mtime", value, sizeof value);
    require(reply_number(&reply, "size") >= -1);
}

static void read_name(const char *text, size_t n)
{
    char name[PROTOCOL_NAME + 1], again[PROTOCOL_NAME + 1];
    char encoded[PROTOCOL_ENCODED + 1], shown[4 * PROTOCOL_NAME + 1];

    if (name_decode(name, text, n))
        return;
    n = name_encode(encoded, name, strlen(name));
    require(!name_decode(again, encoded, n) && strcmp(again, name) == 0);
    print_escaped(shown, sizeof shown, name, PROTOCOL_NAME);
    require(strcspn(shown, "\033\n\r") == strlen(shown));
}

static void read_words(const char *text, size_t n)
{
    char *line = malloc(n + 1), *quoted = malloc(2 * n + 3);
    struct words words, again;

    memcpy(line, text, n);
    line[n] = '\0';
    require(words_split(&words, line) == 0);
    for (size_t i = 0; i < words.n; i++) {
        words_quote(quoted, words.word[i]);
        require(words_split(&again, quoted) == 0);
        require(again.n == 1 && strcmp(again.word[0], words.word[i]) == 0);
        words_free(&again);
    }
    words_free(&words);
    free(quoted);
    free(line);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *text = (const char *)data + 1;

    if (size == 0)
        return 0;
    switch (*data & 3) {
    case 0:
        read_command(text, size - 1);
        break;
    case 1:
        read_reply(text, size - 1);
        break;
    case 2:
        read_name(text, size - 1);
        break;
    default:
        read_words(text, size - 1);
    }
    return 0;
}
