//! Load over HTTP: the reference server as a process, its database, and its clients on one machine. Prints a table for
//! `docs/benchmarks.md`; every client's belief is compared with the database afterwards.
//!
//! Run it by `./benches/load`, which builds the server and says how.
#![allow(clippy::print_stdout, reason = "a table is what it is for")]

mod client;
mod measure;
mod options;
mod people;
mod server;
mod truth;

use std::process::ExitCode;
use std::sync::Arc;

use clap::Parser as _;
use client::Client;
use measure::{Measured, closed_loop};
use options::Options;
use people::{Belief, Person};
use server::Server;

type Error = Box<dyn std::error::Error + Send + Sync>;

/// Requests under way at a time.
const IN_FLIGHT: [usize; 3] = [1, 16, 160];

#[tokio::main]
async fn main() -> ExitCode {
    match run(&Options::parse()).await {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => {
            println!("\nThe clients believe something else than the database says.");
            ExitCode::FAILURE
        }
        Err(error) => {
            println!("\nThis did not work: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(options: &Options) -> Result<bool, Error> {
    let server = Server::prepared(options).await?;
    let belief = Arc::new(Belief::default());
    let before = server.memory()?;
    complete_first(&server, &belief).await?;
    let first = server.memory()?;
    println!("{}", measure::HEAD);

    let every = options.begins * IN_FLIGHT.len() + options.completions * IN_FLIGHT.len();
    let invited = invite(&server, every, &belief).await?;
    let mut invited = invited.into_iter();
    for in_flight in IN_FLIGHT {
        let people: Vec<_> = invited.by_ref().take(options.begins).collect();
        println!("{}", begins(&server, in_flight, people, &belief).await?);
    }
    let mut enrolled = Vec::new();
    // Right before and after each, since a machine that others share is not as fast in one minute as in the next.
    println!("{}", bare(&server, options).await?);
    for in_flight in IN_FLIGHT {
        let people: Vec<_> = invited.by_ref().take(options.completions).collect();
        let (row, complete) = completions(&server, in_flight, people, &belief).await?;
        println!("{row}");
        enrolled.extend(complete);
        println!("{}", bare(&server, options).await?);
    }
    println!("{}", mistyped(&server, options.begins).await?);
    let wanted = options.devices.saturating_sub(belief.devices());
    for row in devices(&server, enrolled, wanted, &belief).await? {
        println!("{row}");
    }

    let (memory, peak) = (server.memory()?, server.peak_memory()?);
    println!(
        "\nMemory of the server: {before} MB before the first completion, {first} MB after it, {memory} MB at the end, \
         {peak} MB at most."
    );
    let again = server.restarted().await?;
    println!("Start-up on this database to its first answer: {} ms.", again.started_in.as_millis());
    let agree = truth::agrees(&again, &belief).await?;
    again.stop().await?;
    Ok(agree)
}

async fn bare(server: &Server, options: &Options) -> Result<String, Error> {
    server.rests().await?;
    measure::bare_argon2(options.completions)
}

/// One completion on a server that has done nothing else yet.
async fn complete_first(server: &Server, belief: &Belief) -> Result<(), Error> {
    let mut client = Client::new(server.public);
    let mut person = Person::invited(client.at(server.internal), &server.api_key, "person-first".to_owned()).await?;
    belief.invited(1);
    person.begin(&mut client).await?;
    belief.begun(&person.username);
    person.do_every_step(&mut client).await?;
    belief.completed(&person.username);
    Ok(())
}

/// People and their tokens, made beforehand; the first row of the table.
async fn invite(server: &Server, count: usize, belief: &Arc<Belief>) -> Result<Vec<Person>, Error> {
    server.rests().await?;
    let names: Vec<String> = (0..count).map(|nth| format!("person{nth}")).collect();
    let (measured, people) = closed_loop(server, 16, server.internal, names, {
        let key = server.api_key.clone();
        move |client: &mut Client, name| {
            let key = key.clone();
            Box::pin(async move { Person::invited(client, &key, name).await })
        }
    })
    .await?;
    belief.invited(people.len());
    println!("{}", measured.row("people added and invited", 16));
    Ok(people)
}

async fn begins(server: &Server, in_flight: usize, people: Vec<Person>, belief: &Arc<Belief>) -> Result<String, Error> {
    server.rests().await?;
    let (measured, begun) = closed_loop(server, in_flight, server.public, people, |client: &mut Client, mut person| {
        Box::pin(async move {
            person.begin(client).await?;
            Ok(person)
        })
    })
    .await?;
    begun.iter().for_each(|person| belief.begun(&person.username));
    Ok(measured.row("begins", in_flight))
}

async fn completions(
    server: &Server,
    in_flight: usize,
    people: Vec<Person>,
    belief: &Arc<Belief>,
) -> Result<(String, Vec<Person>), Error> {
    let (measured, complete) = closed_loop(server, in_flight, server.public, people, {
        let belief = Arc::clone(belief);
        move |client: &mut Client, mut person: Person| {
            let belief = Arc::clone(&belief);
            Box::pin(async move {
                person.begin(client).await?;
                // Whoever is refused later has begun all the same.
                belief.begun(&person.username);
                person.do_every_step(client).await?;
                Ok(person)
            })
        }
    })
    .await?;
    complete.iter().for_each(|person| belief.completed(&person.username));
    Ok((measured.row("completions, 5 requests each", in_flight), complete))
}

/// Devices for people who are enrolled, until there are as many; a row for each step of the way.
async fn devices(
    server: &Server,
    enrolled: Vec<Person>,
    mut wanted: usize,
    belief: &Arc<Belief>,
) -> Result<Vec<String>, Error> {
    let mut rows = Vec::new();
    let mut people = enrolled;
    let steps = [1_000, 10_000, 50_000, 100_000];
    while wanted > 0 && !people.is_empty() {
        let next = steps.into_iter().find(|step| *step > belief.devices()).unwrap_or(usize::MAX);
        let step = wanted.min(next - belief.devices());
        server.rests().await?;
        let mut measured = Measured::default();
        let mut left = step;
        while left > 0 {
            // Each of them has one enrollment at a time.
            let rest = people.split_off(people.len().min(left));
            let key = server.api_key.clone();
            let internal = server.internal;
            let (some, done) =
                closed_loop(server, 16, server.public, people, move |client: &mut Client, mut person| {
                    let key = key.clone();
                    Box::pin(async move {
                        person.add_a_device(client, internal, &key).await?;
                        Ok(person)
                    })
                })
                .await?;
            if done.is_empty() {
                return Err("no device could be added".into());
            }
            done.iter().for_each(|_| belief.device_added());
            left = left.saturating_sub(done.len() + some.failures);
            measured.add(some);
            people = done;
            people.extend(rest);
        }
        wanted -= step;
        rows.push(measured.row(&format!("devices, up to {}, 4 requests each", belief.devices()), 16));
    }
    Ok(rows)
}

async fn mistyped(server: &Server, count: usize) -> Result<String, Error> {
    server.rests().await?;
    let nothing: Vec<()> = vec![(); count];
    let (measured, _) = closed_loop(server, 16, server.public, nothing, |client: &mut Client, ()| {
        Box::pin(async move { people::mistyped(client).await })
    })
    .await?;
    Ok(measured.row("a mistyped token", 16))
}
