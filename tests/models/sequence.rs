//! Invariants 4, 5 and 6: numbers instead of clocks.
//!
//! [`Orders`], invariant 4: no session of an old password survives its change. Mirrors `Asked::verify` of `engine/login.rs`
//! (the store's number, then the look-up, then the hash of what was looked up), `Core::place` of `store/shared/sessions.rs`
//! (a session is not stored below a floor), and `Revocation::Principal` after the directory has the new password.
//!
//! [`Moments`], invariants 5 and 6: the number never falls; log out and log in within a moment kill the old and keep the new.
//! Mirrors `Log::append` (`seq = max(seq + 1, now)`) and `Set::judge` (below the floor is dead) under a clock that may
//! stand still or go back.

use crate::explore::{Label, Model, breaks, holds, stated};

/// A step of a log-in.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
enum Step {
    ReadNumber,
    LookUp,
    Store,
}

/// A step of a change.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
enum Change {
    WriteDirectory,
    Revoke,
}

/// In which order who does what.
struct Orders {
    login: [Step; 3],
    change: [Change; 2],
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
struct Login {
    at: u8,
    new_password: bool,
    /// It began when the change was answered.
    after: bool,
    number: u8,
    right: bool,
    stored: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
struct Scene {
    seq: u8,
    floor: u8,
    changed: bool,
    at: u8,
    others: u8,
    logins: [Login; 2],
}

impl Orders {
    fn is_answered(scene: &Scene) -> bool {
        scene.at == 2
    }

    fn log_in(&self, scene: &Scene, who: usize) -> Option<(&'static str, Scene)> {
        let mut next = *scene;
        let login = &mut next.logins[who];
        let step = *self.login.get(usize::from(login.at))?;
        if login.at == 0 {
            login.after = Self::is_answered(scene);
        }
        login.at += 1;
        let what = match step {
            Step::ReadNumber => {
                login.number = scene.seq;
                "reads the number"
            }
            Step::LookUp => {
                login.right = login.new_password == scene.changed;
                "looks the user up, verifies"
            }
            Step::Store if login.right && login.number >= scene.floor => {
                login.stored = true;
                "stores its session"
            }
            Step::Store => "is refused",
        };
        Some((what, next))
    }
}

impl Model for Orders {
    type State = Scene;

    fn starts(&self) -> Vec<Scene> {
        let login = Login { at: 0, new_password: false, after: false, number: 0, right: false, stored: false };
        let logins = [login, Login { new_password: true, ..login }];
        vec![Scene { seq: 1, floor: 0, changed: false, at: 0, others: 1, logins }]
    }

    fn steps(&self, scene: &Scene) -> Vec<(Label, Scene)> {
        let mut steps = Vec::new();
        for (who, name) in ["old password", "new password"].into_iter().enumerate() {
            steps.extend(self.log_in(scene, who).map(|(what, next)| ((name, what), next)));
        }
        if let Some(change) = self.change.get(usize::from(scene.at)) {
            let mut next = Scene { at: scene.at + 1, ..*scene };
            let what = match change {
                Change::WriteDirectory => {
                    next.changed = true;
                    "writes the directory"
                }
                Change::Revoke => {
                    next.seq += 1;
                    next.floor = next.seq;
                    "revokes the user's sessions"
                }
            };
            steps.push((("change", what), next));
        }
        if scene.others > 0 {
            let next = Scene { seq: scene.seq + 1, others: scene.others - 1, ..*scene };
            steps.push((("others", "revoke something else"), next));
        }
        steps
    }

    fn wrong(&self, scene: &Scene) -> Option<&'static str> {
        let lives = |login: &Login| login.stored && login.number >= scene.floor;
        let [old, new] = &scene.logins;
        if Self::is_answered(scene) && lives(old) {
            return Some(SURVIVES);
        }
        (new.after && new.at == 3 && !lives(new)).then_some("a log-in after the change is refused")
    }

    fn finished(&self, scene: &Scene) -> bool {
        Self::is_answered(scene) && scene.logins.iter().all(|login| login.at == 3)
    }
}

const SURVIVES: &str = "a session of the old password survives";
const NUMBER_FIRST: [Step; 3] = [Step::ReadNumber, Step::LookUp, Step::Store];
const LOOK_UP_FIRST: [Step; 3] = [Step::LookUp, Step::ReadNumber, Step::Store];
const DIRECTORY_FIRST: [Change; 2] = [Change::WriteDirectory, Change::Revoke];
const REVOKE_FIRST: [Change; 2] = [Change::Revoke, Change::WriteDirectory];

#[test]
fn of_the_four_orders_only_the_number_first_and_the_directory_first_is_safe() {
    let shows = ["stores its session", "is refused", "revoke something else"];
    stated(holds("number first, directory first", &Orders { login: NUMBER_FIRST, change: DIRECTORY_FIRST }, &shows));
    breaks("look-up first, directory first", &Orders { login: LOOK_UP_FIRST, change: DIRECTORY_FIRST }, SURVIVES);
    breaks("number first, revoke first", &Orders { login: NUMBER_FIRST, change: REVOKE_FIRST }, SURVIVES);
    breaks("look-up first, revoke first", &Orders { login: LOOK_UP_FIRST, change: REVOKE_FIRST }, SURVIVES);
}

/// How sessions and floors are numbered.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Numbers {
    /// One number, raised by each log-out to one more or the time; a session carries it; below the floor is dead.
    Log,
    /// The same without the one more.
    LogOfTimes,
    /// Sessions carry the time and floors are the time; below it is dead.
    Times,
    /// The same, and what is at the floor is dead as well.
    TimesAndAt,
}

struct Moments {
    numbers: Numbers,
}

const SESSIONS: usize = 3;

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
struct Moment {
    time: u8,
    steps_back: u8,
    seq: u8,
    floor: u8,
    log_outs: u8,
    made: u8,
    /// Each session's number, and whether it was logged out.
    sessions: [(u8, bool); SESSIONS],
    fell: bool,
}

impl Moments {
    fn lives(&self, moment: &Moment, number: u8) -> bool {
        if self.numbers == Numbers::TimesAndAt { number > moment.floor } else { number >= moment.floor }
    }
}

impl Model for Moments {
    type State = Moment;

    fn starts(&self) -> Vec<Moment> {
        let sessions = [(0, false); SESSIONS];
        vec![Moment { time: 4, steps_back: 1, seq: 4, floor: 0, log_outs: 2, made: 0, sessions, fell: false }]
    }

    fn steps(&self, moment: &Moment) -> Vec<(Label, Moment)> {
        let mut steps = Vec::new();
        if moment.time < 7 {
            steps.push((("clock", "goes on"), Moment { time: moment.time + 1, ..*moment }));
        }
        if moment.steps_back > 0 {
            steps.push((("clock", "goes back"), Moment { time: moment.time - 2, steps_back: 0, ..*moment }));
        }
        if usize::from(moment.made) < SESSIONS {
            let mut next = Moment { made: moment.made + 1, ..*moment };
            let times = matches!(self.numbers, Numbers::Times | Numbers::TimesAndAt);
            next.sessions[usize::from(moment.made)].0 = if times { moment.time } else { moment.seq };
            steps.push((("client", "logs in"), next));
        }
        if moment.log_outs > 0 {
            let mut next = Moment { log_outs: moment.log_outs - 1, ..*moment };
            next.seq = match self.numbers {
                Numbers::Log => moment.time.max(moment.seq + 1),
                Numbers::LogOfTimes => moment.time.max(moment.seq),
                Numbers::Times | Numbers::TimesAndAt => moment.time,
            };
            next.fell = next.seq < moment.seq;
            next.floor = next.seq;
            next.sessions.iter_mut().take(usize::from(moment.made)).for_each(|session| session.1 = true);
            steps.push((("client", "logs out everywhere"), next));
        }
        steps
    }

    fn wrong(&self, moment: &Moment) -> Option<&'static str> {
        let sessions = &moment.sessions[..usize::from(moment.made)];
        let wrong = sessions.iter().find(|(number, out)| self.lives(moment, *number) == *out);
        match wrong {
            Some((_, true)) => Some(OLD_LIVES),
            Some((_, false)) => Some(NEW_DEAD),
            // Of the others that is told by what follows from it.
            None => (moment.fell && self.numbers == Numbers::Log).then_some("the number fell"),
        }
    }

    fn finished(&self, moment: &Moment) -> bool {
        moment.log_outs == 0 && usize::from(moment.made) == SESSIONS
    }
}

const OLD_LIVES: &str = "a session lives after its log-out";
const NEW_DEAD: &str = "a session is dead that was not logged out";

#[test]
fn log_out_and_log_in_within_a_moment_kill_the_old_and_keep_the_new() {
    let shows = ["logs in", "logs out everywhere", "goes on", "goes back"];
    stated(holds("one number", &Moments { numbers: Numbers::Log }, &shows));
}

#[test]
fn clocks_instead_of_numbers_are_found() {
    breaks("times, below is dead", &Moments { numbers: Numbers::Times }, OLD_LIVES);
    breaks("times, at and below is dead", &Moments { numbers: Numbers::TimesAndAt }, NEW_DEAD);
    breaks("a number that is only the time", &Moments { numbers: Numbers::LogOfTimes }, OLD_LIVES);
}
