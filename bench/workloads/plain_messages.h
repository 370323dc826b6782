/*
 * bench/workloads/plain_messages.h: a part of plain.h.
 *
 * Calibrated, for each message: its body, the tags "raft" and "raft.message", the frame, the key of its
 * metric: 500. The groups are arrays that are there. Faithful: what is older than 30 s or longer than 10
 * MiB is dropped; each message is a struct of its own; a group is a list that doubles.
 */
#include "frame.h"

typedef struct message {
    uint8_t *body, *frame;
    size_t frame_len;
    ebb_str tag, kind, metric;
} message;

static ebb_str joined(memory *m, ebb_str a, ebb_str b)
{
    size_t len = a.len + 1 + b.len;
    char *to = take_bytes(m, len + 1);
    memcpy(to, a.ptr, a.len);
    to[a.len] = '.';
    memcpy(to + a.len + 1, b.ptr, b.len);
    to[len] = '\0';
    return (ebb_str){to, len};
}

static void frame(memory *m, const message_in *in, message *ret_)
{
    ret_->body = take_bytes(m, in->len);
    memcpy(ret_->body, in->body, in->len);
    ret_->tag = text_of(m, EBB_STR("raft"));
    ret_->kind = joined(m, ret_->tag, EBB_STR("message"));
    ret_->metric = joined(m, ret_->kind, priority_word[in->priority]);
    ret_->frame_len = FRAME_HEAD + in->len;
    ret_->frame = take_bytes(m, ret_->frame_len);
    put_head(ret_->frame, in);
    memcpy(ret_->frame + FRAME_HEAD, ret_->body, in->len);
}

static void drop_message(memory *m, message *of)
{
    drop(m, of->body);
    drop_text(m, of->tag);
    drop_text(m, of->kind);
    drop_text(m, of->metric);
    drop(m, of->frame);
}

static void send(unsigned priority, const message *of)
{
    deliver_frame(priority, of->frame, of->frame_len, of->metric);
}

static void messages_into_arrays(memory *m, const input *in)
{
    static message all[MESSAGES];
    static size_t group[PRIORITIES][MESSAGES], count[PRIORITIES];
    for (size_t i = 0; i < MESSAGES; i++) {
        unsigned priority = in->messages[i].priority;
        frame(m, &in->messages[i], &all[i]);
        group[priority][count[priority]++] = i;
    }
    for (unsigned p = PRIORITIES; p-- > 0; count[p] = 0)
        for (size_t i = 0; i < count[p]; i++) send(p, &all[group[p][i]]);
    deliver_dropped(0);
    for (size_t i = 0; FREES && i < MESSAGES; i++) drop_message(m, &all[i]);
}

static void send_group(memory *m, unsigned priority, list *l)
{
    message **all = l->items;
    for (size_t i = 0; i < l->count; i++) send(priority, all[i]);
    if (!FREES) return;
    for (size_t i = 0; i < l->count; i++) {
        drop_message(m, all[i]);
        drop(m, all[i]);
    }
    if (all) drop(m, all);
}

static void messages_into_lists(memory *m, const input *in)
{
    list group[PRIORITIES] = {{NULL, 0, 0}};
    size_t dropped = 0;
    for (size_t i = 0; i < MESSAGES; i++) {
        const message_in *from = &in->messages[i];
        if (from->age > AGE_MOST || from->len > MESSAGE_MOST) {
            dropped++;
            continue;
        }
        message *of = take(m, sizeof *of);
        frame(m, from, of);
        *(message **)list_add(m, &group[from->priority], sizeof of) = of;
    }
    for (unsigned p = PRIORITIES; p-- > 0;) send_group(m, p, &group[p]);
    deliver_dropped(dropped);
}

static void messages(const input *in, bool faithful)
{
    memory m = memory_begin(WORK_MESSAGES);
    if (faithful) messages_into_lists(&m, in);
    else messages_into_arrays(&m, in);
    memory_end(&m);
}
