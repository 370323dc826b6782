/* Writes the live page to stdout as the library makes it, to be compared with what tools/embed makes. */
#include "format.h"

#include <stdio.h>

int main(void)
{
    ebb__out o = {0};
    ebb__format_live_html(&o);
    bool written = !o.failed && fwrite(o.ptr, 1, o.len, stdout) == o.len;
    ebb__out_free(&o);
    return written ? 0 : 1;
}
