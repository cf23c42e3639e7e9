-- Unattended machines: a named device each, made beforehand in one location, with its addresses.
create table machines (
    id uuid primary key,
    version bigint not null,
    machine_name text collate "C" unique,
    machines_by_location_in text collate "C",
    machines_by_location text collate "C",
    layout integer not null,
    body text not null
);
create index machines_by_location on machines (machines_by_location_in, machines_by_location, id)
    where machines_by_location_in is not null;
