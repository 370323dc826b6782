/*
 * tests/malloc/core.c: says whether the core, linked statically, sees libebb-malloc. Built with and
 * without it.
 */
#include "../../track/seam.h"

#include <stdio.h>

int main(void)
{
    bool seen = ebb__system_watch();
    ebb__system_unwatch();
    puts(seen ? "seen" : "not seen");
    return 0;
}
