/*
 * ebb/words.h: well-known words that come with Ebb: statuses of virtual machines and of nodes, and
 * the names of HTTP's header fields. Name the sets you want in ebb_symtab_params.
 *
 * The numbers of words that are here stay what they are; new ones are added at the end of a set.
 * Header names are in lower case, as HTTP/2 and 3 send them: where they come as HTTP/1 writes them,
 * make the table with fold_case.
 */
#ifndef EBB_WORDS_H
#define EBB_WORDS_H

#include "intern.h"

#ifdef __cplusplus
extern "C" {
#endif

/** The states of a virtual machine's life. */
#define EBB_VM_STATUS_WORDS(X)                                                                     \
    X(EBB_VM_CREATING, "creating")                                                                 \
    X(EBB_VM_STARTING, "starting")                                                                 \
    X(EBB_VM_RUNNING, "running")                                                                   \
    X(EBB_VM_STOPPING, "stopping")                                                                 \
    X(EBB_VM_STOPPED, "stopped")                                                                   \
    X(EBB_VM_FAILED, "failed")

/** The roles of a node in a cluster that elects a leader. */
#define EBB_NODE_STATUS_WORDS(X)                                                                   \
    X(EBB_NODE_LEADER, "leader")                                                                   \
    X(EBB_NODE_FOLLOWER, "follower")                                                               \
    X(EBB_NODE_CANDIDATE, "candidate")                                                             \
    X(EBB_NODE_LEARNER, "learner")                                                                 \
    X(EBB_NODE_INITIALIZING, "initializing")                                                       \
    X(EBB_NODE_READY, "ready")

/** The names of HTTP's header fields that most requests and answers are made of. */
#define EBB_HTTP_HEADER_WORDS(X)                                                                   \
    X(EBB_HTTP_ACCEPT, "accept")                                                                   \
    X(EBB_HTTP_ACCEPT_CHARSET, "accept-charset")                                                   \
    X(EBB_HTTP_ACCEPT_ENCODING, "accept-encoding")                                                 \
    X(EBB_HTTP_ACCEPT_LANGUAGE, "accept-language")                                                 \
    X(EBB_HTTP_ACCEPT_RANGES, "accept-ranges")                                                     \
    X(EBB_HTTP_ACCESS_CONTROL_ALLOW_CREDENTIALS, "access-control-allow-credentials")               \
    X(EBB_HTTP_ACCESS_CONTROL_ALLOW_HEADERS, "access-control-allow-headers")                       \
    X(EBB_HTTP_ACCESS_CONTROL_ALLOW_METHODS, "access-control-allow-methods")                       \
    X(EBB_HTTP_ACCESS_CONTROL_ALLOW_ORIGIN, "access-control-allow-origin")                         \
    X(EBB_HTTP_ACCESS_CONTROL_EXPOSE_HEADERS, "access-control-expose-headers")                     \
    X(EBB_HTTP_ACCESS_CONTROL_MAX_AGE, "access-control-max-age")                                   \
    X(EBB_HTTP_ACCESS_CONTROL_REQUEST_HEADERS, "access-control-request-headers")                   \
    X(EBB_HTTP_ACCESS_CONTROL_REQUEST_METHOD, "access-control-request-method")                     \
    X(EBB_HTTP_AGE, "age")                                                                         \
    X(EBB_HTTP_ALLOW, "allow")                                                                     \
    X(EBB_HTTP_ALT_SVC, "alt-svc")                                                                 \
    X(EBB_HTTP_AUTHORIZATION, "authorization")                                                     \
    X(EBB_HTTP_CACHE_CONTROL, "cache-control")                                                     \
    X(EBB_HTTP_CONNECTION, "connection")                                                           \
    X(EBB_HTTP_CONTENT_DISPOSITION, "content-disposition")                                         \
    X(EBB_HTTP_CONTENT_ENCODING, "content-encoding")                                               \
    X(EBB_HTTP_CONTENT_LANGUAGE, "content-language")                                               \
    X(EBB_HTTP_CONTENT_LENGTH, "content-length")                                                   \
    X(EBB_HTTP_CONTENT_LOCATION, "content-location")                                               \
    X(EBB_HTTP_CONTENT_RANGE, "content-range")                                                     \
    X(EBB_HTTP_CONTENT_SECURITY_POLICY, "content-security-policy")                                 \
    X(EBB_HTTP_CONTENT_TYPE, "content-type")                                                       \
    X(EBB_HTTP_COOKIE, "cookie")                                                                   \
    X(EBB_HTTP_DATE, "date")                                                                       \
    X(EBB_HTTP_DNT, "dnt")                                                                         \
    X(EBB_HTTP_ETAG, "etag")                                                                       \
    X(EBB_HTTP_EXPECT, "expect")                                                                   \
    X(EBB_HTTP_EXPIRES, "expires")                                                                 \
    X(EBB_HTTP_FORWARDED, "forwarded")                                                             \
    X(EBB_HTTP_FROM, "from")                                                                       \
    X(EBB_HTTP_HOST, "host")                                                                       \
    X(EBB_HTTP_IF_MATCH, "if-match")                                                               \
    X(EBB_HTTP_IF_MODIFIED_SINCE, "if-modified-since")                                             \
    X(EBB_HTTP_IF_NONE_MATCH, "if-none-match")                                                     \
    X(EBB_HTTP_IF_RANGE, "if-range")                                                               \
    X(EBB_HTTP_IF_UNMODIFIED_SINCE, "if-unmodified-since")                                         \
    X(EBB_HTTP_KEEP_ALIVE, "keep-alive")                                                           \
    X(EBB_HTTP_LAST_MODIFIED, "last-modified")                                                     \
    X(EBB_HTTP_LINK, "link")                                                                       \
    X(EBB_HTTP_LOCATION, "location")                                                               \
    X(EBB_HTTP_MAX_FORWARDS, "max-forwards")                                                       \
    X(EBB_HTTP_ORIGIN, "origin")                                                                   \
    X(EBB_HTTP_PRAGMA, "pragma")                                                                   \
    X(EBB_HTTP_PRIORITY, "priority")                                                               \
    X(EBB_HTTP_PROXY_AUTHENTICATE, "proxy-authenticate")                                           \
    X(EBB_HTTP_PROXY_AUTHORIZATION, "proxy-authorization")                                         \
    X(EBB_HTTP_RANGE, "range")                                                                     \
    X(EBB_HTTP_REFERER, "referer")                                                                 \
    X(EBB_HTTP_REFERRER_POLICY, "referrer-policy")                                                 \
    X(EBB_HTTP_RETRY_AFTER, "retry-after")                                                         \
    X(EBB_HTTP_SEC_FETCH_DEST, "sec-fetch-dest")                                                   \
    X(EBB_HTTP_SEC_FETCH_MODE, "sec-fetch-mode")                                                   \
    X(EBB_HTTP_SEC_FETCH_SITE, "sec-fetch-site")                                                   \
    X(EBB_HTTP_SEC_FETCH_USER, "sec-fetch-user")                                                   \
    X(EBB_HTTP_SERVER, "server")                                                                   \
    X(EBB_HTTP_SERVER_TIMING, "server-timing")                                                     \
    X(EBB_HTTP_SET_COOKIE, "set-cookie")                                                           \
    X(EBB_HTTP_STRICT_TRANSPORT_SECURITY, "strict-transport-security")                             \
    X(EBB_HTTP_TE, "te")                                                                           \
    X(EBB_HTTP_TRAILER, "trailer")                                                                 \
    X(EBB_HTTP_TRANSFER_ENCODING, "transfer-encoding")                                             \
    X(EBB_HTTP_UPGRADE, "upgrade")                                                                 \
    X(EBB_HTTP_UPGRADE_INSECURE_REQUESTS, "upgrade-insecure-requests")                             \
    X(EBB_HTTP_USER_AGENT, "user-agent")                                                           \
    X(EBB_HTTP_VARY, "vary")                                                                       \
    X(EBB_HTTP_VIA, "via")                                                                         \
    X(EBB_HTTP_WWW_AUTHENTICATE, "www-authenticate")                                               \
    X(EBB_HTTP_X_CONTENT_TYPE_OPTIONS, "x-content-type-options")                                   \
    X(EBB_HTTP_X_FORWARDED_FOR, "x-forwarded-for")                                                 \
    X(EBB_HTTP_X_FORWARDED_HOST, "x-forwarded-host")                                               \
    X(EBB_HTTP_X_FORWARDED_PROTO, "x-forwarded-proto")                                             \
    X(EBB_HTTP_X_FRAME_OPTIONS, "x-frame-options")                                                 \
    X(EBB_HTTP_X_REAL_IP, "x-real-ip")                                                             \
    X(EBB_HTTP_X_REQUEST_ID, "x-request-id")                                                       \
    X(EBB_HTTP_X_REQUESTED_WITH, "x-requested-with")                                               \
    X(EBB_HTTP_TRACEPARENT, "traceparent")                                                         \
    X(EBB_HTTP_TRACESTATE, "tracestate")

EBB_API extern const ebb_words ebb_vm_status, ebb_node_status, ebb_http_headers;

EBB_WORDS_DECLARE(ebb_vm_status, 0x40, EBB_VM_STATUS_WORDS);
EBB_WORDS_DECLARE(ebb_node_status, 0x80, EBB_NODE_STATUS_WORDS);
EBB_WORDS_DECLARE(ebb_http_headers, 0x100, EBB_HTTP_HEADER_WORDS);

#ifdef __cplusplus
}
#endif
#endif /* EBB_WORDS_H */
