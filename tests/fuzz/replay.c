/* Runs the fuzz target over each file of a folder, and over each with one byte
 * changed or cut off: for compilers without a fuzzer. */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* In memory of just its size, so that a sanitizer sees what is read past it. */
static void run(const uint8_t *data, size_t size)
{
    uint8_t *copy = malloc(size ? size : 1);

    memcpy(copy, data, size);
    LLVMFuzzerTestOneInput(copy, size);
    free(copy);
}

static void run_variants(uint8_t *data, size_t size)
{
    static const uint8_t bytes[] = {0, ' ', '%', '\n', '/', '9', ':', 0xff};

    for (size_t i = 0; i < size; i++) {
        uint8_t kept = data[i];

        run(data, i);
        for (size_t j = 0; j < sizeof bytes; j++) {
            data[i] = bytes[j];
            run(data, size);
        }
        data[i] = kept;
    }
}

static int run_file(const char *folder, const char *name)
{
    uint8_t data[8192];
    char path[4096];
    FILE *file;
    size_t size;

    snprintf(path, sizeof path, "%s/%s", folder, name);
    file = fopen(path, "rb");
    if (!file)
        return -1;
    size = fread(data, 1, sizeof data, file);
    fclose(file);
    run(data, size);
    run_variants(data, size);
    return 0;
}

int main(int argc, char **argv)
{
    DIR *entries = argc == 2 ? opendir(argv[1]) : NULL;
    struct dirent *entry;
    unsigned files = 0;

    while (entries && (entry = readdir(entries)))
        if (entry->d_name[0] != '.' && run_file(argv[1], entry->d_name) == 0)
            files++;
    if (entries)
        closedir(entries);
    printf("%u files\n", files);
    return files == 0;
}
