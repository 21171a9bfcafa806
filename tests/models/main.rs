//! Exhaustive models of what a race test can only sample: `docs/security.md`, part 7, has the table.
//!
//! Each file mirrors functions of the code, named at its head, step by step, so that the two can be read side by side. Who
//! changes one of them changes the model. Each model must also **find** what is known to be wrong: every variant that the
//! code must not become is switched on in a test of its own, and the way to the violation is printed (`--nocapture`).
//! Memory is as strongly ordered here as the locks, acquire and release make it; what the processor might do to weaker
//! orders is not modelled.

mod explore;
mod poll;
mod replica;
mod rows;
mod sequence;
mod shared;
