/*
 * bench/arena/inputs.c: drawing the inputs. See inputs.h.
 */
#include "inputs.h"

#include "../harness/harness.h"

#include <math.h>

/* Sizes of what request handlers ask for: log-normal around 48 bytes, now and then a buffer. */
static const double MEDIAN = 48, SIGMA = 0.8;
static const double LEAST = 8, MOST = 512;
static const double PAGE_SHARE = 0.01, BUFFER_SHARE = 0.0005;
enum { PAGE_BYTES = 4 << 10, BUFFER_BYTES = 64 << 10, ROUNDED = 16 };

/* The allocations of W4 are fewer than its bytes allow at the median above. */
static const double UNIT_MEDIAN = 76;

inputs_table inputs;

static uint32_t draw_log_normal(bench_random *r, double median)
{
    const double pi = 3.14159265358979323846;
    double normal = sqrt(-2 * log(bench_random_unit(r))) * cos(2 * pi * bench_random_unit(r));
    double size = median * exp(SIGMA * normal);
    return (uint32_t)fmin(fmax(size, LEAST), MOST);
}

static uint32_t draw_size(bench_random *r)
{
    double kind = bench_random_unit(r);
    if (kind <= BUFFER_SHARE) return BUFFER_BYTES;
    if (kind <= BUFFER_SHARE + PAGE_SHARE) return PAGE_BYTES;
    return draw_log_normal(r, MEDIAN);
}

static size_t rounded(size_t size)
{
    return (size + ROUNDED - 1) & ~(size_t)(ROUNDED - 1);
}

static void draw_requests(bench_random *r)
{
    size_t total = 0;
    for (size_t i = 0; i < W2_REQUESTS; i++) {
        size_t room = 0;
        for (size_t j = 0; j < W2_BLOCKS; j++) {
            inputs.requests[i][j] = draw_size(r);
            total += inputs.requests[i][j];
            room += rounded(inputs.requests[i][j]);
        }
        if (room > inputs.room[W2]) inputs.room[W2] = room;
    }
    inputs.asked = total / W2_REQUESTS;
}

/* The sum is made exact by nudging sizes one byte at a time, all over the table. */
static void draw_unit(bench_random *r)
{
    size_t total = 0;
    for (size_t i = 0; i < W4_BLOCKS; i++)
        total += inputs.unit[i] = draw_log_normal(r, UNIT_MEDIAN);
    for (size_t i = 0; total != W4_BYTES; i = (i + 1) % W4_BLOCKS) {
        if (total < W4_BYTES && inputs.unit[i] < (uint32_t)MOST) inputs.unit[i]++, total++;
        if (total > W4_BYTES && inputs.unit[i] > (uint32_t)LEAST) inputs.unit[i]--, total--;
    }
    for (size_t i = 0; i < W4_BLOCKS; i++) inputs.room[W4] += rounded(inputs.unit[i]);
}

void inputs_draw(void)
{
    bench_random r = {20240229};
    draw_requests(&r);
    draw_unit(&r);
    for (size_t i = 0; i < W8_BYTES; i++) inputs.text[i] = (char)('a' + bench_random_next(&r) % 26);
    inputs.room[W1] = (size_t)W1_BLOCKS * W1_SIZE, inputs.blocks[W1] = W1_BLOCKS;
    inputs.room[W3] = (size_t)W3_BLOCKS * W3_SIZE, inputs.blocks[W3] = W3_BLOCKS;
    inputs.room[W8] = (size_t)4 * W8_BYTES, inputs.blocks[W8] = 1;
    inputs.blocks[W2] = W2_BLOCKS, inputs.blocks[W4] = W4_BLOCKS;
}
