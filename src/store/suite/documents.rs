//! Rules on what all processes share by name: exactly the text that was known is replaced, and nothing between is lost.
//!
//! Called by `suite`. A store of one process has nothing to share and says so each time.

use super::Scene;
use crate::store::Unavailable;

pub(super) fn a_document_is_replaced_only_by_who_knows_it(scene: &Scene<'_>) {
    let store = &scene.store;
    if !store.multi_process() {
        assert_eq!(store.document("a"), Err(Unavailable));
        assert_eq!(store.replace_document("a", None, b"one"), Err(Unavailable));
        return;
    }
    let long = (vec![7; 20_000], "n".repeat(300));
    assert_eq!(store.document("a"), Ok(None));
    assert_eq!(store.replace_document("a", Some(b""), b"one"), Ok(false), "nothing is not an empty text");
    assert_eq!(store.replace_document("a", None, b"one"), Ok(true));
    assert_eq!(store.replace_document("a", None, b"two"), Ok(false), "it is there already");
    assert_eq!(store.replace_document("a", Some(b"on"), b"two"), Ok(false));
    assert_eq!(store.document("a").unwrap().as_deref(), Some(&b"one"[..]));
    assert_eq!(store.replace_document("a", Some(b"one"), &long.0), Ok(true));
    assert_eq!(store.replace_document("a", Some(b"one"), b"two"), Ok(false), "who knows an older one is late");
    assert_eq!(store.document("a").unwrap(), Some(long.0.clone()));
    assert_eq!(store.document(&long.1), Ok(None), "another name is another document");
    assert_eq!(store.replace_document(&long.1, None, b""), Ok(true));
    assert_eq!(store.document(&long.1).unwrap().as_deref(), Some(&b""[..]), "an empty text is one");
    let key = scene.login("Aladdin");
    store.revoke(crate::store::Revocation::All, scene.now()).unwrap();
    scene.clock.advance(i64::from(super::LONGEST_SECS) * 2);
    scene.sweep_all();
    assert!(scene.check(&key).is_err());
    assert_eq!(store.document("a").unwrap(), Some(long.0), "nothing that ends or is revoked touches it");
}

pub(super) fn of_many_that_replace_at_once_one_wins_each_time(scene: &Scene<'_>) {
    const EACH: u64 = 25;
    let store = &scene.store;
    if !store.multi_process() {
        return;
    }
    store.replace_document("sum", None, &0_u64.to_be_bytes()).unwrap();
    let number = || u64::from_be_bytes(store.document("sum").unwrap().unwrap().try_into().unwrap());
    let add = || {
        for _ in 0..EACH {
            loop {
                let old = number();
                let new = (old + 1).to_be_bytes();
                if store.replace_document("sum", Some(&old.to_be_bytes()), &new).unwrap() {
                    break;
                }
            }
        }
    };
    std::thread::scope(|scope| (0..4).for_each(|_| drop(scope.spawn(add))));
    assert_eq!(number(), 4 * EACH, "no change is lost");
}
