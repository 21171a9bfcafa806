//! What a session costs: a check against the primitive it rests on, bytes, and pauses while sweeping.

use crate::ALLOCATOR;
use crate::measure::{Compared, Row, median};
use hashbrown::HashMap;
use janua::base::{Clock, Now};
use janua::crypto::digest::Digest;
use janua::session::{NewSession, Record, Touch, id};
use janua::store::Store;
use janua::store::memory::{Memory, Older, Settings};
use parking_lot::RwLock;
use std::hash::{BuildHasherDefault, Hasher};
use std::hint::black_box;
use std::sync::Arc;
use std::time::Instant;

const ROUNDS: usize = 31;
const LOOKS: usize = 200_000;
const BUDGET: usize = 1_000;

/// The primitive: a sharded hashbrown map of the same keys to the same records.
struct Raw(Vec<RwLock<Table>>);

type Table = HashMap<Digest, Arc<Record>, BuildHasherDefault<First8>>;

/// Takes the first eight bytes of a digest as its hash, as the store does.
#[derive(Default)]
struct First8(u64);

impl Hasher for First8 {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        self.0 = bytes.first_chunk().map_or(self.0, |first| u64::from_le_bytes(*first));
    }

    fn write_usize(&mut self, _length: usize) {}
}

impl Raw {
    fn shard(&self, key: &Digest) -> &RwLock<Table> {
        &self.0[usize::from(key[5]) | usize::from(key[6] & 1) << 8]
    }

    fn get(&self, key: &Digest) -> Option<Arc<Record>> {
        self.shard(key).read().get(key).cloned()
    }
}

fn key(number: usize) -> Digest {
    id::key("data.example.org", "form", "", &number.to_be_bytes())
}

pub fn rows(sessions: usize) -> Vec<Row> {
    let clock = Clock::fake(1_700_000_000);
    let now = clock.now();
    let mut rows: Vec<_> =
        [(1, 36), (4, 36), (4, 12)].map(|(per, length)| bytes_per_session(sessions, per, length, now)).into();

    let settings = Settings { longest_secs: 43_200, older: Older::Refused, floors: Vec::new() };
    let store: Box<dyn Store> = Box::new(Memory::new(settings, now).expect("random bytes"));
    let raw = Raw((0..512).map(|_| RwLock::default()).collect());
    let keys: Vec<_> = (0..sessions).map(key).collect();
    for (number, key) in keys.iter().enumerate() {
        let record = insert(store.as_ref(), *key, number, 4, 36, now);
        raw.shard(key).write().insert(*key, record);
    }
    rows.extend(checks(store.as_ref(), &raw, &keys, now));
    drop(raw);
    rows.push(sweeps(store.as_ref(), &clock));
    rows
}

fn insert(store: &dyn Store, key: Digest, number: usize, per: usize, length: usize, now: Now) -> Arc<Record> {
    let principal = format!("{:0length$}", number / per);
    let seq = store.seq().expect("memory answers");
    // Idle ends spread over half an hour, as logins would spread them.
    let idle = 1_800 + u32::try_from(number % 1_800).expect("small");
    let record = Record::new(NewSession::of(&principal, idle, 43_200, seq), now);
    store.insert(key, record, 100, now).expect("a new key").record
}

fn bytes_per_session(sessions: usize, per: usize, length: usize, now: Now) -> Row {
    let settings = Settings { longest_secs: 43_200, older: Older::Refused, floors: Vec::new() };
    let before = ALLOCATOR.bytes();
    let store = Memory::new(settings, now).expect("random bytes");
    let empty = ALLOCATOR.bytes() - before;
    for number in 0..sessions {
        insert(&store, key(number), number, per, length, now);
    }
    let all = ALLOCATOR.bytes() - before - empty;
    let figure = format!("a session, {per} a principal, ids of {length} bytes");
    Row::alone(figure, format!("{:.0} bytes", all as f64 / sessions as f64))
}

fn checks(store: &dyn Store, raw: &Raw, keys: &[Digest], now: Now) -> Vec<Row> {
    let order = shuffled(keys.len());
    let all = Keys { keys, order: &order };
    let raw_get = |key: &Digest| raw.get(key).map(|record| record.seq);
    let check = |key: &Digest| store.check(key, now).ok().ok().map(|record| record.seq);
    let check_touch = |key: &Digest| {
        let record = store.check(key, now).ok().ok()?;
        (store.touch(&record, None, now) == Ok(Touch::NotDue)).then_some(record.seq)
    };
    let calls = ALLOCATOR.calls();
    all.time::<true>(&check_touch, 0);
    assert_eq!(ALLOCATOR.calls(), calls, "check and touch allocate");
    let gets: [Get<'_>; 3] = [&raw_get, &check, &check_touch];
    let waiting = compare("waiting", |get, from| all.time::<true>(get, from), gets);
    let ahead = compare("running ahead", |get, from| all.time::<false>(get, from), gets);
    waiting.into_iter().chain(ahead).collect()
}

type Get<'a> = &'a dyn Fn(&Digest) -> Option<u64>;

struct Keys<'a> {
    keys: &'a [Digest],
    order: &'a [usize],
}

impl Keys<'_> {
    /// Nanoseconds a look-up. Chained, each names the next one, as a request waits for its own and for no other;
    /// unchained, the processor runs ahead into the next ones, further where the code is shorter.
    fn time<const CHAINED: bool>(&self, get: Get<'_>, from: usize) -> f64 {
        let (start, mut chain) = (Instant::now(), 0);
        for look in from..from + LOOKS {
            let seq = get(black_box(&self.keys[self.order[(look + chain) % self.order.len()]]));
            if CHAINED {
                chain = usize::from(seq == Some(0));
            } else {
                assert!(seq.is_some());
            }
        }
        start.elapsed().as_nanos() as f64 / LOOKS as f64
    }
}

fn compare(name: &str, time: impl Fn(Get<'_>, usize) -> f64, [raw, check, touch]: [Get<'_>; 3]) -> [Row; 2] {
    let (mut raws, mut checks, mut touches) = (Vec::new(), Vec::new(), Vec::new());
    for round in 0..ROUNDS {
        // Each goes on where the other stopped, so that all meet keys that nobody looked at for a whole turn.
        let from = round * LOOKS * 3;
        raws.push(time(raw, from));
        checks.push(time(check, from + LOOKS));
        touches.push(time(touch, from + LOOKS * 2));
    }
    let found = |mut ours: Vec<f64>| {
        let mut ratios: Vec<_> = ours.iter().zip(&raws).map(|(ours, base)| ours / base).collect();
        Compared { ours: median(&mut ours), base: median(&mut raws.clone()), ratio: median(&mut ratios) }
    };
    [
        Row::limited(format!("session checked, {name}"), RAW, &found(checks), 1.5),
        Row::limited(format!("session checked and touched, {name}"), RAW, &found(touches), 1.5),
    ]
}

const RAW: &str = "raw sharded hashbrown get";

fn sweeps(store: &dyn Store, clock: &Clock) -> Row {
    let mut pauses = Vec::new();
    while store.count().is_ok_and(|count| count > 0) {
        clock.advance(1);
        while {
            let start = Instant::now();
            let looked = store.sweep(clock.now(), BUDGET);
            if looked > 0 {
                pauses.push(start.elapsed().as_nanos() as f64 / 1_000.0);
            }
            looked == BUDGET
        } {}
    }
    pauses.sort_by(f64::total_cmp);
    let at = |share: f64| pauses[((pauses.len() - 1) as f64 * share) as usize];
    let value = format!("{:.0} us, longest {:.0} us", at(0.99), at(1.0));
    Row::alone(format!("a sweep of {BUDGET} entries, 99 of 100"), value)
}

/// The numbers below `count` in an order that no prefetcher foresees; the same every time.
fn shuffled(count: usize) -> Vec<usize> {
    let mut order: Vec<_> = (0..count).collect();
    order.sort_by_cached_key(|number| key(*number));
    order
}
