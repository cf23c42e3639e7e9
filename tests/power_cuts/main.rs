//! The power fails 200 times while people enroll (SYS-4): the server is killed at random instants, also while it starts,
//! and started again. In the end everybody is where they were told they are, no mail is lost, the gateway knows exactly
//! the peers that were promised, and the audit log is whole.
//!
//! `ENROLLMENT_POWER_CUTS` asks for more cuts.

#![allow(clippy::panic, reason = "a test")]

mod aftermath;
#[allow(dead_code, reason = "shared with another test")]
#[path = "../common/client.rs"]
mod client;
#[path = "../common/mod.rs"]
mod common;
mod database;
mod grid;
#[path = "../common/later.rs"]
mod later;
mod person;
#[allow(dead_code, reason = "shared with another test")]
#[path = "../common/relay.rs"]
mod relay;
#[allow(dead_code, reason = "shared with another test")]
#[path = "../common/server.rs"]
mod server;

use std::thread;

use aftermath::Aftermath;
use database::Database;
use grid::Grid;
use person::Person;
use relay::Relay;

/// People who enroll at the same time, one after the other in each of so many lines.
const LINES: usize = 8;

#[test]
fn a_server_whose_power_fails_keeps_every_promise() {
    survive(&Database::file());
}

#[test]
fn a_server_on_postgresql_whose_power_fails_keeps_every_promise() {
    survive(&Database::on_a_server());
}

fn survive(database: &Database) {
    let relay = Relay::start();
    let folder = tempfile::tempdir().expect("a folder");
    database.configure(folder.path(), &relay);
    let grid = Grid::start(folder.path());
    let people: Vec<Person> = thread::scope(|scope| {
        let lines: Vec<_> = (0..LINES)
            .map(|line| {
                let grid = &grid;
                scope.spawn(move || {
                    let names = (0..).map(|nth| format!("p{line}x{nth}"));
                    names.take_while(|_| !grid.is_over()).map(|name| Person::enroll(grid, &name)).collect::<Vec<_>>()
                })
            })
            .collect();
        for _ in 0..cuts() {
            grid.cut();
        }
        grid.finish();
        lines.into_iter().flat_map(|line| line.join().expect("a line of people")).collect()
    });
    let interrupted = grid.shut_down();
    assert!(interrupted > cuts(), "the power failed in the middle of {interrupted} requests");
    assert!(people.len() > LINES, "{} people were enrolled", people.len());
    Aftermath::of(folder.path(), database, relay).assert_everything_is_as_promised(&people);
}

fn cuts() -> usize {
    std::env::var("ENROLLMENT_POWER_CUTS").map_or(200, |cuts| cuts.parse().expect("a number of cuts"))
}
