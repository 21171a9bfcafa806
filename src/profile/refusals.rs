//! Files that must not compile, and what is said about them.

use super::*;

/// A profile that compiles; each case changes one thing of it.
const GOOD: &str = r#"name = "sample"
base = "/api"

[setting]
code = 401
places = ["header:X-Key"]

[session]
alphabet = "0-9A-F"
length = 32
idle = "30m"
absolute = "12h"
cookie = "sid; Path=/; HttpOnly"

[token]
lifetime = "30d"

[tenant]
form = "guid"

[proof.session]
kind = "session"
at = ["cookie:sid"]

[proof.key]
kind = "key"
at = ["$places"]

[[endpoint]]
name = "login"
match = ["POST /login"]
do = "login"
proof = ["session"]
read = { user = ["json:/user"], password = ["json:/password"] }
echo = { id = "json:/id" }
ok = { status = 200, type = "application/json", body = '{"user":{{ user.name }},"id":{{ echo.id }}}' }
refused = { status = "$code", type = "text/plain", body = "No, {{ offered.user }}" }

[[endpoint]]
name = "rest"
match = ["* /**"]
proof = ["session", "key"]
missing = { status = 303, headers = { Location = "/login?next={{ path | url }}" } }
"#;

fn compile(text: &str) -> std::result::Result<Profile, String> {
    Profile::compile("sample.toml", text, &Overrides::none()).map_err(|error| error.message)
}

/// The error when `old` is written as `new`.
fn error(old: &str, new: &str) -> String {
    assert!(GOOD.contains(old), "{old}");
    match compile(&GOOD.replacen(old, new, 1)) {
        Ok(_) => panic!("compiled with {new}"),
        Err(message) => message,
    }
}

#[test]
fn the_sample_compiles() {
    compile(GOOD).unwrap();
}

#[test]
fn an_unknown_word_is_told_with_file_line_and_nearest_word() {
    for (old, new, message) in [
        ("base =", "bass =", "sample.toml:2: a profile has no key `bass`; did you mean `base`?"),
        (
            "alphabet =",
            "alfabet =",
            "sample.toml:9: a profile, `session` has no key `alfabet`; did you mean `alphabet`?",
        ),
        ("at = [\"cookie", "places = [\"cookie", "sample.toml:23: proof `session` has no key `places`"),
        (
            "do = \"login\"",
            "do = \"logon\"",
            "sample.toml:32: endpoint `login`: `do` cannot be `logon`; did you mean `login`?",
        ),
        (
            "read = { user",
            "read = { usr",
            "sample.toml:34: endpoint `login`, `read` has no key `usr`; did you mean `user`?",
        ),
        (
            "proof = [\"session\", \"key\"]",
            "proof = [\"session\", \"kye\"]",
            "sample.toml:42: endpoint `rest`: no proof is called `kye`; did you mean `key`?",
        ),
        ("\"$places\"", "\"$place\"", "sample.toml:27: unknown setting `$place`; did you mean `places`?"),
        (
            "kind = \"key\"",
            "kind = \"keys\"",
            "sample.toml:26: proof `key`: `kind` cannot be `keys`; did you mean `key`?",
        ),
        ("kind = \"key\"", "kind = \"jwt\"", "sample.toml:26: proof `key`: kind `jwt` is not available in this build"),
        (
            "kind = \"key\"",
            "kind = \"negotiate\"",
            "sample.toml:26: proof `key`: kind `negotiate` is not available in this build",
        ),
        (
            "json:/user",
            "jsno:/user",
            "sample.toml:34: endpoint `login`, `read`: `jsno:/user`: no kind of place `jsno`; did you mean `json`?",
        ),
        (
            "ok = { status",
            "ok = { stats",
            "sample.toml:36: endpoint `login`, `ok` has no key `stats`; did you mean `status`?",
        ),
        ("status = \"$code\"", "status = 99", "sample.toml:37: endpoint `login`, `refused`: a status is 200 to 599"),
        (
            "{{ user.name }}",
            "{{ user.nam }}",
            "sample.toml:36: endpoint `login`, `ok`: no template knows `user.nam`; did you mean `user.name`?",
        ),
        (
            "path | url",
            "path | urll",
            "sample.toml:43: endpoint `rest`, `missing`, `headers`: templates have no filter `urll`; did you mean `url`?",
        ),
        ("name = \"rest\"", "name = \"login\"", "sample.toml:40: an endpoint: two endpoints are called `login`"),
        (
            "name = \"rest\"",
            "name = \"rest\"\nlike = \"lgoin\"",
            "sample.toml:41: no endpoint is called `lgoin`; did you mean `login`?",
        ),
        (
            "name = \"rest\"",
            "name = \"rest\"\nlike = \"rest\"",
            "sample.toml:41: `like = \"rest\"` leads back to itself",
        ),
        ("idle = \"30m\"", "idle = \"13h\"", "sample.toml:11: a profile, `session`: `idle` is longer than `absolute`"),
        ("idle = \"30m\"", "idle = \"soon\"", "sample.toml:11: a profile, `session`: `soon` is no length of time"),
        (
            "length = 32",
            "length = 31",
            "sample.toml:10: a profile, `session`: a session id of 124 bits can be guessed; `length` must be 32 or more",
        ),
        (
            "form = \"guid\"",
            "form = \"uuid\"",
            "sample.toml:19: a profile, `tenant`: `form` cannot be `uuid`; did you mean `guid`?",
        ),
        ("kind = \"key\"", "kind = 7", "sample.toml:26: proof `key`: `kind` is a text, not a whole number"),
    ] {
        let told = error(old, new);
        assert!(told.starts_with(message), "{told}\n{message}");
    }
}

#[test]
fn an_endpoint_in_anothers_shadow_is_refused() {
    let told = error("match = [\"* /**\"]", "match = [\"* /**\", \"POST /login\"]");
    assert!(told.contains("`/login` is never reached: `login` above matches all of it"), "{told}");
    let both = GOOD.replacen("match = [\"POST /login\"]", "match = [\"* /**\"]", 1);
    assert!(compile(&both).unwrap_err().contains("is never reached"));
    let special = GOOD.replacen("match = [\"POST /login\"]", "match = [\"* /**\"]\nwhen = [\"json:/user\"]", 1);
    compile(&special).unwrap();
}

#[test]
fn no_answer_repeats_a_secret() {
    for secret in
        ["json:/password", "cookie:sid", "header:x-key", "auth:Bearer", "body:", "json:/Password/0", "xml:/*/a"]
    {
        let text = GOOD.replacen("json:/id", secret, 1);
        let text = text.replacen("[\"json:/password\"]", "[\"json:/password\", \"xml:/a/*\"]", 1);
        let refused = compile(&text).is_err_and(|told| told.contains("a secret sits"));
        assert_eq!(refused, secret != "json:/Password/0", "{secret}");
    }
    assert!(error("json:/id", "header:Cookie").contains("the whole header is no place"));
    let folded =
        GOOD.replacen("base =", "lenient = [\"json-case\"]\nbase =", 1).replacen("json:/id", "json:/PASSWORD", 1);
    assert!(compile(&folded).unwrap_err().contains("a secret sits"));
    assert!(
        error("echo =", "extra = { k = \"header:X-Key\" }\necho =")
            .contains("`extra.k` repeats a place where a secret sits")
    );
}

#[test]
fn an_answer_that_a_value_can_break_is_refused() {
    for (old, new, told) in [
        ("{\"user\":{{ user.name }}", "{\"user\":\"{{ user.name }}\"", "the answer is not JSON"),
        ("{\"user\":{{ user.name }},", "{\"user\":{{ user.name }} ", "the answer is not JSON"),
        ("\"id\":{{ echo.id }}", "\"user\":1", "duplicate"),
        ("{{ user.name }}", "{{ user.attr.phone }}", "when the user has no attributes"),
        ("{{ user.name }}", "{{ user.attr.phone + 1 }}", "`login`, `ok`"),
        ("No, {{ offered.user }}", "No, {{ user.name }}", "when nobody is proven"),
        ("No, {{ offered.user }}", "No, {{ token }}", "`token` in a template is for `issue-token`"),
        ("No, {{ offered.user }}", "{{ sessions | length }}", "`sessions` are shown only where the `need` is a role"),
        ("type = \"text/plain\"", "type = \"text/html\"", "holds no value"),
        ("type = \"text/plain\"", "type = \"text/xml\"", "the answer is not XML"),
        ("/login?next={{ path | url }}", "{{ path }}", "can lead `Location` to another host"),
        ("/login?next={{ path | url }}", "https://x.example{{ path }}", "can lead `Location` to another host"),
        ("Location =", "Set-Cookie =", "is no header that a profile may set"),
        ("status = 303", "status = 204, body = \"x\"", "an answer of status 204 has no body"),
        (
            "{{ user.name }}",
            "{% autoescape false %}{{ user.name }}{% endautoescape %}",
            "templates have no `autoescape`",
        ),
        ("{{ user.name }}", "{{ user.name | safe }}", "templates have no filter `safe`"),
    ] {
        let message = error(old, new);
        assert!(message.contains(told), "{message}\n{told}");
    }
}

#[test]
fn what_does_not_go_together_is_refused() {
    for (old, new, told) in [
        (", password = [\"json:/password\"]", "", "`read.user` and `read.password` go together"),
        (
            "[token]\nlifetime = \"30d\"\n",
            "[proof.t]\nkind = \"token\"\nat = [\"auth:Bearer\"]\n",
            "is used by no endpoint",
        ),
        ("proof = [\"session\", \"key\"]", "proof = [\"session\"]", "proof `key` is used by no endpoint"),
        (
            "do = \"login\"",
            "do = \"logout\"\nneed = \"tenant\"\njsonp = [\"header:x\"]",
            "a callback is named in the query",
        ),
        ("do = \"login\"", "do = \"answer\"", "only `login` and `issue-token` read a pair"),
        ("ok = {", "locked = {", "what it does needs an answer `ok`"),
        ("cookie = \"sid; Path=/; HttpOnly\"", "cookie = \"sid; Path=/\"", "`HttpOnly` is missing"),
        ("at = [\"$places\"]", "at = [\"auth:Basic\"]", "only `auth:Bearer` can hold this"),
        ("at = [\"$places\"]", "at = [\"xmlns:x\"]", "the root element's namespace is `xmlns:`"),
        ("form = \"guid\"", "form = \"guid\"\nunknown = \"ignore\"", "`unknown` cannot be `ignore`"),
        ("at = [\"$places\"]", "at = [\"path:id\"]", "`path:id` is not caught by every `match`"),
        ("do = \"login\"", "do = \"login\"\nneed = \"role:\"", "needs a role's name"),
        ("base = \"/api\"", "base = \"/api/\"", "without a slash at the end"),
        ("base = \"/api\"", "method = [\"json:/m\"]", "an override sits in a header or in the query"),
        ("base = \"/api\"", "path = [\"query:p\"]", "write the path and the place"),
        ("base = \"/api\"", "lenient = [\"case\"]", "`lenient` knows no `case`"),
    ] {
        let message = error(old, new);
        assert!(message.contains(told), "{message}\n{told}");
    }
}

#[test]
fn a_gate_is_never_ignored_and_proves_nobody() {
    let gate = "kind = \"gate\"\nat = [\"$places\"]";
    let good = GOOD.replacen("kind = \"key\"\nat = [\"$places\"]", gate, 1);
    compile(&good).unwrap();
    let open = good.replacen(gate, &format!("{gate}\nbad = \"ignore\""), 1);
    assert!(compile(&open).unwrap_err().contains("a gate that ignores a wrong key is open"));
    let alone = good.replacen("proof = [\"session\", \"key\"]", "proof = [\"key\"]", 1);
    assert!(compile(&alone).unwrap_err().contains("it `need`s proof and lists none"));
}

#[test]
fn a_list_frames_the_answers_of_its_items_and_proves_nothing() {
    let list = "[[endpoint]]\nname = \"list\"\nmatch = [\"POST /list\"]\ndo = \"each\"\nneed = \"none\"\n\
                ok = { status = 200, type = \"application/json\", body = '[]' }\n";
    let bare = GOOD.replacen("cookie = \"sid; Path=/; HttpOnly\"\n", "", 1);
    let good = bare.replacen("[[endpoint]]", &format!("{list}\n[[endpoint]]"), 1);
    compile(&good).unwrap();
    let cookie = GOOD.replacen("[[endpoint]]", &format!("{list}\n[[endpoint]]"), 1);
    assert!(compile(&cookie).unwrap_err().contains("none of them may set a cookie"));
    for (old, new, told) in [
        ("'[]'", "'{}'", "its `ok` is JSON, and its body `[]`"),
        ("'[]'", "'[{{ path }}]'", "its `ok` is JSON, and its body `[]`"),
        ("need = \"none\"\n", "proof = [\"session\"]\n", "is proven item by item"),
    ] {
        let text = good.replacen(old, new, 1);
        assert_ne!(text, good, "{old}");
        let message = compile(&text).unwrap_err();
        assert!(message.contains(told), "{message}\n{told}");
    }
}

#[test]
fn a_setting_may_leave_a_proof_out_but_the_file_may_not() {
    let text = GOOD.replacen("[setting]", "[setting]\nlooked_at = [\"session\", \"key\"]", 1);
    let text = text.replacen("proof = [\"session\", \"key\"]", "proof = [\"$looked_at\"]", 1);
    compile(&text).unwrap();
    let unused = text.replacen("[\"session\", \"key\"]", "[\"session\"]", 1);
    assert!(compile(&unused).unwrap_err().contains("proof `key` is used by no endpoint"));
    let mut overrides = Overrides::none();
    overrides.set("looked_at", vec!["session"]);
    Profile::compile("sample.toml", &text, &overrides).unwrap();
}
