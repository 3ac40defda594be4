// SPDX-License-Identifier: Apache-2.0 OR MIT
//! diesel-program FILE: a database of notes and their authors through Diesel; prints what it finds. There is no NULL in
//! it, and no BigInt: this version of the crate panics when it reads one.
#[macro_use]
extern crate diesel;

use diesel::prelude::*;
use diesel::SqliteConnection;

table! {
    authors (id) {
        id -> Integer,
        name -> Text,
    }
}

table! {
    notes (id) {
        id -> Integer,
        author -> Integer,
        title -> Text,
        score -> Double,
        done -> Bool,
    }
}

joinable!(notes -> authors (author));
allow_tables_to_appear_in_same_query!(authors, notes);

#[derive(Insertable)]
#[diesel(table_name = authors)]
struct NewAuthor<'a> {
    name: &'a str,
}

#[derive(Insertable)]
#[diesel(table_name = notes)]
struct NewNote<'a> {
    author: i32,
    title: &'a str,
    score: f64,
    done: bool,
}

#[derive(Queryable, Debug)]
#[allow(dead_code)]
struct Note {
    id: i32,
    author: i32,
    title: String,
    score: f64,
    done: bool,
}

fn run(c: &mut SqliteConnection) -> QueryResult<()> {
    diesel::sql_query("CREATE TABLE authors (id INTEGER PRIMARY KEY, name TEXT NOT NULL)").execute(c)?;
    diesel::sql_query(
        "CREATE TABLE notes (id INTEGER PRIMARY KEY, author INTEGER NOT NULL, title TEXT NOT NULL UNIQUE, \
         score DOUBLE NOT NULL, done BOOLEAN NOT NULL)",
    )
    .execute(c)?;
    for name in ["Ada", "Grace"] {
        diesel::insert_into(authors::table).values(&NewAuthor { name }).execute(c)?;
    }
    let new = [
        NewNote { author: 1, title: "engine", score: 0.5, done: false },
        NewNote { author: 2, title: "compiler", score: 8.0, done: true },
        NewNote { author: 2, title: "ünïcode ☃", score: -2.25, done: false },
    ];
    for note in &new {
        println!("inserted {}", diesel::insert_into(notes::table).values(note).execute(c)?);
    }
    println!("{:?}", notes::table.order(notes::id).load::<Note>(c)?);

    let changed = diesel::update(notes::table.filter(notes::title.eq("engine"))).set(notes::done.eq(true)).execute(c)?;
    println!("updated {changed}");
    let open: Vec<String> = notes::table.filter(notes::done.eq(false)).select(notes::title).load(c)?;
    println!("open {open:?}");

    let joined: Vec<(String, String)> = notes::table
        .inner_join(authors::table)
        .order(notes::id)
        .select((authors::name, notes::title))
        .load(c)?;
    println!("{joined:?}");

    let undone: QueryResult<()> = c.transaction(|c| {
        diesel::delete(notes::table).execute(c)?;
        Err(diesel::result::Error::RollbackTransaction)
    });
    println!("transaction {undone:?}");
    println!("count {}", notes::table.select(notes::id).load::<i32>(c)?.len());

    c.transaction(|c| diesel::delete(notes::table.filter(notes::author.eq(2))).execute(c))?;
    println!("count {}", notes::table.select(notes::id).load::<i32>(c)?.len());
    Ok(())
}

fn main() {
    let file = std::env::args().nth(1).expect("usage: diesel-program FILE");
    let mut connection = SqliteConnection::establish(&file).expect("the database opens");
    run(&mut connection).expect("the statements work");
}
