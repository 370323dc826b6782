/*
 * track/system.c: whether malloc is watched, too.
 */
#include "seam.h"

bool ebb__system_watch(void)
{
    return false;
}
