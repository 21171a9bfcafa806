//! Attacks of others that need many threads at once, tried against whole engines. `docs/attacks.md` names each.

mod house;

use house::{House, VAULT, ask};
use janua::base::Reason;
use std::sync::atomic::Ordering;

const PAIRS: [(&str, &str, &str); 4] = [
    ("AlexK", "My Password", "6f0e0d7a-6b0b-4a39-9d7e-0f3c5b6a7c81"),
    ("joe.bloggs@test.com", "pa55w0rd", "0b97751d-b6bf-476c-a9e6-95d3352e8008"),
    ("admin@test.com", "password", "2f1a3b44-5566-4778-8899-aabbccddeeff"),
    ("Aladdin", "OpenSesame", "7d3c2b1a-9988-4766-8554-433221100fee"),
];
const THREADS: usize = 64;
const ROUNDS: usize = 10;

#[test]
fn row_27_threads_that_log_in_and_out_at_once_are_never_taken_for_each_other() {
    let (house, other) = (House::new(), House::new());
    for house in [&house, &other] {
        house.crowded.store(true, Ordering::Relaxed);
    }
    let (mauro, mfiles, foreign) = (house.site("mauro"), house.site("mfiles"), other.site("mfiles"));
    let one = |thread: usize| {
        let (user, password, id) = PAIRS[thread % PAIRS.len()];
        // More than five guesses at one account from one address are not hashed at a time, right or wrong.
        let client = format!("198.51.100.{thread}");
        for round in 0..ROUNDS {
            let pair = serde_json::json!({"username": user, "password": password}).to_string();
            let login = ask("POST", "/api/authentication/login").json(&pair).from(&client);
            let login = house.ask(&mauro, &login);
            assert_eq!((login.status, login.principal.as_str()), (200, id), "thread {thread}, round {round}");
            let session = login.cookie("JSESSIONID").unwrap();
            let folders = ask("GET", "/api/folders").cookie("JSESSIONID", &session);
            let shown = house.ask(&mauro, &folders);
            assert!(shown.allowed() && shown.principal == id, "thread {thread} is taken for {}", shown.principal);
            let out = house.ask(&mauro, &ask("POST", "/api/authentication/logout").cookie("JSESSIONID", &session));
            assert_eq!(out.status, 204);
            assert!(!house.ask(&mauro, &folders).allowed(), "thread {thread}, round {round}: it lives on");
            if user == "AlexK" {
                let pair = serde_json::json!({"Username": user, "Password": password, "VaultGuid": VAULT});
                let made = ask("POST", "/REST/server/authenticationtokens").json(&pair.to_string()).from(&client);
                let made = house.ask(&mfiles, &made);
                let token = made.json()["Value"].as_str().unwrap().to_owned();
                let views = ask("GET", "/REST/views").header("X-Authentication", &token);
                let (here, there) = (house.ask(&mfiles, &views), other.ask(&foreign, &views));
                assert!(here.allowed() && here.principal == id, "{:?} {}", here.reason, here.principal);
                assert_eq!(there.reason, Reason::TokenForeign, "a token of this server on another");
            }
        }
    };
    std::thread::scope(|threads| {
        for thread in 0..THREADS {
            let one = &one;
            threads.spawn(move || one(thread));
        }
    });
}
