/* Reads a client's command. */
#include "protocol.h"

#include <string.h>
#include <strings.h>

enum { FIELDS = 5 };

/* A field of a line, without its end. */
struct field {
    const char *text;
    size_t n;
};

static const char malformed[] = "a command is words with one space between";
static const char wrong_fields[] = "too few or too many fields";

static const char *const words[] = {
    [VERB_LIST] = "LIST",     [VERB_STAT] = "STAT",   [VERB_DIGEST] = "DIGEST",
    [VERB_GET] = "GET",       [VERB_PUT] = "PUT",     [VERB_DATA] = "DATA",
    [VERB_COMMIT] = "COMMIT", [VERB_ABORT] = "ABORT", [VERB_DELETE] = "DELETE",
    [VERB_RENAME] = "RENAME", [VERB_AUTH] = "AUTH",   [VERB_QUIT] = "QUIT"};

const char *verb_word(enum verb verb)
{
    return verb == VERB_NONE ? "?" : words[verb];
}

static enum verb find_verb(const struct field *field)
{
    for (enum verb verb = VERB_LIST; verb <= VERB_QUIT; verb++)
        if (strlen(words[verb]) == field->n &&
            strncasecmp(words[verb], field->text, field->n) == 0)
            return verb;
    return VERB_NONE;
}

/* The number of fields; 0 if there are none, too many, or an empty one. */
static size_t split(struct field *fields, const char *line, size_t n)
{
    const char *end = line + n;
    size_t count = 0;

    for (;;) {
        const char *space = memchr(line, ' ', (size_t)(end - line));
        const char *stop = space ? space : end;

        if (stop == line || count == FIELDS)
            return 0;
        fields[count++] = (struct field){line, (size_t)(stop - line)};
        if (!space)
            return count;
        line = space + 1;
    }
}

static const char *read_name(char *name, const struct field *field)
{
    return name_decode(name, field->text, field->n);
}

static const char *read_number(int64_t *number, const struct field *field)
{
    *number = number_parse(field->text, field->n);
    return *number < 0 ? "a number is none, or too large" : NULL;
}

static const char *read_digest(struct command *command,
                               const struct field *field)
{
    if (field->n != PROTOCOL_HEX ||
        hex_decode(command->digest, field->text, PROTOCOL_DIGEST) < 0)
        return "a digest has 64 hexadecimal digits";
    return NULL;
}

static const char *read_id(struct command *command, const char *text, size_t n)
{
    static const char hex[] = "0123456789abcdefABCDEF";

    if (n == 0 || n > PROTOCOL_ID)
        return "an ID has 1 to 64 hexadecimal digits";
    memcpy(command->id, text, n);
    return strspn(command->id, hex) == n
               ? NULL
               : "an ID has 1 to 64 hexadecimal digits";
}

static const char *read_user(struct command *command, const struct field *field)
{
    if (field->n > PROTOCOL_ID)
        return "a user's name has at most 64 bytes";
    for (size_t i = 0; i < field->n; i++)
        if ((unsigned char)field->text[i] < '!' || field->text[i] > '~')
            return "a user's name is plain ASCII";
    memcpy(command->id, field->text, field->n);
    return NULL;
}

static const char *read_get(struct command *command, const struct field *fields,
                            size_t count)
{
    const char *wrong = read_name(command->name, &fields[1]);

    command->length = -1;
    if (!wrong && count > 2)
        wrong = read_number(&command->offset, &fields[2]);
    if (!wrong && count > 3)
        wrong = read_number(&command->length, &fields[3]);
    return wrong;
}

static const char *read_put_option(struct command *command,
                                   const struct field *field)
{
    static const char resume[] = "resume=";
    size_t n = sizeof resume - 1;

    if (field->n == strlen("replace") && !command->replace &&
        memcmp(field->text, "replace", field->n) == 0) {
        command->replace = 1;
        return NULL;
    }
    if (field->n > n && !command->id[0] && memcmp(field->text, resume, n) == 0)
        return read_id(command, field->text + n, field->n - n);
    return "PUT takes replace and resume=ID, each once";
}

static const char *read_put(struct command *command, const struct field *fields,
                            size_t count)
{
    const char *wrong = read_name(command->name, &fields[1]);

    if (!wrong)
        wrong = read_number(&command->length, &fields[2]);
    for (size_t i = 3; i < count && !wrong; i++)
        wrong = read_put_option(command, &fields[i]);
    return wrong;
}

/* How many fields a verb has, itself included. */
static int fits(enum verb verb, size_t count)
{
    static const struct {
        size_t min, max;
    } range[] = {
        [VERB_LIST] = {1, 1},   [VERB_STAT] = {2, 2},  [VERB_DIGEST] = {2, 2},
        [VERB_GET] = {2, 4},    [VERB_PUT] = {3, 5},   [VERB_DATA] = {2, 2},
        [VERB_COMMIT] = {2, 2}, [VERB_ABORT] = {1, 1}, [VERB_DELETE] = {2, 2},
        [VERB_RENAME] = {3, 3}, [VERB_AUTH] = {3, 3},  [VERB_QUIT] = {1, 1}};

    return count >= range[verb].min && count <= range[verb].max;
}

static const char *read_fields(struct command *command,
                               const struct field *fields, size_t count)
{
    const char *wrong;

    switch (command->verb) {
    case VERB_STAT:
    case VERB_DIGEST:
    case VERB_DELETE:
        return read_name(command->name, &fields[1]);
    case VERB_RENAME:
        wrong = read_name(command->name, &fields[1]);
        return wrong ? wrong : read_name(command->other, &fields[2]);
    case VERB_GET:
        return read_get(command, fields, count);
    case VERB_PUT:
        return read_put(command, fields, count);
    case VERB_DATA:
        return read_number(&command->length, &fields[1]);
    case VERB_COMMIT:
        return read_digest(command, &fields[1]);
    case VERB_AUTH:
        wrong = read_user(command, &fields[1]);
        return wrong ? wrong : read_digest(command, &fields[2]);
    default:
        return NULL;
    }
}

const char *command_parse(struct command *command, const char *line, size_t n)
{
    struct field fields[FIELDS];
    const char *space;
    size_t count;

    *command = (struct command){.verb = VERB_NONE};
    if (n > 0 && line[n - 1] == '\n')
        n--;
    if (n > 0 && line[n - 1] == '\r')
        n--;
    if (n == 0 || n > PROTOCOL_LINE || memchr(line, '\0', n))
        return malformed;
    space = memchr(line, ' ', n);
    fields[0] = (struct field){line, space ? (size_t)(space - line) : n};
    command->verb = find_verb(&fields[0]);
    count = split(fields, line, n);
    if (command->verb == VERB_NONE)
        return "no command is called so";
    if (count == 0 || !fits(command->verb, count))
        return count == 0 ? malformed : wrong_fields;
    return read_fields(command, fields, count);
}
