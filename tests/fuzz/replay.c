/*
 * tests/fuzz/replay.c: run a fuzz target once over each file of a folder, without libFuzzer.
 */
#include "fuzz.h"

#include <dirent.h>

enum { MOST = 1 << 20 };

static uint8_t input[MOST];

static void replay(const char *folder, const char *name)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *f = fopen(path, "rb");
    FUZZ_CHECK(f != NULL);
    size_t size = fread(input, 1, MOST, f);
    fclose(f);
    LLVMFuzzerTestOneInput(input, size);
}

int main(int argc, char **argv)
{
    DIR *folder = argc == 2 ? opendir(argv[1]) : NULL;
    size_t count = 0;
    FUZZ_CHECK(folder != NULL);
    for (struct dirent *d; (d = readdir(folder)) != NULL;) {
        if (d->d_name[0] == '.') continue;
        replay(argv[1], d->d_name);
        count++;
    }
    closedir(folder);
    printf("%zu files\n", count);
    return count == 0;
}
