//! Where a server may be and who we are to it: sockets, numbers of databases, passwords, TLS, sentinels, clusters.

use super::*;

#[test]
fn a_database_has_a_number() {
    let home = Home::new();
    let first = home.open();
    let other = attached(settings(&format!("{}/3", home.server.url())), &home.clock);
    let key = home.login(&first, "Aladdin", 1);
    assert_eq!(home.why(&other, &key), Some(Reason::SessionUnknown));
    assert!(home.refused(settings(&format!("{}/99", home.server.url()))).contains("out of range"));
}
