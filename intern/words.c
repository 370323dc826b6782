/*
 * intern/words.c: the sets of words that come with Ebb, as constants of the library.
 */
#include <ebb/words.h>

EBB_WORDS_DEFINE(ebb_vm_status, 0x40, EBB_VM_STATUS_WORDS);
EBB_WORDS_DEFINE(ebb_node_status, 0x80, EBB_NODE_STATUS_WORDS);
EBB_WORDS_DEFINE(ebb_http_headers, 0x100, EBB_HTTP_HEADER_WORDS);
