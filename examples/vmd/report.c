/*
 * examples/vmd/report.c: GET /report: the cluster as a page. It is written in Markdown, and cmark
 * makes HTML of it:
 *
 *   ebb      in the request's scope, and goes with it. cmark can't be refused memory; what is done
 *            instead is said in ebb/compat/cmark.h
 *   malloc   by malloc; the tree is freed node by node
 *
 * What clients have put in is escaped, so that it is text and no Markdown.
 */
#include "vmd.h"

#ifdef VMD_CMARK

#include <ebb/compat/cmark.h>

#include <stdlib.h>

enum { LABELS_MOST = 4, ZONES = 4 };

/* ---- Markdown -------------------------------------------------------------------------------- */

static bool is_punctuation(char c)
{
    return (c >= '!' && c <= '/') || (c >= ':' && c <= '@') || (c >= '[' && c <= '`') ||
           (c >= '{' && c <= '~');
}

/* As it stands, on one line. */
static void put_escaped(text *t, const char *string)
{
    for (const char *plain = string;; string++) {
        bool control = *string > 0 && *string < ' ';
        if (*string && !control && !is_punctuation(*string)) continue;
        text_add(t, plain, (size_t)(string - plain));
        if (!*string) return;
        if (control) text_put(t, " ");
        else text_put(t, "\\");
        plain = string + control;
    }
}

static void put_symbol(text *t, ebb_sym sym)
{
    put_escaped(t, ebb_sym_str(names, sym).ptr);
}

static void put_machine(text *t, const vm *v)
{
    text_put(t, "### ");
    put_escaped(t, v->name);
    text_put(t, "\n\nOf *");
    put_symbol(t, v->tenant);
    text_put(t, "*, **");
    put_symbol(t, v->status);
    text_printf(t, "**: %d cpus, %d MiB, revision %u, `%s`\n\n", v->cpus, v->memory_mb, v->revision,
                v->id);
    for (size_t i = 0; i < v->pairs && i < LABELS_MOST; i++) {
        text_put(t, "- ");
        put_escaped(t, v->pair[i].key);
        text_put(t, ": *");
        put_escaped(t, v->pair[i].value);
        text_put(t, "*\n");
    }
    if (v->pairs > LABELS_MOST) text_printf(t, "- and %zu more\n", v->pairs - LABELS_MOST);
    text_put(t, "\n");
}

/* False: no memory. */
static bool put_nodes(text *t, mem *m)
{
    config *all = mem_alloc(m, opt.nodes * sizeof *all);
    bool found = all && configs_of_nodes(m, all);
    for (unsigned i = 0; found && i < opt.nodes; i++)
        text_printf(t, "- `node-%03u` in *zone-%u*: %d cpus, %d MiB\n", i, i % ZONES, all[i].cpus,
                    all[i].memory_mb);
    mem_free(m, all);
    return found;
}

static bool put_cluster(text *t, mem *m, const vm_page *p)
{
    text_printf(t, "# The cluster\n\n**%zu** machines, **%u** nodes.\n\n## Nodes\n\n",
                state_count(), opt.nodes);
    if (!put_nodes(t, m)) return false;
    text_put(t, "\n## Machines\n\n");
    for (int i = 0; i < p->count; i++) put_machine(t, p->vm[i]);
    return !text_failed(t);
}

/* ---- HTML ------------------------------------------------------------------------------------ */

static bool is_freed_by_hand(const request *req)
{
    return !req->mem.scope || ebb_failed(req->mem.scope);
}

static cmark_node *parse(request *req, ebb_str markdown)
{
    cmark_mem *from = req->mem.scope ? ebb_cmark_mem() : cmark_get_default_mem_allocator();
    cmark_parser *p = cmark_parser_new_with_mem(CMARK_OPT_DEFAULT, from);
    cmark_parser_feed(p, markdown.ptr, markdown.len);
    cmark_node *doc = cmark_parser_finish(p);
    if (is_freed_by_hand(req)) cmark_parser_free(p);
    return doc;
}

/* Where the scope has failed the reply is http.c's. */
static int render(request *req, ebb_str markdown)
{
    cmark_node *doc = parse(req, markdown);
    char *html = cmark_render_html(doc, CMARK_OPT_DEFAULT);
    if (is_freed_by_hand(req)) cmark_node_free(doc);
    if (req->mem.scope && ebb_failed(req->mem.scope)) {
        ebb_cmark_mem()->free(html);
        return 507;
    }
    if (!req->mem.scope) req->owned = html;
    req->made = ebb_str_from(html);
    req->type = "text/html; charset=utf-8";
    return 200;
}

/* ---- the route ------------------------------------------------------------------------------- */

int report(request *req)
{
    const filter any = {0, 0};
    text markdown;
    text_begin(&markdown, &req->mem);
    vm_page *p = mem_alloc(&req->mem, sizeof *p);
    if (!p) return 507;
    p->count = 0;
    if (!mem_hold(&req->mem, page_release, p)) return 507;
    p->count = state_page(NULL, &any, PAGE_MOST, p->vm);
    bool written = put_cluster(&markdown, &req->mem, p);
    mem_drop(&req->mem, page_release, p);
    mem_free(&req->mem, p);
    int status = written ? render(req, text_view(&markdown)) : 507;
    text_free(&markdown);
    return status;
}

#else

int report(request *req)
{
    return reply_error(req, 501, "this vmd was built without cmark (libcmark-dev)");
}

#endif
