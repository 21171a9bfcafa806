/*
 * janua.h - the C interface of Janua, the authentication core that is built into the door.
 *
 * A server or a service loads the library into its own process, hands it a request and gets a
 * decision. There are two levels, and each is complete without the other:
 *
 *   - janua_decide: request in, decision out. Profiles (data files) know the wire protocols.
 *   - The primitives, for a host with a protocol of its own: parse, password, session, token.
 *
 * Generated from src/ffi and the enums of src/base and src/engine: do not edit. Compiles as C99
 * and as C++11. Link with -ljanua; the soname is libjanua.so.<JANUA_ABI>.
 *
 * The six rules. They hold for every function and are said only here.
 *
 *  1. STATUS.   A function that can fail returns janua_status: 0 is success, negative is failure.
 *               A wrong password is no failure: it is an outcome. Outputs are written only on
 *               success. There are two exceptions: JANUA_E_TOO_SMALL writes the length needed, and
 *               janua_decide writes a decision that denies whenever it fails. The last argument
 *               of most functions, janua_error *err, may be NULL; it is written only on failure.
 *  2. OWNER.    What _new gives, the _free of the same noun takes, once; free(NULL) does nothing.
 *               A child keeps its parent alive (a site its engine, a decision its site), so the
 *               order in which things are freed does not matter.
 *  3. VIEWS.    A janua_str is a pointer and a length, not NUL-terminated. NULL with length 0 is
 *               the empty text; NULL with another length is JANUA_E_NULL. Views handed in stay
 *               unchanged until the call returns, are not kept, and may be handed to a later call
 *               on another thread. Views handed out live as long as the object they came from.
 *  4. THREADS.  An object whose pointer is const may be used by any number of threads at once.
 *               Any other object belongs to one thread at a time, but not always the same one.
 *  5. FORK.     Building an engine opens nothing and starts nothing. Each process attaches after
 *               its last fork. An engine that was attached before a fork answers JANUA_E_FORK in
 *               the child until the child attaches; the parent notices nothing.
 *  6. WAITING.  With JANUA_FAST nothing is hashed, nothing waits and no store is written; where
 *               that would be needed the answer is "would block", and nothing was counted,
 *               touched or audited. Without the flag a call may take as long as a password hash,
 *               a lock of the store or the host's own callbacks take. There is no thread of
 *               ours: what is due by the clock happens in janua_maintain.
 *
 * Structs begin with their size: set it to sizeof before the call and zero the rest, as in
 * "janua_error err = { sizeof err };". A struct from an older header is shorter, and what it lacks
 * counts as zero. A struct from a newer header is longer, and is refused (JANUA_E_INVALID) unless
 * what this library does not know is zero. Lengths are bytes. Texts are UTF-8 unless they are said
 * to be bytes. Times are Unix seconds. Flags that are not defined here are refused.
 *
 * Callbacks that the host provides come in tables. A table is copied, its destroy runs exactly
 * once, and an answer that is not listed counts as a failure. A callback must not unwind
 * (longjmp, exceptions) and must not call back into an engine: on the same thread that is refused
 * with JANUA_E_INVALID, on another it may wait for ever.
 *
 * A panic is a bug in this library. It never crosses this interface: the call returns
 * JANUA_E_PANIC and its outputs deny. The first call installs a panic hook in the library's own
 * copy of the Rust runtime, which writes one line with the place, never the message, to stderr,
 * and only for panics inside a call of this interface. A host that links the static library into
 * another Rust program shares that runtime: there all other panics go to the hook that stood
 * before. Running out of memory or of stack ends the process, as everywhere.
 */
#ifndef JANUA_H
#define JANUA_H

#include <stddef.h>
#include <stdint.h>

/* The ABI this header speaks, and the soname's number. Raised only when a program that was compiled
 * against an older header would break; growing structs and new functions do not raise it. */
#define JANUA_ABI 0

/* A view of a string literal: janua_config_set(config, JANUA_STR("store.kind"), ...). */
#ifdef __cplusplus
#define JANUA_STR(literal) (janua_str{ "" literal, sizeof(literal) - 1 })
#else
#define JANUA_STR(literal) ((janua_str){ "" literal, sizeof(literal) - 1 })
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* ------------------------------------------------------------------------------------ Basics */

/* Status numbers. Stable: a number is never given another meaning. */
#define JANUA_OK                               0 /* Success. */
#define JANUA_E_NULL                        (-1) /* A required pointer was NULL, or NULL came with a length. */
#define JANUA_E_INVALID                     (-2) /* An argument or a setting is wrong. */
#define JANUA_E_ABI                         (-3) /* Header and library do not match. */
#define JANUA_E_TOO_SMALL                   (-4) /* The buffer is too small; the length needed was written. */
#define JANUA_E_NOT_FOUND                   (-5) /* No such session, key or user. */
#define JANUA_E_MALFORMED                   (-6) /* The input could not be parsed. */
#define JANUA_E_UNAVAILABLE                 (-7) /* Store, directory or keyring did not answer. */
#define JANUA_E_FORK                        (-8) /* This process has not attached the engine. */
#define JANUA_E_RANDOM                      (-9) /* The system gave no random bytes. */
#define JANUA_E_REFUSED                    (-10) /* The proof was good once but has ended, was revoked, or is not for here. */
#define JANUA_E_WOULD_BLOCK                (-11) /* Slow work is due and JANUA_FAST forbids it. */
#define JANUA_E_BUSY                       (-12) /* As much of this kind of work as is allowed is under way; try again later. */
#define JANUA_E_PANIC                      (-99) /* A bug in this library; deny. */

/* Reasons: why a decision fell as it did. Stable: a number is never given another meaning. */
#define JANUA_REASON_UNDECIDED                 0 /* Nothing was decided yet; a zeroed decision says this, and denies. */
#define JANUA_REASON_PROVEN                    1 /* The proof was good. */
#define JANUA_REASON_OPEN                      2 /* Nothing needed to be proven here. */
#define JANUA_REASON_LOGGED_OUT                3 /* A log-out was carried out (or there was nothing to log out). */
#define JANUA_REASON_LOGGED_IN                 4 /* A new session or token was made. */
#define JANUA_REASON_MALFORMED               100 /* The request or its credential is not well-formed. */
#define JANUA_REASON_DUPLICATE               101 /* A value that may stand once stands twice. */
#define JANUA_REASON_SEVERAL                 102 /* Two proofs where one is allowed. */
#define JANUA_REASON_INCOMPLETE              103 /* A credential lacks a part. */
#define JANUA_REASON_UNREADABLE              104 /* The body could not be read as what it says it is. */
#define JANUA_REASON_TOO_LARGE               105 /* The body, a header or a value is longer than allowed. */
#define JANUA_REASON_PATH_AMBIGUOUS          106 /* The path means one thing as received and another as routed. */
#define JANUA_REASON_CONNECTION_HEADER       107 /* Connection names a header that Janua sets or reads. */
#define JANUA_REASON_OVERRIDE                108 /* A method or path override where none is allowed, or a forbidden one. */
#define JANUA_REASON_BODY_ENCODING           109 /* The body is encoded (Content-Encoding) or not in UTF-8. */
#define JANUA_REASON_MISSING                 200 /* No proof was offered and one is needed. */
#define JANUA_REASON_WRONG_PASSWORD          201 /* The password is wrong. */
#define JANUA_REASON_UNKNOWN_USER            202 /* No such user. */
#define JANUA_REASON_DISABLED                203 /* The user is disabled. */
#define JANUA_REASON_PENDING                 204 /* The user is not activated yet. */
#define JANUA_REASON_WRONG_TENANT            205 /* The user does not belong to the tenant asked for, or there is no such tenant. */
#define JANUA_REASON_PASSWORD_TOO_LONG       206 /* The password is longer than its hash can tell apart, or than is allowed at all. */
#define JANUA_REASON_THROTTLED               207 /* Too many failures: refused without looking at the password. */
#define JANUA_REASON_HASH_NOT_ALLOWED        208 /* The stored hash is of a kind the configuration does not allow, or cannot be read. */
#define JANUA_REASON_WRONG_KEY               209 /* The key (an API key, a pre-shared key) is unknown, expired or wrong. */
#define JANUA_REASON_SESSION_UNKNOWN         300 /* No session of this id. */
#define JANUA_REASON_SESSION_IDLE            301 /* The session was idle too long. */
#define JANUA_REASON_SESSION_ENDED           302 /* The session reached its absolute end. */
#define JANUA_REASON_SESSION_REVOKED         303 /* The session was revoked: log-out, log out everywhere, disabled, password change. */
#define JANUA_REASON_COMPANION_MISSING       304 /* The session has a companion cookie that did not come with it. */
#define JANUA_REASON_SESSION_CONFLICT        305 /* Two valid sessions of different users in one request. */
#define JANUA_REASON_SESSION_MALFORMED       306 /* A session id of the wrong form. */
#define JANUA_REASON_TOKEN_MALFORMED         310 /* Not a token of ours: length, alphabet, version. */
#define JANUA_REASON_TOKEN_FOREIGN           311 /* A token of a key that is not in the ring, or retired. */
#define JANUA_REASON_TOKEN_FORGED            312 /* The seal does not hold: changed, or made for another site, profile or purpose. */
#define JANUA_REASON_TOKEN_EXPIRED           313 /* The token has ended. */
#define JANUA_REASON_TOKEN_REVOKED           314 /* The token was revoked. */
#define JANUA_REASON_TOKEN_FUTURE            315 /* The token was issued in the future. */
#define JANUA_REASON_TOKEN_TENANT            316 /* The token is for another tenant. */
#define JANUA_REASON_FORBIDDEN               400 /* Proven, but lacks the role. */
#define JANUA_REASON_CROSS_SITE              401 /* A request that another site made the browser send. */
#define JANUA_REASON_NEEDS_TLS               402 /* A cookie login that did not arrive over TLS while secure = true. */
#define JANUA_REASON_OCCUPIED                403 /* Another user is logged in on this session. */
#define JANUA_REASON_NO_SESSION_ID           404 /* A log-out by a token that carries no session id. */
#define JANUA_REASON_TENANT_NEEDED           405 /* A tenant is needed and none was named or proven. */
#define JANUA_REASON_TENANT_AMBIGUOUS        406 /* The name fits several tenants. */
#define JANUA_REASON_BAD_EXPIRY              407 /* The expiry asked for is not a time, or lies in the past. */
#define JANUA_REASON_NO_ENDPOINT             408 /* The profile has nothing at this path and method. */
#define JANUA_REASON_BUSY                    500 /* All hashing places are taken; try again. */
#define JANUA_REASON_STORE_UNAVAILABLE       501 /* The store did not answer. */
#define JANUA_REASON_DIRECTORY_UNAVAILABLE   502 /* The directory did not answer. */
#define JANUA_REASON_NOT_ATTACHED            503 /* This process has not attached the engine. */
#define JANUA_REASON_NO_RANDOM               504 /* The system gave no random bytes. */
#define JANUA_REASON_RENDER_FAILED           505 /* An answer could not be rendered. */
#define JANUA_REASON_PANIC                   599 /* A bug in this library. */

/** The status of a call: JANUA_OK or one of the JANUA_E_ numbers. */
typedef int32_t janua_status;

/** A view of `len` bytes (rule 3). */
typedef struct {
    const char *ptr;
    size_t len;
} janua_str;

/** One header line. Pairs travel in arrays, so this struct never grows. */
typedef struct {
    /** The name as received, without the colon. */
    janua_str name;
    /** The value without surrounding blanks. */
    janua_str value;
} janua_header;

/**
 * Why a call failed. It lives on the caller's stack, there is nothing to free, and it never holds
 * a secret. There is no "last error" anywhere else.
 */
typedef struct {
    /** sizeof(janua_error). */
    size_t size;
    /** What the call returned. */
    janua_status status;
    /** One of the JANUA_REASON_ numbers where one applies, else 0. */
    uint32_t reason;
    /** A sentence that names the cause and the mend; ends in NUL, cut where it does not fit. */
    char message[252];
} janua_error;

/**
 * The version of the library that was loaded, such as "0.1.0".
 *
 * *Returns*: a static text that ends in NUL. *Blocks*: no. *Since*: 0.1.0.
 */
const char *janua_version(void);

/**
 * The ABI of the library that was loaded. janua_config_new compares it with the header's
 * JANUA_ABI; only a host that loads the library by name (dlopen) needs to ask earlier.
 *
 * *Returns*: JANUA_ABI of the library. *Blocks*: no. *Since*: 0.1.0.
 */
uint32_t janua_abi(void);

/**
 * The name of a status, such as "JANUA_E_FORK", for logs.
 *
 * *Returns*: a static text that ends in NUL; empty for a number that is no status. *Blocks*: no.
 * *Since*: 0.1.0.
 */
const char *janua_status_name(janua_status status);

/**
 * The stable name of a reason, such as "session-idle": what logs and alerts should be made of.
 * Never send it to the client: the decision's body is as vague as it has to be.
 *
 * *Returns*: a static text that ends in NUL; empty for a number that is no reason. *Blocks*: no.
 * *Since*: 0.1.0.
 */
const char *janua_reason_name(uint32_t reason);

/* ----------------------------------------------------------------------------- Configuration */

/**
 * A configuration in the making: one TOML file or text, settings on top of it, and the host's
 * callbacks. It belongs to one thread, and builds one engine. To change anything later, build a
 * new engine from a new configuration and free the old one when the new one stands.
 */
typedef struct janua_config janua_config;

/**
 * Makes an empty configuration. `abi` is always JANUA_ABI: it tells the library which header the
 * host was compiled with.
 *
 * *Returns*: JANUA_OK and the object in `out`; JANUA_E_ABI when header and library do not match;
 * JANUA_E_NULL. *Blocks*: no. *Since*: 0.1.0.
 */
janua_status janua_config_new(uint32_t abi, janua_config **out, janua_error *err);

/**
 * Reads the TOML file at `path`. Relative paths inside it count from the file's folder. What an
 * earlier call said about the same keys is replaced. Nothing that the file names is opened yet.
 *
 * *Returns*: JANUA_OK; JANUA_E_INVALID with a message that names file, line, key and the nearest
 * key known; JANUA_E_NOT_FOUND or JANUA_E_UNAVAILABLE when the file cannot be read; JANUA_E_NULL.
 * *Blocks*: reads the file. *Since*: 0.1.0.
 */
janua_status janua_config_read_file(janua_config *config, janua_str path, janua_error *err);

/**
 * Reads the same TOML from a text in memory. `name` stands in error messages where a file's name
 * would; relative paths count from `folder`, and from the working directory when that is empty.
 *
 * *Returns*: JANUA_OK; JANUA_E_INVALID as janua_config_read_file says; JANUA_E_NULL.
 * *Blocks*: no. *Since*: 0.1.0.
 */
janua_status janua_config_read_text(janua_config *config,
                                    janua_str name,
                                    janua_str text,
                                    janua_str folder,
                                    janua_error *err);

/**
 * Sets one key, such as "session.idle" to "10m". Wins over the file, whichever came first.
 *
 * *Returns*: JANUA_OK; JANUA_E_INVALID for a key that does not exist (with the nearest one) or a
 * value that does not fit it; JANUA_E_NULL. *Blocks*: no. *Since*: 0.1.0.
 */
janua_status janua_config_set(janua_config *config,
                              janua_str key,
                              janua_str value,
                              janua_error *err);

/**
 * Frees a configuration, built or not. Inside a callback it does nothing.
 *
 * *Returns*: nothing. *Blocks*: for the `destroy` of callbacks that no engine took.
 * *Since*: 0.1.0.
 */
void janua_config_free(janua_config *config);

/* --------------------------------------------------------------------------- Engine and site */

/**
 * Of a site: a request without proof is allowed, without a principal. A bad proof is still refused, and so is nobody
 * at all where the profile needs a role.
 */
#define JANUA_SITE_OPTIONAL 1

/**
 * Keys, store, directory and throttle: one for each configuration in a process, shared by any
 * number of threads, never changed after it was built. Sites are its children.
 */
typedef struct janua_engine janua_engine;

/** One profile under one path prefix of an engine; any number of threads, never changed. */
typedef struct janua_site janua_site;

/**
 * Builds an engine: reads the files that the configuration names, compiles the profiles and checks
 * everything against everything. Opens no store, starts nothing, so that a parent process may build
 * before it forks. The configuration gives away what it holds, whether this succeeds or not: it
 * can only be freed afterwards.
 *
 * *Returns*: JANUA_OK and the engine in `out`; JANUA_E_INVALID, JANUA_E_NOT_FOUND or
 * JANUA_E_UNAVAILABLE with a message that names the cause and the mend; JANUA_E_RANDOM;
 * JANUA_E_NULL. *Blocks*: reads files. *Since*: 0.1.0.
 */
janua_status janua_engine_new(janua_config *config, janua_engine **out, janua_error *err);

/**
 * Asks whether the configured store can serve that many worker processes. Call it before workers
 * are forked: the memory store serves one, and refuses two here instead of losing log-ins later;
 * the shared store serves any number on one machine.
 *
 * *Returns*: JANUA_OK; JANUA_E_INVALID with the setting to change; JANUA_E_NULL. *Blocks*: no.
 * *Since*: 0.1.0.
 */
janua_status janua_engine_check_workers(const janua_engine *engine,
                                        uint32_t workers,
                                        janua_error *err);

/**
 * Prepares this process: opens the store, reads the keyring where that is in the store (the first
 * process makes it), draws this process's keys. Once in each process that
 * decides, after its last fork; calling it again does nothing. Until then every other call on the
 * engine and its sites answers JANUA_E_FORK.
 *
 * *Returns*: JANUA_OK; JANUA_E_UNAVAILABLE when the store cannot be opened, and JANUA_E_INVALID when
 * its folder is open to other users or holds something else, or a keyring that the master key does
 * not open, with a message that names the mend;
 * JANUA_E_FORK when the process that this one was forked from had the store in use (the memory store:
 * copies that no log-out would reach; the shared store: attach after the last fork); JANUA_E_RANDOM;
 * JANUA_E_NULL. *Blocks*: opens the store. *Since*: 0.1.0.
 */
janua_status janua_engine_attach(const janua_engine *engine,
                                 janua_error *err);

/**
 * Does what is due by the clock: follows changed keys and users, rotates a keyring in the store,
 * sweeps ended sessions a few at a time, follows the system's clock. Call it about every second from one thread that may wait, and
 * soon after a decision asked for it (`followup`). It stops after about `budget_us` microseconds
 * and goes on where it stopped at the next call. A host that never calls it stays safe: ends are
 * judged at each check, not by sweeping.
 *
 * *Returns*: JANUA_OK; JANUA_E_UNAVAILABLE when a file or the store did not answer; JANUA_E_INVALID
 * for a file or a keyring that is wrong, JANUA_E_REFUSED for a keyring that is older than the one in force or
 * another one (what was read last stays in force each time); JANUA_E_FORK; JANUA_E_NULL. *Blocks*: may wait. *Since*: 0.1.0.
 */
janua_status janua_maintain(const janua_engine *engine,
                            uint32_t budget_us,
                            janua_error *err);

/**
 * The names of headers that no request may bring in from outside, since the application trusts
 * them. Remove them from **every** request, protected or not, trailers included, before
 * anything is set from a decision. The names are canonical: lower case, every byte outside [a-z0-9]
 * as `_`. Compare in that form, or `X.User` reaches an application that reads `X-User`.
 *
 * *Returns*: JANUA_OK, the array in `names` and its length in `count`; both live as long as the
 * engine; JANUA_E_NULL. *Blocks*: no. *Since*: 0.1.0.
 */
janua_status janua_strip_list(const janua_engine *engine, const janua_str **names, size_t *count);

/**
 * Ends all sessions, tokens and remembered passwords of a principal (its id) that were made before
 * now: "log out everywhere". In force when the call returns. Disable the user or change the
 * password first: a log-in that was under way with the old one is then dead too.
 *
 * *Returns*: JANUA_OK, also when there was nothing to end; JANUA_E_UNAVAILABLE when the store did
 * not answer, and then nothing is promised; JANUA_E_INVALID for an empty principal; JANUA_E_FORK;
 * JANUA_E_NULL. *Blocks*: writes the store. *Since*: 0.1.0.
 */
janua_status janua_revoke_principal(const janua_engine *engine,
                                    janua_str principal,
                                    janua_error *err);

/**
 * How many decisions of this process fell for `reason` (a JANUA_REASON_ number): what a metrics
 * page shows. The number only grows, and begins at 0 with the engine.
 *
 * *Returns*: the count; 0 for NULL and for a number that is no reason. *Blocks*: no.
 * *Since*: 0.1.0.
 */
uint64_t janua_engine_count(const janua_engine *engine, uint32_t reason);

/**
 * How many sessions are alive in the store, as this process sees it.
 *
 * *Returns*: the count; 0 for NULL. *Blocks*: no. *Since*: 0.1.0.
 */
uint64_t janua_engine_sessions(const janua_engine *engine);

/**
 * Frees the engine's handle. What it holds goes when its last site and decision are freed too; a
 * decision under way on another thread by way of a site is not disturbed. Inside a callback it
 * does nothing.
 *
 * *Returns*: nothing. *Blocks*: closes the store; waits for the callbacks' `destroy`.
 * *Since*: 0.1.0.
 */
void janua_engine_free(janua_engine *engine);

/**
 * Makes a site: `profile` (a built-in's name, or the path of a file that ends in .toml) speaks
 * below the path `prefix`. What is empty is taken from the configuration; the prefix "/" is the
 * whole host. `flags` is 0 or JANUA_SITE_OPTIONAL. Sites may be made and freed at any time, also
 * before janua_engine_attach.
 *
 * *Returns*: JANUA_OK and the site in `out`; JANUA_E_INVALID for a prefix or a flag that cannot be,
 * or a profile that does not compile; JANUA_E_NOT_FOUND for a profile that does not exist;
 * JANUA_E_NULL. *Blocks*: may read the profile's file. *Since*: 0.1.0.
 */
janua_status janua_site_new(const janua_engine *engine,
                            janua_str profile,
                            janua_str prefix,
                            uint32_t flags,
                            janua_site **out,
                            janua_error *err);

/**
 * Frees a site. Inside a callback it does nothing.
 *
 * *Returns*: nothing. *Blocks*: as janua_engine_free, when it was the last of its engine.
 * *Since*: 0.1.0.
 */
void janua_site_free(janua_site *site);

/* ---------------------------------------------------------------------------------- Deciding */

/* Outcomes of a decision. Stable: a number is never given another meaning. */
#define JANUA_DENY                             0 /* Refuse, with the status, headers and body given. */
#define JANUA_ALLOW                            1 /* Pass on, with the headers set inward. */
#define JANUA_ANSWER                           2 /* Send this complete answer. */
#define JANUA_NEED_BODY                        3 /* Ask again with at most body_limit bytes of the body; once. */
#define JANUA_WOULD_BLOCK                      4 /* Only when asked to be fast: ask again from a thread that may wait. */

/* What WOULD_BLOCK waits for. Stable: a number is never given another meaning. */
#define JANUA_WAIT_NONE                        0 /* Nothing. */
#define JANUA_WAIT_HASH                        1 /* A password hash: tens of milliseconds of one core. */
#define JANUA_WAIT_STORE                       2 /* The store, the directory or the keyring. */
#define JANUA_WAIT_TICKET                      3 /* A Kerberos or NTLM ticket. */

/** Of a call: never hash, wait or write a store (rule 6). For event loops. */
#define JANUA_FAST 1

/** Of a request: it arrived over TLS, at this server or as a trusted proxy says. */
#define JANUA_REQUEST_SECURE 1

/** Of a request: `body` is the whole body, maybe empty. */
#define JANUA_REQUEST_BODY_GIVEN 2

/**
 * Of a request: the body is longer than the limit that JANUA_NEED_BODY named, and was not read.
 */
#define JANUA_REQUEST_BODY_TOO_LARGE 4

/**
 * A request as the host sees it. All texts are bytes as received; nothing is copied or kept.
 *
 * Hand over all headers, in order, repeated ones repeated, before the host changes any: what is
 * left out cannot be judged. At most 1024; with more than 96 a call allocates.
 */
typedef struct {
    /** sizeof(janua_request). */
    size_t size;
    /** JANUA_REQUEST_ flags. */
    uint32_t flags;
    janua_str method;
    /**
     * The path as the host routed it: decoded, dots resolved. This is what the application is
     * going to see.
     */
    janua_str path;
    /**
     * The path as received, before any decoding, without the query; empty when there is none, as
     * after an internal redirect. Where the two readings differ, the request is refused.
     */
    janua_str raw_path;
    /** What follows the first `?`, as received. */
    janua_str query;
    /**
     * The peer's address as text, without a port; `unix:` for a Unix socket. Trusted proxies are the
     * engine's business.
     */
    janua_str client;
    /** With JANUA_REQUEST_BODY_GIVEN. The bytes judged must be the bytes forwarded. */
    janua_str body;
    const janua_header *headers;
    size_t headers_len;
} janua_request;

/**
 * What the host is to do with the request: JANUA_DENY, JANUA_ALLOW, JANUA_ANSWER, JANUA_NEED_BODY or
 * JANUA_WOULD_BLOCK. Treat a number you do not know as JANUA_DENY.
 */
typedef int32_t janua_outcome;

/**
 * The engine's word on a request. A zeroed one denies.
 *
 * Set `size`, zero the rest, call janua_decide, use the views, and give it to janua_decision_clear.
 * The views live until then. A copy of the struct moves the ownership: clear one of the two.
 */
typedef struct {
    /** sizeof(janua_decision). */
    size_t size;
    janua_outcome outcome;
    /** A JANUA_REASON_ number, for logs; never for the client. */
    uint32_t reason;
    /** The status of JANUA_DENY and JANUA_ANSWER, else 0. */
    uint16_t http_status;
    /**
     * Of JANUA_WOULD_BLOCK: a JANUA_WAIT_ number, so that a host may keep a pool of threads for each.
     */
    uint16_t wait_class;
    /** 1: call janua_maintain soon. */
    uint32_t followup;
    /**
     * Send the answer no sooner than after so many milliseconds (0 with stores of one machine).
     */
    uint32_t hold_ms;
    /**
     * Of JANUA_NEED_BODY: the most bytes the engine will look at. Compare with Content-Length
     * before reading.
     */
    size_t body_limit;
    /** Who was proven: the user's id in the directory; empty when nobody was. */
    janua_str principal;
    /** The principal's roles, separated by commas. */
    janua_str roles;
    /** The tenant's id, or empty. */
    janua_str tenant;
    /** A reference to the session, fit for logs: it cannot be used as the session. */
    janua_str session_ref;
    /**
     * Method and path as matched, after overrides. A host that authorises by itself must do so on
     * these, not on what it parsed itself.
     */
    janua_str method;
    janua_str path;
    /**
     * The path as it may stand in a log: where a segment may be a session's id that is asked about,
     * the profile's name for it stands in its place.
     */
    janua_str log_path;
    /**
     * Of JANUA_ALLOW: the query to pass on: as received, without the parameters that carried a
     * credential.
     */
    janua_str query;
    /** The name of the profile's endpoint, for logs. */
    janua_str endpoint;
    /**
     * Of JANUA_ALLOW: headers to remove from the request, by name in the form of janua_strip_list.
     * All of that list, and the headers that carried credentials: what was proven here is of no use
     * further in. Cookies of others come back in set_inward.
     */
    const janua_str *strip;
    size_t strip_len;
    /** Of JANUA_ALLOW: headers to set on the request, after those were removed. */
    const janua_header *set_inward;
    size_t set_inward_len;
    /** Headers to add to the answer, whoever makes it; cookies first. A name may repeat. */
    const janua_header *response;
    size_t response_len;
    /** The body of JANUA_DENY and JANUA_ANSWER; its type is among the headers. */
    janua_str body;
    /** Private: what the views live in. */
    void *owner;
} janua_decision;

/**
 * Decides on a request. The same request is handed over again, unchanged but for the body and the
 * flags, after JANUA_NEED_BODY (once) and after JANUA_WOULD_BLOCK (from a thread that may wait,
 * without JANUA_FAST).
 *
 * `out` is written from `size` on, whatever stood in it: clear it before it is used again. When the
 * call fails, `out` is a decision as well: it denies with 500 or 503, and owns nothing.
 *
 * *Returns*: JANUA_OK and the decision in `out`, also when that refuses; JANUA_E_FORK when this
 * process has not attached; JANUA_E_UNAVAILABLE when nothing could be decided; JANUA_E_INVALID for
 * flags, sizes or a header array that cannot be; JANUA_E_NULL. *Blocks*: not with JANUA_FAST.
 * *Since*: 0.1.0.
 */
janua_status janua_decide(const janua_site *site,
                          const janua_request *request,
                          uint32_t flags,
                          janua_decision *out,
                          janua_error *err);

/**
 * Ends a decision: its views are dead, and what may have held a secret is wiped. May be called from
 * any thread, again on a struct that was cleared, on a zeroed struct, and with NULL.
 *
 * *Returns*: nothing; the struct is zeroed but for `size`. *Blocks*: no, unless the decision was
 * the last of its engine (see janua_engine_free). *Since*: 0.1.0.
 */
void janua_decision_clear(janua_decision *decision);

/* ------------------------------------------------------------ Primitive: reading credentials */

/** A buffer of this size holds whatever janua_parse_basic may find. */
#define JANUA_BASIC_MAX 1024

/**
 * Reads a Basic credential (RFC 7617) from the value of an Authorization header, scheme included.
 * User and password are decoded into `buf`, where both views point; wipe it after use. A password
 * may hold colons. Bad base64, a missing colon, control bytes and what is not UTF-8 are refused.
 *
 * *Returns*: JANUA_OK; JANUA_E_MALFORMED for another scheme or a broken credential;
 * JANUA_E_TOO_SMALL (JANUA_BASIC_MAX bytes are always enough); JANUA_E_NULL. *Blocks*: no.
 * *Since*: 0.1.0.
 */
janua_status janua_parse_basic(janua_str header,
                               char *buf,
                               size_t cap,
                               janua_str *user,
                               janua_str *password);

/**
 * Reads a Bearer token (RFC 6750) from the value of an Authorization header, scheme included.
 * The view points into `header`.
 *
 * *Returns*: JANUA_OK; JANUA_E_MALFORMED for another scheme or a token with characters that no
 * token has; JANUA_E_NULL. *Blocks*: no. *Since*: 0.1.0.
 */
janua_status janua_parse_bearer(janua_str header, janua_str *token);

/**
 * Finds the cookie of exactly the name `name` in the value of a Cookie header. `nth` counts from 0:
 * browsers send several cookies of one name, and an attacker on a sister host can add one. Try each
 * (at most the first 4), and let the session decide which is good. The view points into `header`;
 * nothing is percent-decoded.
 *
 * *Returns*: JANUA_OK; JANUA_E_NOT_FOUND when there are not that many; JANUA_E_INVALID for an empty
 * name; JANUA_E_NULL. *Blocks*: no. *Since*: 0.1.0.
 */
janua_status janua_parse_cookie(janua_str header, janua_str name, size_t nth, janua_str *value);

/* ---------------------------------------------------------------------- Primitive: passwords */

/** Verdict on a password: it does not match. 0, so that a forgotten verdict refuses. */
#define JANUA_PASSWORD_WRONG 0

/** Verdict on a password: it matches. */
#define JANUA_PASSWORD_RIGHT 1

/**
 * Verdict on a password: it matches, and the hash is weaker than a new one would be. Make a new one
 * with janua_password_hash and store it, if the old one still stands there.
 */
#define JANUA_PASSWORD_RIGHT_STALE 2

/**
 * Makes an argon2id hash of a password, with a new salt: printable text of about 100 bytes in the
 * usual notation ($argon2id$v=19$...). `len` receives the length; it is not NUL-terminated.
 *
 * The call costs tens of milliseconds and 19 MiB. Nothing limits how many run at once: that is the
 * caller's part here. A site's log-ins have a budget of their own.
 *
 * *Returns*: JANUA_OK; JANUA_E_TOO_SMALL, with the length needed in `len`; JANUA_E_INVALID for a
 * password that is too long or has a NUL byte; JANUA_E_BUSY without memory; JANUA_E_RANDOM;
 * JANUA_E_NULL. *Blocks*: hashes. *Since*: 0.1.0.
 */
janua_status janua_password_hash(janua_str password,
                                 char *buf,
                                 size_t cap,
                                 size_t *len,
                                 janua_error *err);

/**
 * Compares a password with a stored hash: argon2, bcrypt, scrypt, PBKDF2, SHA-256-crypt and
 * SHA-512-crypt in their usual notations. The comparison takes the same time for every password.
 * For a user who does not exist, verify against the hash of some other user, or the time tells.
 *
 * *Returns*: JANUA_OK and one of the JANUA_PASSWORD_ verdicts in `verdict`; JANUA_E_REFUSED, with
 * the reason in `err`, for a hash of a weak or unknown kind and for a password longer than the
 * hash can tell apart (bcrypt: 72 bytes); JANUA_E_INVALID for a hash that is no text; JANUA_E_BUSY
 * without memory; JANUA_E_NULL. *Blocks*: hashes. *Since*: 0.1.0.
 */
janua_status janua_password_verify(janua_str hash,
                                   janua_str password,
                                   int32_t *verdict,
                                   janua_error *err);

/* ----------------------------------------------------------------------- Primitive: sessions */

/** Of janua_session_check: look, but do not count it as a use: "how long have I left?". */
#define JANUA_PEEK 2

/** A buffer of this size holds any session id. */
#define JANUA_SESSION_ID_MAX 256

/**
 * What a session or a token proves. The views point into the caller's buffer, not into this struct.
 */
typedef struct {
    /** sizeof(janua_proof). */
    size_t size;
    /** How much of the buffer is used; with JANUA_E_TOO_SMALL how much is needed. */
    size_t text_len;
    /** The user's id. */
    janua_str principal;
    /** The tenant's id, or empty. */
    janua_str tenant;
    /** A reference to the session, fit for logs; empty for a token without one. */
    janua_str session_ref;
    /** When it was made. */
    int64_t issued;
    /** When it was last used before this check; 0 for tokens. */
    int64_t last_used;
    /** When it ends if it is not used any more; 0 for tokens. */
    int64_t idle_end;
    /** When it ends, whatever happens. Fixed when it was made. */
    int64_t absolute_end;
} janua_proof;

/**
 * Makes a session for a principal whom the host proved itself. The id goes to `buf` and then to the
 * client; the store keeps only a digest of it. `principal` is the user's id, `tenant` may be empty.
 * Always make a new one at a log-in; there is no way to adopt an id.
 *
 * *Returns*: JANUA_OK, the id in `buf` and its length in `len`; JANUA_E_TOO_SMALL unless `cap` is at
 * least JANUA_SESSION_ID_MAX, and then nothing was made; JANUA_E_INVALID for an empty principal or
 * a profile without sessions; JANUA_E_UNAVAILABLE; JANUA_E_RANDOM; JANUA_E_FORK; JANUA_E_NULL.
 * *Blocks*: writes the store; where that puts out another session to make room, it waits until that one
 * is dead everywhere, as long as the answer to a log-out is held. *Since*: 0.1.0.
 */
janua_status janua_session_create(const janua_site *site,
                                  janua_str principal,
                                  janua_str tenant,
                                  char *buf,
                                  size_t cap,
                                  size_t *len,
                                  janua_error *err);

/**
 * Checks a session id. `flags` is 0, JANUA_FAST, JANUA_PEEK or both. Without JANUA_PEEK the check
 * counts as a use and moves the idle end, in steps of at most a minute. The texts of the answer go to
 * `buf`: 512 bytes are plenty.
 *
 * *Returns*: JANUA_OK and the answer in `out`; JANUA_E_NOT_FOUND for an id that is unknown,
 * JANUA_E_REFUSED for one that ended or was revoked, JANUA_E_MALFORMED for what is no id (the
 * reason is in `err`); JANUA_E_UNAVAILABLE when the store did not answer: that is not a "no", keep
 * the client's cookie; JANUA_E_TOO_SMALL with the length in `out->text_len`;
 * JANUA_E_WOULD_BLOCK with JANUA_FAST; JANUA_E_FORK; JANUA_E_INVALID; JANUA_E_NULL.
 * *Blocks*: may read the store; not with JANUA_FAST. *Since*: 0.1.0.
 */
janua_status janua_session_check(const janua_site *site,
                                 janua_str id,
                                 uint32_t flags,
                                 char *buf,
                                 size_t cap,
                                 janua_proof *out,
                                 janua_error *err);

/**
 * Ends a session and the tokens that were made from it: log-out. In force when the call returns, in
 * every process that shares the store.
 *
 * *Returns*: JANUA_OK, also when there was no such session; JANUA_E_UNAVAILABLE when the store did
 * not answer: then the session may still live, so do not tell the user otherwise; JANUA_E_FORK;
 * JANUA_E_NULL. *Blocks*: writes the store. *Since*: 0.1.0.
 */
janua_status janua_session_revoke(const janua_site *site, janua_str id, janua_error *err);

/* ------------------------------------------------------------------------- Primitive: tokens */

/** A buffer of this size holds any token. */
#define JANUA_TOKEN_MAX 1024

/**
 * Seals a token for a principal whom the host proved itself: 199 characters of base64url for usual
 * claims, readable by nobody but the library. It is good only for this site, this profile and the
 * same `purpose` (a word of the host's, such as "download"; "access" makes what janua_decide takes
 * where a profile reads tokens). `tenant` and `session_id` may be empty;
 * only a token with a session id can be revoked by itself. `expires` is Unix seconds; 0, and
 * whatever lies beyond the configured lifetime, means the configured lifetime.
 *
 * *Returns*: JANUA_OK, the token in `buf` and its length in `len`; JANUA_E_TOO_SMALL with the length
 * needed in `len` (JANUA_TOKEN_MAX is always enough); JANUA_E_INVALID for an empty principal or
 * purpose, or an end in the past; JANUA_E_UNAVAILABLE; JANUA_E_RANDOM; JANUA_E_FORK; JANUA_E_NULL.
 * *Blocks*: may read the store. *Since*: 0.1.0.
 */
janua_status janua_token_issue(const janua_site *site,
                               janua_str purpose,
                               janua_str principal,
                               janua_str tenant,
                               janua_str session_id,
                               int64_t expires,
                               char *buf,
                               size_t cap,
                               size_t *len,
                               janua_error *err);

/**
 * Checks a token: the seal, its end, and that neither it nor its principal was revoked. `flags` is 0
 * or JANUA_FAST. The texts of the answer go to `buf`: 512 bytes are plenty. Where a tenant matters,
 * compare the one in the answer with the request's.
 *
 * *Returns*: JANUA_OK and the answer in `out`; JANUA_E_MALFORMED for what is no token of this kind,
 * JANUA_E_REFUSED for a token that is forged, foreign, expired or revoked (the reason is in `err`;
 * tell the client the same for all of them); JANUA_E_UNAVAILABLE when the store did not answer;
 * JANUA_E_TOO_SMALL with the length in `out->text_len`; JANUA_E_WOULD_BLOCK with JANUA_FAST;
 * JANUA_E_FORK; JANUA_E_INVALID; JANUA_E_NULL. *Blocks*: may read the store; not with JANUA_FAST.
 * *Since*: 0.1.0.
 */
janua_status janua_token_check(const janua_site *site,
                               janua_str purpose,
                               janua_str token,
                               uint32_t flags,
                               char *buf,
                               size_t cap,
                               janua_proof *out,
                               janua_error *err);

/**
 * Revokes a token, and every other one of the same principal with the same session id; of a token that
 * a decision made from a session, that session and all that was made from it. In force when the call
 * returns.
 *
 * *Returns*: JANUA_OK; JANUA_E_REFUSED for what is no good token of this purpose, and for a token that
 * carries no session id (end it with janua_revoke_principal); JANUA_E_UNAVAILABLE when the store did
 * not answer: then the token may still be good; JANUA_E_FORK; JANUA_E_NULL. *Blocks*: writes the
 * store. *Since*: 0.1.0.
 */
janua_status janua_token_revoke(const janua_site *site,
                                janua_str purpose,
                                janua_str token,
                                janua_error *err);

/* -------------------------------------------------- Callbacks: the host's directory of users */

/**
 * A user in the making. It lives on the library's stack while `lookup` runs, and nowhere else: do
 * not keep the pointer.
 */
typedef struct janua_user janua_user;

/**
 * The host's directory. `lookup` must be there, the others may be NULL. The callbacks may run on any
 * thread that calls the engine without JANUA_FAST, several at once.
 */
typedef struct {
    /** sizeof(janua_directory). */
    size_t size;
    /** Handed to every callback as it is. */
    void *ctx;
    /**
     * Looks a user up and fills `out` with janua_user_set. `name` is what was typed, in lower case
     * where the profile forgives case, or a principal's id, of which the library remembers the user
     * for a minute: answer both. *Answers*: JANUA_OK; JANUA_E_NOT_FOUND when there is no such user;
     * JANUA_E_UNAVAILABLE when that cannot be told now (the client is asked to come again, and
     * nothing is counted as a guess).
     */
    janua_status (*lookup)(void *ctx, janua_str name, janua_user *out);
    /**
     * Verifies a password, for a directory that gives no hashes (LDAP, a web service); runs instead of
     * comparing with the user's `hash`. It runs for names that `lookup` did not find as well, and is
     * not believed there: let both take as long, or the time tells which names exist. Writes
     * JANUA_PASSWORD_WRONG or JANUA_PASSWORD_RIGHT to `verdict`. *Answers*: JANUA_OK; JANUA_E_NOT_FOUND (refused like a wrong password);
     * JANUA_E_UNAVAILABLE.
     */
    janua_status (*check)(void *ctx, janua_str name, janua_str password, int32_t *verdict);
    /**
     * Runs once, when nothing can call the others any more; on the thread that freed the last owner.
     */
    void (*destroy)(void *ctx);
} janua_directory;

/**
 * Sets one value of a user that is being looked up. The keys:
 *
 *   id            required; what stands in sessions, tokens and logs. It never changes.
 *   name          as displayed and sent inward; the name that was looked up, if left out
 *   full_name, email
 *   hash          the password's hash, in a notation of janua_password_verify
 *   one_time      the hash of a password that is good for one log-in
 *   generation    a whole number that every password change raises; 0 if left out
 *   disabled      true or false, as are the next two; judged after the password
 *   pending       the account is not activated yet
 *   must_change   the password has to be changed
 *   role, tenant  may be given many times; a tenant by its id
 *   attr.NAME     a value for the profile's answers
 *
 * A value that is refused spoils the user: the lookup then fails whatever it answers.
 *
 * *Returns*: JANUA_OK; JANUA_E_INVALID for an unknown key, a key given twice, or a value that does
 * not fit it; JANUA_E_NULL. *Blocks*: no. *Since*: 0.1.0.
 */
janua_status janua_user_set(janua_user *user, janua_str key, janua_str value);

/**
 * Gives the engine the host's own directory of users instead of a file. On success the table is
 * copied and `destroy` will run once: when the configuration is freed without an engine, when
 * another table takes its place, when janua_engine_new fails, or when the last of engine, sites
 * and decisions is freed. On failure nothing was taken and `destroy` does not run.
 *
 * *Returns*: JANUA_OK; JANUA_E_INVALID for a table of the wrong size; JANUA_E_NULL without a table
 * or without `lookup`. *Blocks*: no. *Since*: 0.1.0.
 */
janua_status janua_config_set_directory(janua_config *config,
                                        const janua_directory *directory,
                                        janua_error *err);

/* -------------------------------------------------------------------------- Callbacks: audit */

/* Kinds of audit events. Stable: a number is never given another meaning. */
#define JANUA_EVENT_ALLOW                      1 /* A request was let through or answered for whom it proved. */
#define JANUA_EVENT_DENY                       2 /* A request was refused. */
#define JANUA_EVENT_LOGIN                      3 /* A log-in made a session. */
#define JANUA_EVENT_LOGOUT                     4 /* A log-out ended one (or there was none). */
#define JANUA_EVENT_TOKEN                      5 /* A token was issued. */
#define JANUA_EVENT_TENANT                     6 /* A session chose a tenant. */
#define JANUA_EVENT_EVICTION                   7 /* A session was put out to make room (the cap per principal). */
#define JANUA_EVENT_ALARM                      8 /* Something an operator must look at: the clock jumped, guesses over the whole site, a bad keyring or page, a late rotation. */

/** One event. It holds no credential. The views live until the callback returns. */
typedef struct {
    /**
     * The size of what the library wrote: read a field that was added later only if it is inside.
     */
    size_t size;
    /** A JANUA_EVENT_ number; more may come. */
    uint32_t kind;
    /** A JANUA_REASON_ number; more may come. */
    uint32_t reason;
    /** Unix seconds. */
    int64_t time;
    /**
     * The user's id; of a refused log-in `~` and a keyed digest of the name, since people type
     * passwords there: the same name gives the same digest.
     */
    janua_str principal;
    /** 32 hex digits, or empty. */
    janua_str session_ref;
    /** The client's address as text. */
    janua_str client;
    /** The name of the profile's endpoint, or empty. */
    janua_str endpoint;
    /** The method as matched. */
    janua_str method;
    /** Of a refusal: the eight digits that the client may have been shown to quote; or empty. */
    janua_str reference;
} janua_event;

/** Where events go. `event` must be there, `destroy` may be NULL. */
typedef struct {
    /** sizeof(janua_audit). */
    size_t size;
    /** Handed to every callback as it is. */
    void *ctx;
    /**
     * Called once for each decision, on the thread that decides and before it returns, also with
     * JANUA_FAST and several at once: it must not wait. It cannot change the outcome.
     */
    void (*event)(void *ctx, const janua_event *event);
    /**
     * Runs once, when `event` cannot be called any more; on the thread that freed the last owner.
     */
    void (*destroy)(void *ctx);
} janua_audit;

/**
 * Gives the engine a place to tell of its decisions. Ownership of the table is as with
 * janua_config_set_directory.
 *
 * *Returns*: JANUA_OK; JANUA_E_INVALID for a table of the wrong size; JANUA_E_NULL without a table
 * or without `event`. *Blocks*: no. *Since*: 0.1.0.
 */
janua_status janua_config_set_audit(janua_config *config,
                                    const janua_audit *audit,
                                    janua_error *err);

#ifdef __cplusplus
} /* extern "C" */
#endif

#endif /* JANUA_H */
